#include "cli/load_setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "base/files.h"
#include "base/log.h"
#include "load/replay.h"
#include "record/trace_file.h"

namespace plimsoll::cli {
namespace {

using load::Nanoseconds;

// A start is late when the tester, not the target, was busy; more than this at p99 and an open loop's times say little.
constexpr double kDefaultScheduleError = 0.01;
constexpr std::size_t kSyntheticInputs = 64;

Result<void> read_duration(const char* flag, const std::string& text, Nanoseconds& out) {
    const auto span = load::parse_duration(text);
    if (!span) return fail(span.error().with_context(flag));
    out = *span;
    return {};
}

bool all_ok(const std::vector<load::Check>& checks) {
    return std::ranges::all_of(checks, [](const load::Check& check) { return check.ok; });
}

std::unexpected<Error> wrong(std::string message) { return fail(ErrorCode::invalid_argument, std::move(message)); }

Result<void> read_arrivals(const LoadFlags& flags, load::LoadPlan& plan) {
    plan.open = true;
    plan.arrivals.seed = flags.seed;
    plan.arrivals.cv = flags.cv;
    plan.arrivals.gaps = flags.arrival == "constant" ? load::Gaps::constant
                         : flags.arrival == "gamma"  ? load::Gaps::gamma
                                                     : load::Gaps::exponential;
    if (!flags.arrivals_file.empty()) {
        const auto text = load_file(flags.arrivals_file);
        if (!text) return fail(text.error());
        auto trace = load::parse_arrival_trace(*text, flags.speed);
        if (!trace) return fail(trace.error().with_context(flags.arrivals_file));
        plan.arrivals.trace = std::move(*trace);
        return {};
    }
    if (!flags.stages.empty()) {
        auto stages = load::parse_stages(flags.stages, flags.rate);
        if (!stages) return fail(stages.error().with_context("--stages"));
        plan.arrivals.stages = std::move(*stages);
        return {};
    }
    if (flags.rate > load::kMaxRate) return wrong(fmt::format("--rate is at most {}", load::kMaxRate));
    if (plan.duration.count() == 0 && plan.max_sessions == 0) return wrong("--rate needs --duration or --max_requests");
    const Nanoseconds span = plan.duration.count() > 0 ? plan.duration : Nanoseconds(load::kMaxDuration);
    plan.arrivals.stages = {{span, flags.rate, flags.rate}};
    return {};
}

// "http://host:port" of both.
bool same_server(std::string_view a, std::string_view b) {
    const auto authority = [](std::string_view url) {
        const std::size_t start = url.find("://");
        return start == std::string_view::npos ? std::string_view() : url.substr(0, url.find_first_of("/?#", start + 3));
    };
    return !authority(a).empty() && authority(a) == authority(b);
}

Result<Asked> read_replay(const LoadFlags& flags) {
    const auto traces = record::read_trace_file(flags.replay);
    if (!traces) return fail(traces.error().with_context("--replay"));
    for (const auto& [reason, entry] : traces->skipped.reasons()) log_warning("{}: {} x {} skipped", flags.replay, entry.count, reason);
    load::ReplayMaker maker({.speed = flags.speed, .unknown_prompt = flags.synthetic_words});
    for (const event::SessionTrace& trace : traces->sessions) maker.add(trace);
    auto replay = maker.finish();
    if (!replay) return fail(replay.error().with_context(flags.replay));
    if (replay->without_call > 0) log_warning("{}: {} sessions without a model call are left out", flags.replay, replay->without_call);
    if (replay->made_up > 0)
        log_warning(
            "{}: the input of {} calls is not recorded; made-up text of the recorded length stands for it{}", flags.replay, replay->made_up,
            replay->unknown_length > 0
                ? fmt::format(", of {} tokens for {} calls without one (--input_words)", flags.synthetic_words, replay->unknown_length)
                : "");
    return Asked{std::move(replay->book), std::move(replay->starts)};
}

load::ScriptBook synthetic_book(const LoadFlags& flags, Nanoseconds pause) {
    Random random(flags.seed);
    std::vector<std::vector<std::string>> conversations(kSyntheticInputs);
    for (auto& turns : conversations)
        for (int i = 0; i < flags.turns; ++i) turns.push_back(load::make_text(random, flags.synthetic_words));
    return load::make_conversations(conversations, pause);
}

// --turns makes conversations of that many consecutive inputs.
std::vector<std::vector<std::string>> group(std::vector<std::vector<std::string>> inputs, int turns) {
    if (turns <= 1) return inputs;
    std::vector<std::vector<std::string>> out;
    for (std::size_t start = 0; start < inputs.size(); ++start) {
        auto& conversation = out.emplace_back();
        for (std::size_t turn = 0; std::cmp_less(turn, turns); ++turn) {
            const auto& texts = inputs[(start + turn) % inputs.size()];
            conversation.insert(conversation.end(), texts.begin(), texts.end());
        }
    }
    return out;
}

}  // namespace

Result<load::LoadPlan> make_plan(const LoadFlags& flags, const std::vector<Nanoseconds>& recorded_starts) {
    load::LoadPlan plan;
    if (!flags.duration.empty()) PLIMSOLL_TRY(read_duration("--duration", flags.duration, plan.duration));
    PLIMSOLL_TRY(read_duration("--warmup", flags.warmup, plan.warmup));
    PLIMSOLL_TRY(read_duration("--drain", flags.drain, plan.drain));
    PLIMSOLL_TRY(read_duration("--timeout", flags.timeout, plan.call_timeout));
    PLIMSOLL_TRY(read_duration("--think", flags.think, plan.think));
    PLIMSOLL_TRY(read_duration("--ramp_up", flags.ramp_up, plan.ramp_up));
    plan.exponential_think = flags.exponential_think;
    plan.max_sessions = flags.max_requests;
    plan.max_in_flight = flags.max_in_flight;
    plan.seed = flags.seed;
    plan.users = std::max(1, flags.users);
    double busiest = plan.users;
    if (flags.rate > 0 || !flags.stages.empty() || !flags.arrivals_file.empty()) {
        PLIMSOLL_TRY(read_arrivals(flags, plan));
        busiest = flags.rate;
        for (const load::RateStage& stage : plan.arrivals.stages) busiest = std::max(busiest, stage.to);
    } else if (flags.users == 0 && !recorded_starts.empty()) {
        plan.open = true;
        plan.arrivals.trace = recorded_starts;
    } else if (flags.users == 0) {
        return wrong("give --users (closed loop) or --rate, --stages, --arrivals or --replay (open loop)");
    }
    constexpr double kOneThread = 2000;
    const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    plan.threads = flags.threads > 0 ? flags.threads : busiest > kOneThread ? std::min(2, cores) : 1;
    PLIMSOLL_TRY(load::check_plan(plan));
    return plan;
}

Result<Asked> make_asked(const LoadFlags& flags) {
    Nanoseconds pause{0};
    PLIMSOLL_TRY(read_duration("--pause", flags.pause, pause));
    if (!flags.replay.empty()) return read_replay(flags);
    std::vector<std::vector<std::string>> inputs;
    for (const std::string& input : flags.inputs) inputs.push_back({input});
    if (!flags.inputs_file.empty()) {
        const auto text = load_file(flags.inputs_file);
        if (!text) return fail(text.error());
        auto parsed = load::parse_inputs(*text);
        if (!parsed) return fail(parsed.error().with_context(flags.inputs_file));
        inputs.insert(inputs.end(), parsed->begin(), parsed->end());
    }
    if (inputs.empty()) return Asked{synthetic_book(flags, pause), {}};
    return Asked{load::make_conversations(group(std::move(inputs), flags.turns), pause), {}};
}

Result<load::HttpTargetSpec> make_target_spec(const LoadFlags& flags) {
    load::HttpTargetSpec spec;
    const auto known = load::find_known_target(flags.kind);
    if (!flags.target_file.empty() || known) {
        const auto text = flags.target_file.empty() ? Result<std::string>(*known) : load_file(flags.target_file);
        if (!text) return fail(text.error());
        auto parsed = load::parse_target(*text, flags.target_file.empty() ? flags.kind : flags.target_file, flags.url,
                                         [](const std::string& name) { return std::getenv(name.c_str()); });
        if (!parsed) return fail(parsed.error());
        spec = std::move(*parsed);
    } else if (flags.url.empty()) {
        return wrong("give --url, --target or --config_file");
    } else {
        spec = flags.kind == "nat" ? load::make_nat_spec(flags.url) : load::make_openai_spec(flags.url, flags.kind == "chat");
    }
    spec.stream = !flags.no_stream;
    if (!flags.model.empty()) spec.model = flags.model;
    spec.any_model = flags.model.empty();
    spec.ignore_eos = !flags.no_ignore_eos;
    spec.max_tokens = flags.max_tokens;
    spec.verify_tls = !flags.insecure;
    for (const std::string& header : flags.headers) {
        const std::size_t colon = header.find(':');
        if (colon == std::string::npos || colon == 0) return wrong(fmt::format("--header \"{}\" is no \"Name: value\"", header));
        const std::size_t value = header.find_first_not_of(' ', colon + 1);
        spec.headers.emplace_back(header.substr(0, colon), value == std::string::npos ? "" : header.substr(value));
    }
    if (!flags.api_key_env.empty()) {
        const char* key = std::getenv(flags.api_key_env.c_str());
        if (!key) return wrong(fmt::format("the environment variable {} is not set", flags.api_key_env));
        spec.headers.emplace_back("Authorization", fmt::format("Bearer {}", key));
    }
    const auto local = load::is_loopback(spec);
    if (!local) return fail(local.error());
    if (!*local && !flags.allow_remote)
        return wrong(fmt::format("{}: another machine; give --allow_remote when it may be loaded", load::shown_target(spec)));
    return spec;
}

Result<std::vector<load::Threshold>> make_thresholds(const LoadFlags& flags) {
    std::vector<load::Threshold> out;
    for (const std::string& text : flags.thresholds) {
        auto threshold = load::parse_threshold(text);
        if (!threshold) return fail(threshold.error());
        out.push_back(std::move(*threshold));
    }
    return out;
}

Result<load::HonestyLimits> make_limits(const LoadFlags& flags, const load::LoadPlan& plan, const load::ScriptBook& book) {
    load::HonestyLimits limits;
    if (!flags.max_schedule_error.empty()) {
        Nanoseconds span{0};
        PLIMSOLL_TRY(read_duration("--max_schedule_error", flags.max_schedule_error, span));
        limits.max_schedule_error_s = load::to_seconds(span);
    } else if (plan.open) {
        limits.max_schedule_error_s = kDefaultScheduleError;
    }
    limits.max_dropped = flags.max_dropped < 0 && plan.open ? 0 : flags.max_dropped;
    const auto asked = load::asked_at_once(plan, book);
    limits.min_open = flags.min_open >= 0 ? flags.min_open : asked.value_or(-1);
    // Only what the target itself says; the model server behind an agent has other calls than the agent.
    if (std::ranges::any_of(flags.metrics_urls, [&](const std::string& url) { return same_server(flags.url, url); }))
        limits.min_at_server = limits.min_open;
    return limits;
}

int load_exit_code(const load::SummaryInput& summary) {
    constexpr int kThresholdFailed = 3, kLoadNotAsAsked = 4, kInterrupted = 130;
    if (summary.outcome.interrupted) return kInterrupted;
    if (summary.stats.calls() > 0 && summary.stats.failed() + summary.stats.unfinished() == summary.stats.calls()) return 1;
    if (!all_ok(summary.honesty)) return kLoadNotAsAsked;
    return all_ok(summary.thresholds) ? 0 : kThresholdFailed;
}

}  // namespace plimsoll::cli
