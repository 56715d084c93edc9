#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <memory>
#include <set>

#include "base/files.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/eval_run.h"
#include "cli/flags.h"
#include "cli/sizing_job.h"
#include "cli/workflow_host.h"
#include "eval/remote.h"
#include "forecast/sizing_table.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

struct SizingFlags {
    ConfigFlags config;
    TargetFlags targets;
    std::string output_dir;
    std::string concurrencies = "1,2,3,4,5,6,7,8,9,10";
    int num_passes = 0;
    bool offline = false;
    bool append = false;
    std::string endpoint;
    int endpoint_timeout = 300;  // seconds
    bool allow_failures = false;
};

// Where a config is looked for when none is named.
constexpr const char* kDefaultConfigs[] = {"plimsoll.yml", "configs/eval_config.yml"};

Result<std::vector<int>> parse_concurrencies(const std::string& text) {
    std::vector<int> out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string part = text.substr(at, comma - at);
        int value = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
        if (error != std::errc() || end != part.data() + part.size() || value <= 0)
            return fail(ErrorCode::invalid_argument, fmt::format("--concurrencies: \"{}\" is no whole number above 0", part));
        out.push_back(value);
        at = comma + 1;
    }
    if (out.size() < 2) return fail(ErrorCode::invalid_argument, "--concurrencies: a line needs at least two");
    if (std::set(out.begin(), out.end()).size() < out.size())
        return fail(ErrorCode::invalid_argument, "--concurrencies: one stands there twice");
    return out;
}

// What NAT refuses, refused the same way but with exit code 2.
Result<void> check_flags(const SizingFlags& flags) {
    if (!flags.offline) return {};
    const auto& [targets, gpus, nat_compat] = flags.targets;
    if (flags.output_dir.empty()) return fail(ErrorCode::invalid_argument, "--offline_mode needs --calc_output_dir");
    if (targets.llm_latency <= 0 && targets.workflow_runtime <= 0)
        return fail(ErrorCode::invalid_argument, "--offline_mode needs --target_llm_latency or --target_workflow_runtime");
    if (targets.users <= 0 || gpus <= 0)
        return fail(ErrorCode::invalid_argument, "--offline_mode needs --target_users and --test_gpu_count");
    return {};
}

fs::path make_job(const SizingFlags& flags, const std::string& mode) {
    const fs::path dir = flags.output_dir.empty() ? fs::path(".plimsoll/sizing") : fs::path(flags.output_dir);
    return dir / mode / fmt::format("job_{}", static_cast<std::int64_t>(system_clock()()));
}

void print_answer(const forecast::SizingResult& result) {
    std::fputs(forecast::sizing_table(result).c_str(), stdout);
    const std::string notes = forecast::sizing_notes(result);
    if (!notes.empty()) std::printf("\n%s", notes.c_str());
}

forecast::LegResult make_leg(int concurrency, const EvalOutcome& outcome) {
    forecast::LegResult leg;
    leg.concurrency = concurrency;
    leg.llm_latency_p95 = outcome.profile.llm_latency_ci.percentiles.p95;
    if (outcome.profile.workflow_runtime) leg.workflow_runtime_p95 = outcome.profile.workflow_runtime->p95;
    leg.total_runtime = outcome.summary.total_runtime_s;
    leg.interrupted = outcome.run.interrupted;
    leg.sessions = static_cast<int>(outcome.run.items.size());
    leg.failed = static_cast<int>(outcome.run.failed());
    for (const eval::ItemResult& item : outcome.run.items)
        if (!item.error) leg.items[to_text(item.item.id)] = {item.usage.llm_latency, item.usage.runtime};
    return leg;
}

Result<EvalOutcome> run_leg(const SizingFlags& flags, const config::Config& config, WorkflowHost& host, const fs::path& folder,
                            int concurrency) {
    EvalRequest request;
    request.folder = folder;
    request.metadata.config_file = flags.config.file;
    request.metadata.adjust_dataset_size = true;
    request.metadata.num_passes = flags.num_passes;
    if (!flags.endpoint.empty()) request.metadata.endpoint = flags.endpoint;
    auto setup = prepare_eval(config, std::move(request));
    if (!setup) return fail(setup.error());
    setup->max_concurrency = concurrency;
    if (!setup->profiler) setup->profiler.emplace();
    setup->profiler->base_metrics = true;
    auto dataset = eval::load_dataset(setup->dataset, setup->dataset_file,
                                      {.adjust = eval::SizeAdjustment{.concurrency = concurrency, .num_passes = flags.num_passes}});
    if (!dataset) return fail(dataset.error());
    PLIMSOLL_TRY(prepare_folder(*setup));
    const auto runner =
        flags.endpoint.empty()
            ? host.local_runner()
            : eval::make_remote_runner({.endpoint = flags.endpoint, .timeout = std::chrono::seconds(flags.endpoint_timeout)});
    return run_eval(*setup, std::move(dataset->items), runner, host.pool(), host.sinks());
}

