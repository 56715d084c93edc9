#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/forecast_report.h"
#include "cli/limits_file.h"
#include "cli/sizing_job.h"
#include "cli/what_if.h"
#include "forecast/forecast_output.h"
#include "record/trace_file.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

// A run at one concurrency.
struct Source {
    forecast::RunKey run;
    fs::path path;
};

struct ForecastFlags {
    std::string runs;
    std::vector<std::string> traces;
    std::string limits;
    std::string users;
    std::string slo;
    std::vector<std::string> without, at_most, laws;
    std::string replicas;
    std::string report;
    std::string output_dir;
    double rate = 0;
    double think_time = -1;
    forecast::ForecastRequest request;
    bool json = false;
};

Result<Source> parse_source(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
        return fail(ErrorCode::invalid_argument, fmt::format("--traces: \"{}\" is not CONCURRENCY=FILE", text));
    const auto count = parse_count("--traces", std::string_view(text).substr(0, equals));
    if (!count) return fail(count.error());
    return Source{{*count, 1}, text.substr(equals + 1)};
}

std::vector<Source> find_sources(const fs::path& job) {
    std::vector<Source> sources;
    for (const RunFolder& run : list_runs(job)) sources.push_back({run.run, run.path});
    return sources;
}

// DIR is a job's folder, or what --calc_output_dir named: then its newest online job.
Result<std::vector<Source>> find_runs(const fs::path& folder) {
    if (auto sources = find_sources(folder); !sources.empty()) return sources;
    for (const fs::path& job : list_jobs(folder))
        if (auto sources = find_sources(job); !sources.empty()) return sources;
    return fail(ErrorCode::not_found, fmt::format("{}: no concurrency_N folder in it", folder.string()));
}

Result<std::vector<Source>> collect_sources(const ForecastFlags& flags) {
    if (flags.traces.empty() == flags.runs.empty())
        return fail(ErrorCode::invalid_argument, "one of --traces CONCURRENCY=FILE… and --runs DIR is wanted");
    if (!flags.runs.empty()) return find_runs(flags.runs);
    std::vector<Source> sources;
    for (const std::string& text : flags.traces) {
        auto source = parse_source(text);
        if (!source) return fail(source.error());
        sources.push_back(std::move(*source));
    }
    return sources;
}

Result<void> add_source(forecast::RecordingBuilder& builder, const Source& source) {
    auto file = record::read_trace_file(source.path);
    if (!file) return fail(file.error());
    return builder.add(
        {source.run.concurrency, source.path.string(), std::move(file->sessions), std::move(file->skipped), source.run.repetition});
}

// Of a folder's runs one that was cut short costs no more than itself; a file that was named must be right.
Result<forecast::Recording> load_recording(const ForecastFlags& flags) {
    const auto sources = collect_sources(flags);
    if (!sources) return fail(sources.error());
    std::vector<forecast::LeaveOut> left_out;
    for (const std::string& name : flags.without) left_out.push_back({name, 0});
    for (const std::string& text : flags.at_most) {
        auto one = parse_at_most(text);
        if (!one) return fail(one.error());
        left_out.push_back(std::move(*one));
    }
    forecast::RecordingBuilder builder(std::move(left_out));
    std::optional<Error> unusable;
    std::size_t used = 0;
    for (const Source& source : *sources) {
        if (const auto added = add_source(builder, source); added) {
            ++used;
        } else if (flags.runs.empty()) {
            return fail(added.error());
        } else {
            log_warning("passed over: {}", added.error().message);
            unusable = added.error();
        }
    }
    if (used == 0 && unusable) return fail(*unusable);
    return std::move(builder).finish();
}

// The forecast as its JSON and as text.
struct Answer {
    json::value json;
    std::string text;
    bool refused = false;
};

// What the first number of replicas answers is the forecast; the others stand beside it.
Result<void> add_other_replicas(const std::vector<int>& replicas, const forecast::Recording& recording, forecast::ForecastRequest request,
                                Answer& answer) {
    json::array others;
    request.sweep_replicas = false;
    for (std::size_t i = 1; i < replicas.size(); ++i) {
        request.replicas = replicas[i];
        const auto result = forecast::make_forecast(recording, request);
        if (!result) return fail(result.error());
        json::object one{{"replicas", replicas[i]}};
        const json::value all = forecast::to_json(*result, recording, request);
        for (const char* key : {"forecasts", "bottleneck", "knee_users", "refused"})
            if (const json::value* value = find(all, key)) one[key] = *value;
        others.push_back(std::move(one));
        answer.text += fmt::format("\nWith {} replicas instead of {}:\n{}", replicas[i], replicas.front(), forecast::answer_text(*result));
        answer.refused = answer.refused || result->refused.has_value();
    }
    if (!others.empty()) answer.json.as_object()["other_replicas"] = std::move(others);
    return {};
}

