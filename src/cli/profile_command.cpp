#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/files.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stats.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/profile_files.h"
#include "cli/profile_view.h"
#include "eval/dynamo_fetch.h"
#include "record/run_folder.h"
#include "record/trace_file.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;
using report::format_duration;

// Of the calls, with --all: NAT's default of half of them shows no agent with more than two kinds of prompts.
constexpr double kLeastPrefixShare = 0.1;
constexpr std::size_t kSlowestSteps = 10;  // rows of the table that is printed; report.html has all

struct ProfileFlags {
    std::vector<std::string> inputs;
    ConfigFlags config;
    std::string output_dir;
    std::string prices;
    std::optional<std::size_t> session;
    bool all = false;
    bool nat_compat = false;
};

// What costs little and means something for any trace.
profile::ProfilerConfig default_analyses() {
    profile::ProfilerConfig config;
    config.base_metrics = config.workflow_runtime_forecast = true;
    config.token_uniqueness_forecast = true;
    config.compute_llm_metrics = true;
    config.bottleneck_analysis.enable_nested_stack = true;
    config.concurrency_spike_analysis = {.enable = true, .spike_threshold = {}};  // at NAT's 1 every call is one
    return config;
}

profile::ProfilerConfig all_analyses() {
    profile::ProfilerConfig config = default_analyses();
    config.token_usage_forecast = true;
    config.prompt_caching_prefixes = {.enable = true, .min_frequency = kLeastPrefixShare};
    config.bottleneck_analysis.enable_simple_stack = true;
    config.prefix_span_analysis.enable = true;
    config.prediction_trie.enable = true;
    return config;
}

// Of the file the profiler's section alone: whatever its workflow is made of need not be known here.
Result<profile::ProfilerConfig> configured_analyses(const ConfigFlags& flags) {
    const auto config = load_config(flags, {.check_components = false});
    if (!config) return fail(config.error());
    const auto* settings = config->eval_general.if_contains("profiler");
    if (!settings || settings->is_null()) {
        log_warning("{} has no eval.general.profiler: the default analyses run", flags.file);
        return default_analyses();
    }
    auto parsed = profile::parse_profiler_config(*settings);
    if (!parsed) return fail(parsed.error().with_context(flags.file));
    return parsed;
}

// One input may be many runs or files.
struct Input {
    std::string name;
    std::vector<fs::path> runs;
};

Result<std::vector<Input>> find_inputs(const ProfileFlags& flags) {
    std::vector<Input> inputs;
    for (const std::string& name : flags.inputs) {
        auto runs = record::find_runs(name);
        if (!runs) return fail(runs.error());
        inputs.push_back({name, std::move(*runs)});
    }
    return inputs;
}

// The config that says which analyses run: the one that was given, else that of the first input which is a run with one. Empty: neither.
ConfigFlags choose_config(const ProfileFlags& flags, const std::vector<Input>& inputs) {
    ConfigFlags chosen = flags.config;
    if (!chosen.file.empty() || flags.all) return chosen;
    for (const Input& input : inputs)
        for (const fs::path& run : input.runs) {
            const fs::path file = fs::is_directory(run) ? run / record::kRunFileNames[0] : run;
            if (const auto config = run == record::kStandardInput ? std::nullopt : record::find_run_config(file)) {
                chosen.file = *config;
                return chosen;
            }
        }
    return chosen;
}

Result<profile::ProfilerConfig> choose_analyses(const ProfileFlags& flags, const ConfigFlags& chosen) {
    auto config = Result<profile::ProfilerConfig>(flags.all ? all_analyses() : default_analyses());
    if (!chosen.file.empty()) config = configured_analyses(chosen);
    if (config) config->nat_compat = flags.nat_compat;
    return config;
}

fs::path traces_path(const fs::path& folder) { return folder / "all_requests_profiler_traces.json"; }

// What was read of a damaged file must not take its place, nor the few steps of a run's answers that of all its steps.
bool would_lose_steps(const fs::path& input, const fs::path& folder) {
    std::error_code absent;
    if (fs::equivalent(input, traces_path(folder), absent)) return true;
    return input.filename().string().starts_with("workflow_output.json") && fs::exists(traces_path(folder)) &&
           fs::equivalent(input.parent_path().empty() ? fs::path(".") : input.parent_path(), folder, absent);
}

Result<void> check_output(const fs::path& input, const ProfileFlags& flags) {
    if (!would_lose_steps(input, flags.output_dir)) return {};
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} would be overwritten: choose another --output_dir", traces_path(flags.output_dir).string()));
}