// Measures every concurrency. What was measured is saved after each, so that a failing one loses nothing.
Result<bool> measure(const SizingFlags& flags, const std::vector<int>& concurrencies) {
    const auto config = load_config(flags.config);
    if (!config) return fail(config.error());
    const fs::path job = make_job(flags, "online");
    auto host = WorkflowHost::make(*config, default_io_threads(), job / "logs", flags.endpoint.empty());
    if (!host) return fail(host.error());
    std::vector<forecast::LegResult> legs;
    bool all_ok = true;
    for (const int concurrency : concurrencies) {
        std::printf("concurrency %d\n", concurrency);
        const auto outcome = run_leg(flags, *config, **host, job / fmt::format("concurrency_{}", concurrency), concurrency);
        if (!outcome) {
            log_error("concurrency {}: {}", concurrency, outcome.error().message);
            all_ok = false;
            continue;
        }
        all_ok = all_ok && outcome->ok();
        legs.push_back(make_leg(concurrency, *outcome));
        PLIMSOLL_TRY(save_sizing(job, compute(flags.targets, legs)));
        if (outcome->run.interrupted) break;
    }
    if (legs.empty()) return fail(ErrorCode::internal, "no concurrency could be measured");
    print_answer(compute(flags.targets, legs));
    std::printf("\n%s\n", job.c_str());
    return all_ok;
}

Result<bool> recompute(const SizingFlags& flags) {
    auto online = load_online_legs(flags.output_dir, flags.append);
    if (!online) return fail(online.error());
    const forecast::SizingResult result = compute(flags.targets, std::move(online->legs));
    PLIMSOLL_TRY(save_sizing(make_job(flags, "offline"), result));
    print_answer(result);
    return true;
}

int run_command(SizingFlags flags) {
    constexpr int kUsage = 2;
    const auto concurrencies = parse_concurrencies(flags.concurrencies);
    const auto checked = concurrencies ? check_flags(flags) : fail(concurrencies.error());
    if (!checked) {
        log_error("{}", checked.error().message);
        return kUsage;
    }
    if (flags.config.file.empty() && !flags.offline) {
        for (const char* name : kDefaultConfigs)
            if (flags.config.file.empty() && fs::exists(name)) flags.config.file = name;
        if (flags.config.file.empty()) {
            log_error("no --config_file given, and there is no {}", fmt::join(kDefaultConfigs, " or "));
            return kUsage;
        }
        std::printf("using %s\n", flags.config.file.c_str());
    }
    const auto done = flags.offline ? recompute(flags) : measure(flags, *concurrencies);
    if (!done) {
        log_error("{}", done.error().message);
        return 1;
    }
    return *done || flags.allow_failures ? 0 : 1;
}

}  // namespace

void add_sizing_command(CLI::App& app, Run& run) {
    auto* sizing = app.add_subcommand("sizing", "how many users, how many GPUs");
    sizing->require_subcommand(1);
    auto* command = sizing->add_subcommand("calc", "measures the workflow at several concurrencies and sizes it for the target users");
    const auto flags = std::make_shared<SizingFlags>();
    add_config_flags(*command, flags->config, false);
    add_target_flags(*command, flags->targets);
    command->add_option("--calc_output_dir,--calc-output-dir", flags->output_dir,
                        "where measurements and answers go; .plimsoll/sizing when not given");
    command->add_option("--concurrencies", flags->concurrencies, "comma-separated sessions at once, measured in this order")
        ->capture_default_str();
    command
        ->add_option("--num_passes,--num-passes", flags->num_passes,
                     "sessions at each concurrency as a multiple of it; 0 = what the dataset fills")
        ->check(CLI::NonNegativeNumber);
    auto* offline = command->add_flag("--offline_mode,--offline-mode", flags->offline, "answer again from what was measured");
    command->add_flag("--append_calc_outputs,--append-calc-outputs", flags->append,
                      "offline: join all earlier measurements, not only the newest run's");
    command->add_option("--endpoint", flags->endpoint, "base URL of a NAT or Plimsoll server that runs the workflow")->excludes(offline);
    command->add_option("--endpoint_timeout,--endpoint-timeout", flags->endpoint_timeout, "seconds a request")->capture_default_str();
    command->add_flag("--allow_failures,--allow-failures", flags->allow_failures, "exit with 0 when sessions failed");
    command->callback([&run, flags] { run = [flags] { return run_command(*flags); }; });
    add_forecast_command(*sizing, run);
}

}  // namespace plimsoll::cli
