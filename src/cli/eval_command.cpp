#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/files.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/eval_run.h"
#include "cli/flags.h"
#include "cli/profile_view.h"
#include "cli/workflow_host.h"
#include "eval/remote.h"

namespace plimsoll::cli {
namespace {

struct EvalFlags {
    ConfigFlags config;
    std::string dataset;
    std::string endpoint;
    std::string resume;  // folder
    eval::EvalMetadata metadata;
    bool allow_failures = false;
    bool nat_compat = false;
    std::string prices;
    std::optional<std::size_t> session;
};

EvalRequest make_request(const EvalFlags& flags) {
    EvalRequest request;
    request.dataset_file = flags.dataset;
    request.nat_compat = flags.nat_compat;
    request.session = flags.session;
    request.metadata = flags.metadata;
    request.metadata.config_file = flags.config.file;
    for (std::size_t i = 0; i + 1 < flags.config.overrides.size(); i += 2)
        request.metadata.overrides.push_back({flags.config.overrides[i], flags.config.overrides[i + 1]});
    if (!flags.dataset.empty()) request.metadata.dataset = flags.dataset;
    if (!flags.endpoint.empty()) request.metadata.endpoint = flags.endpoint;
    if (!flags.resume.empty()) {
        request.folder = flags.resume;
        request.resume = true;
    }
    return request;
}

Result<EvalOutcome> evaluate(const EvalFlags& flags, const config::Config& config) {
    EvalRequest request = make_request(flags);
    auto prices = load_prices(flags.prices);
    if (!prices) return fail(prices.error());
    request.prices = std::move(*prices);
    const auto setup = prepare_eval(config, std::move(request));
    if (!setup) return fail(setup.error());
    auto dataset = eval::load_dataset(setup->dataset, setup->dataset_file, {.reps = flags.metadata.reps});
    if (!dataset) return fail(dataset.error());
    for (const std::string& warning : dataset->warnings) log_warning("{}", warning);
    if (dataset->items.empty()) return fail(ErrorCode::invalid_argument, setup->dataset_file.string() + " leaves no row to run");
    PLIMSOLL_TRY(check_session(flags.session, dataset->items.size()));

    if (flags.metadata.skip_workflow) {
        PLIMSOLL_TRY(make_folder(setup->folder));
        return score_dataset(*setup, std::move(dataset->items));
    }
    // What is wrong with the workflow shows before anything of an earlier run is removed.
    auto host = WorkflowHost::make(config, default_io_threads(), setup->folder / "logs", flags.endpoint.empty());
    if (!host) return fail(host.error());
    PLIMSOLL_TRY(prepare_folder(*setup));
    const auto runner =
        flags.endpoint.empty()
            ? (*host)->local_runner()
            : eval::make_remote_runner({.endpoint = flags.endpoint, .timeout = std::chrono::seconds(flags.metadata.endpoint_timeout)});
    return run_eval(*setup, std::move(dataset->items), runner, (*host)->pool(), (*host)->sinks());
}

int run_command(const EvalFlags& flags) {
    const auto config = load_config(flags.config);
    const auto outcome = config ? evaluate(flags, *config) : fail(config.error());
    if (!outcome) {
        log_error("{}", outcome.error().message);
        return 1;
    }
    std::fputs(eval::render_summary(outcome->summary).c_str(), stdout);
    if (outcome->run.interrupted || outcome->run.log_error) return 1;
    return outcome->run.failed() == 0 || flags.allow_failures ? 0 : 1;
}

}  // namespace

void add_eval_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("eval", "runs a workflow over a dataset, records, scores and profiles it");
    const auto flags = std::make_shared<EvalFlags>();
    eval::EvalMetadata& metadata = flags->metadata;
    add_config_flags(*command, flags->config, true);
    command->add_option("--dataset", flags->dataset, "file instead of the config's dataset");
    auto* reps = command->add_option("--reps", metadata.reps, "the whole dataset that often")->check(above_zero());
    auto* endpoint = command->add_option("--endpoint", flags->endpoint, "base URL of a NAT or Plimsoll server that runs the workflow");
    command->add_option("--endpoint_timeout,--endpoint-timeout", metadata.endpoint_timeout, "seconds a request")->capture_default_str();
    auto* skip_workflow =
        command->add_flag("--skip_workflow,--skip-workflow", metadata.skip_workflow, "score the answers that the dataset has");
    auto* skip_completed = command->add_flag("--skip_completed_entries,--skip-completed-entries", metadata.skip_completed_entries,
                                             "run only rows without an answer");
    command->add_option("--user_id,--user-id", metadata.user_id, "recorded with the run");
    auto* resume = command->add_option("--resume", flags->resume, "folder of a run that was cut off: runs only what is missing");
    command->add_flag("--allow_failures,--allow-failures", flags->allow_failures, "exit with 0 when sessions failed");
    command->add_flag("--nat_compat,--nat-compat", flags->nat_compat, "the profiler gives NAT's numbers, its quirks included");
    add_report_flags(*command, flags->prices, flags->session);
    skip_workflow->excludes(endpoint)->excludes(reps)->excludes(resume);
    skip_completed->excludes(reps);
    command->callback([&run, flags] { run = [flags] { return run_command(*flags); }; });
}

}  // namespace plimsoll::cli
