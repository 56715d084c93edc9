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
    config.concurrency_spike_analysis.enable = true;
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

// The config that says which analyses run: the one that was given, else that of the first input which is a run with one. Empty: neither.
ConfigFlags choose_config(const ProfileFlags& flags, const std::vector<record::ReadTraces>& files) {
    ConfigFlags chosen = flags.config;
    if (!chosen.file.empty() || flags.all) return chosen;
    for (const record::ReadTraces& file : files)
        if (const auto config = file.file == record::kStandardInput ? std::nullopt : record::find_run_config(file.file)) {
            chosen.file = *config;
            break;
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

// One input may be many runs or files. Of many, one without a session costs only itself.
Result<void> read_input(const std::string& input, std::vector<record::ReadTraces>& files) {
    const auto runs = record::find_runs(input);
    if (!runs) return fail(runs.error());
    bool any = false;
    for (const fs::path& run : *runs) {
        auto traces = record::read_trace_file(run);
        if (!traces && (runs->size() == 1 || traces.error().code != ErrorCode::parse)) return fail(traces.error());
        any = any || traces;
        files.push_back(traces ? std::move(*traces) : record::ReadTraces{.file = run});
        if (!traces) files.back().skipped.add("file left out", "no session in it");
    }
    if (!any) return fail(ErrorCode::parse, fmt::format("{}: no session in any of its {} files", input, runs->size()));
    return {};
}

Result<std::vector<record::ReadTraces>> read_inputs(const ProfileFlags& flags) {
    std::vector<record::ReadTraces> files;
    for (const std::string& input : flags.inputs) PLIMSOLL_TRY(read_input(input, files));
    for (const record::ReadTraces& file : files)
        if (would_lose_steps(file.file, flags.output_dir))
            return fail(ErrorCode::invalid_argument,
                        fmt::format("{} would be overwritten: choose another --output_dir", traces_path(flags.output_dir).string()));
    return files;
}

std::string render_inputs(const std::vector<record::ReadTraces>& files, const ConfigFlags& config) {
    std::string out;
    for (const record::ReadTraces& file : files)
        if (file.kind != record::TraceKind::nothing)
            out += fmt::format("{}: {}, {} session{}\n", file.file.string(), to_string(file.kind), file.sessions.size(),
                               file.sessions.size() == 1 ? "" : "s");
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

std::string render_skipped(const profile::ProfileInput& input, const profile::ProfileResult& profile) {
    std::string out;
    for (const auto& [reason, entry] : input.skipped.reasons())
        out += fmt::format("  {} x {} ({}{})\n", entry.count, reason, fmt::join(entry.places, "; "),
                           entry.count > entry.places.size() ? "; …" : "");
    if (profile.orphan_steps > 0) out += fmt::format("  {} x step without its START\n", profile.orphan_steps);
    return out.empty() ? "" : "\nSkipped or incomplete:\n" + out;
}

std::string render_summary(const profile::ProfileInput& input, const profile::ProfileResult& profile) {
    std::vector<double> runtimes = profile::session_runtimes(input.sessions);
    std::ranges::sort(runtimes);
    std::size_t steps = 0, calls = 0;
    for (const auto& session : input.sessions) steps += session.steps.size();
    for (const auto& step : profile.step_latencies) calls += step.n + step.errors + step.unfinished;
    std::string out = fmt::format("=== PROFILE SUMMARY ===\nSessions: {} ({} steps, {} calls)\n", input.sessions.size(), steps, calls);
    if (!runtimes.empty())
        out += fmt::format("Workflow Runtime: median {}, p95 {}\n", format_duration(sorted_percentile(runtimes, 50)),
                           format_duration(sorted_percentile(runtimes, 95)));
    if (profile.llm_latency_ci.n > 0)
        out += fmt::format("LLM Latency (p95): {}, {} calls\n", format_duration(profile.llm_latency_ci.percentiles.p95),
                           profile.llm_latency_ci.n);
    return out + render_steps(profile.step_latencies) + render_skipped(input, profile);
}

Result<void> profile_inputs(const ProfileFlags& flags) {
    auto prices = load_prices(flags.prices);
    if (!prices) return fail(prices.error());
    auto files = read_inputs(flags);
    if (!files) return fail(files.error());
    const ConfigFlags chosen = choose_config(flags, *files);
    const auto config = choose_analyses(flags, chosen);
    if (!config) return fail(config.error());
    const std::string inputs = render_inputs(*files, chosen);
    record::JoinedTraces joined = record::join(std::move(*files));
    PLIMSOLL_TRY(check_session(flags.session, joined.sessions.size()));
    PLIMSOLL_TRY(make_folder(flags.output_dir));
    const profile::ProfileInput input{std::move(joined.sessions), std::move(joined.skipped), std::move(*prices), flags.session};
    SavedProfile profile = save_profile(input, *config, flags.output_dir);
    PLIMSOLL_TRY(profile.saved);
    const std::string summary = inputs + render_summary(input, profile.result);
    report::ReportView view{.title = "Plimsoll report", .headline = "One agent, profiled"};
    add_profiled_run(fmt::format("{}", fmt::join(flags.inputs, ", ")), input.sessions, std::move(profile.result), nullptr, view);
    PLIMSOLL_TRY(save_report(std::move(view), fs::path(flags.output_dir) / "report.html"));
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
    command->add_option("--prices", flags->prices, "YAML or JSON: for each model the price of a million tokens, input, output, cached");
    command->add_option("--session", flags->session, "a session to show beside the median, p95 and slowest one, from 0")
        ->check(at_least_zero());
    auto* all = command->add_flag("--all", flags->all, "every analysis");
    command->add_flag("--nat_compat,--nat-compat", flags->nat_compat, "NAT's numbers, its quirks included");
    all->excludes(command->get_option("--config_file"));
    command->callback([&run, flags] { run = [flags] { return run_command(*flags); }; });
}

}  // namespace plimsoll::cli