Result<Answer> compute(ForecastFlags& flags) {
    forecast::ForecastRequest& request = flags.request;
    if (flags.rate > 0) request.rate = flags.rate;
    if (flags.think_time >= 0) request.think_time = flags.think_time;
    for (const std::string& text : flags.laws) PLIMSOLL_TRY(add_machine(text, request.machines));
    std::vector<int> replicas;
    if (!flags.replicas.empty()) {
        auto counts = parse_counts("--replicas", flags.replicas);
        if (!counts) return fail(counts.error());
        replicas = std::move(*counts);
        request.replicas = replicas.front();
    }
    if (flags.users.empty() && !request.rate) return fail(ErrorCode::invalid_argument, "--users or --rate is wanted");
    if (!flags.users.empty()) {
        auto users = parse_counts("--users", flags.users);
        if (!users) return fail(users.error());
        request.users = std::move(*users);
    }
    if (!flags.slo.empty()) {
        const auto slo = forecast::parse_slo(flags.slo);
        if (!slo) return fail(slo.error());
        request.slo = *slo;
    }
    const auto recording = load_recording(flags);
    if (!recording) return fail(recording.error());
    if (!flags.limits.empty()) {
        auto limits = load_limits(flags.limits, recording->names);
        if (!limits) return fail(limits.error());
        request.limits = std::move(*limits);
    }
    request.sweep_replicas = !flags.output_dir.empty() || !flags.report.empty();
    auto result = forecast::make_forecast(*recording, request);
    if (!result) return fail(result.error());
    Answer answer{forecast::to_json(*result, *recording, request), forecast::forecast_text(*result), result->refused.has_value()};
    PLIMSOLL_TRY(add_other_replicas(replicas, *recording, request, answer));
    return answer;
}

Result<void> save_answer(const ForecastFlags& flags, const Answer& answer) {
    if (!flags.output_dir.empty()) PLIMSOLL_TRY(save_forecast(answer.json, flags.output_dir));
    if (!flags.report.empty()) PLIMSOLL_TRY(save_forecast_page(answer.json, flags.report));
    return {};
}

int run_command(ForecastFlags flags) {
    constexpr int kFailed = 1, kUsage = 2, kRefused = 3;
    const auto answer = compute(flags);
    if (!answer) {
        log_error("{}", answer.error().message);
        const auto code = answer.error().code;
        return code == ErrorCode::invalid_argument || code == ErrorCode::config ? kUsage : kFailed;
    }
    std::fputs(flags.json ? (to_pretty_json(answer->json) + "\n").c_str() : answer->text.c_str(), stdout);
    if (const auto saved = save_answer(flags, *answer); !saved) {
        log_error("{}", saved.error().message);
        return kFailed;
    }
    return answer->refused ? kRefused : 0;
}

}  // namespace

void add_forecast_command(CLI::App& sizing, Run& run) {
    auto* command =
        sizing.add_subcommand("forecast", "says how many users what was measured will carry, and how many replicas a target needs");
    const auto flags = std::make_shared<ForecastFlags>();
    command
        ->add_option("--traces", flags->traces,
                     "CONCURRENCY=FILE of each measured level: any file or run folder that `plimsoll profile` reads")
        ->expected(1, -1);
    command->add_option("--runs", flags->runs, "folder that `sizing calc` measured into, instead of --traces");
    command->add_option("--limits", flags->limits, "YAML file of what is known of the servers; what is not in it is unknown");
    command->add_option("--users", flags->users, "comma-separated numbers of users");
    command->add_option("--rate", flags->rate, "sessions a second that arrive by themselves, instead of --users")->check(above_zero());
    command->add_option("--slo", flags->slo, "target, such as \"p95 workflow < 120s\" or \"p95 llm < 2s\"");
    command
        ->add_option("--think_time,--think-time", flags->think_time,
                     "seconds a user waits between two sessions; as measured when not given")
        ->check(at_least_zero());
    command->add_option("--replicas", flags->replicas,
                        "what if every model had this many replicas; several, separated by commas, stand side by side");
    command->add_option(
        "--law", flags->laws,
        "MODEL=PROFILE: what if the model ran on another machine, as `sim serve --profile` knows it by name or file; may be "
        "repeated");
    command
        ->add_option("--step_scale,--step-scale", flags->request.step_scale,
                     "what if a batch step took so many times as long (0.5: twice as fast)")
        ->check(above_zero());
    command
        ->add_option("--cache_hit_rate,--cache-hit-rate", flags->request.cache_hit_rate, "what if this share of every prompt were cached")
        ->check(CLI::Range(0.0, 0.999));
    command->add_option("--without", flags->without, "what if the step of this name did nothing; may be repeated");
    command->add_option("--at_most,--at-most", flags->at_most,
                        "NAME=K: what if a session had at most K steps of this name, such as reflect=1; may be repeated");
    command->add_flag("--hold_out,--hold-out,!--no_hold_out,!--no-hold-out", flags->request.hold_out,
                      "predict the highest concurrency from the others first (on as a rule)");
    command->add_option("--draws", flags->request.draws, "bootstrap draws behind each interval")
        ->capture_default_str()
        ->check(CLI::Range(1, 10'000));
    command->add_option("--seed", flags->request.seed, "of all randomness")->capture_default_str();
    command->add_option("-o,--output_dir,--output-dir", flags->output_dir,
                        "folder for forecast.json, the pictures as PNG and SVG, and report.html");
    command->add_option("--report", flags->report, "page with the pictures to write, such as forecast.html");
    command->add_flag("--json", flags->json, "one JSON object instead of the table");
    command->callback([&run, flags] { run = [flags] { return run_command(*flags); }; });
}

}  // namespace plimsoll::cli