// Of many runs, one without a session costs only itself.
Result<void> read_input(const Input& input, record::TraceReader& reader, event::SkipReport& left_out) {
    bool any = false;
    for (const fs::path& run : input.runs) {
        const auto done = reader.read(run);
        if (!done && (input.runs.size() == 1 || done.error().code != ErrorCode::parse)) return fail(done.error());
        any = any || done;
        if (!done) left_out.add("file left out", run.string() + ": no session in it");
    }
    if (!any) return fail(ErrorCode::parse, fmt::format("{}: no session in any of its {} files", input.name, input.runs.size()));
    return {};
}

// The inputs as one set of sessions, read anew each time they are wanted.
class InputReader {
  public:
    InputReader(const ProfileFlags& flags, std::vector<Input> inputs) : flags_(flags), inputs_(std::move(inputs)) {}

    using OnSession = std::function<void(const event::SessionTrace&)>;
    Result<event::SkipReport> read(const OnSession& on_session) {
        std::size_t runs = 0;
        for (const Input& input : inputs_) runs += input.runs.size();
        record::TraceReader reader(on_session, runs > 1);
        event::SkipReport left_out;
        for (const Input& input : inputs_) PLIMSOLL_TRY(read_input(input, reader, left_out));
        for (const record::TraceSource& source : reader.sources()) PLIMSOLL_TRY(check_output(source.file, flags_));
        reader.finish();
        sources_ = reader.sources();
        skipped_ = reader.skipped();
        skipped_.add(left_out, "");
        return skipped_;
    }

    // The same where some can be read only once: the sessions stay in memory for the second time.
    Result<event::SkipReport> read_kept(const OnSession& on_session) {
        if (kept_) {
            for (const event::SessionTrace& session : *kept_) on_session(session);
            return skipped_;
        }
        kept_.emplace();
        return read([&](const event::SessionTrace& session) {
            on_session(session);
            kept_->push_back(session);
        });
    }

    bool can_be_read_again() const {
        return std::ranges::all_of(inputs_, [](const Input& input) {
            return std::ranges::all_of(input.runs, [](const fs::path& run) { return fs::is_directory(run) || fs::is_regular_file(run); });
        });
    }

    const std::vector<record::TraceSource>& sources() const { return sources_; }
    const event::SkipReport& skipped() const { return skipped_; }

  private:
    const ProfileFlags& flags_;
    std::vector<Input> inputs_;
    std::optional<std::vector<event::SessionTrace>> kept_;
    std::vector<record::TraceSource> sources_;
    event::SkipReport skipped_;
};

std::string render_inputs(const std::vector<record::TraceSource>& sources, const ConfigFlags& config) {
    std::string out;
    for (const record::TraceSource& source : sources)
        out += fmt::format("{}: {}, {} session{}\n", source.file.string(), to_string(source.kind), source.sessions,
                           source.sessions == 1 ? "" : "s");
    if (!config.file.empty()) out += fmt::format("Analyses as in {}\n", config.file);
    return out;
}

std::string render_steps(const std::vector<profile::StepLatency>& steps) {
    if (steps.empty()) return "";
    std::string out =
        fmt::format("\n{:<40} {:>7} {:>7} {:>10} {:>10} {:>14}\n", "Slowest steps", "Calls", "Failed", "Median", "p95", "Share of time");
    for (std::size_t i = 0; i < std::min(steps.size(), kSlowestSteps); ++i) {
        const profile::StepLatency& step = steps[i];
        const bool any = step.n > 0;  // latencies are of the calls that succeeded
        out += fmt::format("{:<40.40} {:>7} {:>7} {:>10} {:>10} {:>14}\n", fmt::format("{} {}", event::to_string(step.category), step.name),
                           step.n + step.errors + step.unfinished, step.errors, any ? format_duration(step.p50) : "-",
                           any ? format_duration(step.p95) : "-", format_percent(step.self_time_share));
    }
    if (steps.size() > kSlowestSteps) out += fmt::format("and {} more\n", steps.size() - kSlowestSteps);
    return out;
}

std::string render_skipped(const event::SkipReport& skipped, const profile::ProfileResult& profile) {
    std::string out;
    for (const auto& [reason, entry] : skipped.reasons())
        out += fmt::format("  {} x {} ({}{})\n", entry.count, reason, fmt::join(entry.places, "; "),
                           entry.count > entry.places.size() ? "; …" : "");
    if (profile.orphan_steps > 0) out += fmt::format("  {} x step without its START\n", profile.orphan_steps);
    return out.empty() ? "" : "\nSkipped or incomplete:\n" + out;
}

std::string render_summary(const event::SkipReport& skipped, const profile::ProfileResult& profile) {
    std::size_t calls = 0;
    for (const auto& step : profile.step_latencies) calls += step.n + step.errors + step.unfinished;
    std::string out = fmt::format("=== PROFILE SUMMARY ===\nSessions: {} ({} steps, {} calls)\n", profile.sessions, profile.steps, calls);
    if (profile.session_runtime.n > 0)
        out += fmt::format("Workflow Runtime: median {}, p95 {}\n", format_duration(profile.session_runtime.p50),
                           format_duration(profile.session_runtime.p95));
    if (profile.llm_latency_ci.n > 0)
        out += fmt::format("LLM Latency (p95): {}, {} calls\n", format_duration(profile.llm_latency_ci.percentiles.p95),
                           profile.llm_latency_ci.n);
    return out + render_steps(profile.step_latencies) + render_skipped(skipped, profile);
}

// A folder that was made for nothing goes again.
Result<SavedProfile> save_profile_of(const profile::SessionSource& source, const profile::ProfileOptions& options,
                                     const profile::ProfilerConfig& config, const fs::path& folder) {
    const bool is_new = !fs::exists(folder);
    PLIMSOLL_TRY(make_folder(folder));
    auto saved = save_profile(source, options, config, folder);
    std::error_code ignored;
    if (!saved && is_new) fs::remove(folder, ignored);
    return saved;
}

Result<void> profile_inputs(const ProfileFlags& flags) {
    auto prices = load_prices(flags.prices);
    if (!prices) return fail(prices.error());
    auto inputs = find_inputs(flags);
    if (!inputs) return fail(inputs.error());
    for (const Input& input : *inputs)
        for (const fs::path& run : input.runs) PLIMSOLL_TRY(check_output(run, flags));
    const ConfigFlags chosen = choose_config(flags, *inputs);
    const auto config = choose_analyses(flags, chosen);
    if (!config) return fail(config.error());

    InputReader reader(flags, std::move(*inputs));
    const bool keep = profile::needs_preview(*config) && !reader.can_be_read_again();
    const profile::SessionSource source = [&](const auto& on_session) {
        return keep ? reader.read_kept(on_session) : reader.read(on_session);
    };
    auto profile = save_profile_of(source, {std::move(*prices), flags.session, eval::fetch_dynamo_metrics}, *config, flags.output_dir);
    if (!profile) return fail(profile.error());
    PLIMSOLL_TRY(profile->saved);
    PLIMSOLL_TRY(check_session(flags.session, profile->result.sessions));
    const std::string summary = render_inputs(reader.sources(), chosen) + render_summary(reader.skipped(), profile->result);
    report::ReportView view{.title = "Plimsoll report", .headline = "One agent, profiled"};
    add_profiled_run(fmt::format("{}", fmt::join(flags.inputs, ", ")), std::move(profile->result), reader.skipped(), nullptr, view);
    PLIMSOLL_TRY(save_report(view, fs::path(flags.output_dir) / "report.html"));
    std::fputs(summary.c_str(), stdout);
    std::printf("\nWritten to %s\n", fs::absolute(flags.output_dir).c_str());
    return {};
}

int run_command(const ProfileFlags& flags) {
    return_large_blocks();
    const auto done = profile_inputs(flags);
    if (done) return 0;
    log_error("{}", done.error().message);
    return 1;
}

}  // namespace

void add_profile_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("profile", "profiles recorded sessions: run folders, NAT's traces, OTLP");
    const auto flags = std::make_shared<ProfileFlags>();
    command
        ->add_option("input", flags->inputs,
                     "run folders and trace files of any kind, also gzip or zstd; joined into one set; -: standard input")
        ->required();
    add_config_flags(*command, flags->config, false);
    command->get_option("--config_file")->description("YAML or JSON file whose profiler section says what runs; else that of the run");
    command->add_option("--output_dir,--output-dir", flags->output_dir, "folder to write")->required();
    add_report_flags(*command, flags->prices, flags->session);
    auto* all = command->add_flag("--all", flags->all, "every analysis");
    command->add_flag("--nat_compat,--nat-compat", flags->nat_compat, "NAT's numbers, its quirks included");
    all->excludes(command->get_option("--config_file"));
    command->callback([&run, flags] { run = [flags] { return run_command(*flags); }; });
}

}  // namespace plimsoll::cli
