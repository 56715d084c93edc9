#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include "base/files.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/endpoint_check.h"
#include "cli/eval_run.h"
#include "cli/flags.h"
#include "cli/profile_view.h"
#include "cli/workflow_host.h"
#include "eval/json_path.h"
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
    std::set<std::string> given;  // flags that the command line has
    std::string prices;
    std::optional<std::size_t> session;
};

CLI::Validator json_path() {
    return {[](const std::string& text) {
                const auto path = eval::JsonPath::parse(text);
                return path ? std::string() : path.error().message;
            },
            "JSONPATH"};
}

// Text that was masked when it was written down.
bool is_masked(const std::string& text) { return text.contains(kRedacted); }

// Secrets are not written down, so what held one has to be said again.
Result<void> check_recalled(const EvalFlags& flags) {
    std::map<std::string, std::string> last;
    for (const config::Override& override : flags.config.override_list()) last[override.path] = override.value;
    for (const auto& [path, value] : last)
        if (is_masked(value))
            return fail(ErrorCode::invalid_argument,
                        fmt::format("the run had --override {} with a secret, which was not kept: give it again", path));
    if (is_masked(flags.endpoint))
        return fail(ErrorCode::invalid_argument, "the run's --endpoint held a password, which was not kept: give it again");
    return {};
}

// --resume: what the command line leaves open is as the run was begun with. Errors: not_found, invalid_argument.
Result<void> recall(EvalFlags& flags) {
    if (!std::filesystem::is_directory(flags.resume))
        return fail(ErrorCode::not_found, fmt::format("--resume: there is no folder {}", flags.resume));
    const auto earlier = eval::load_metadata(flags.resume);
    if (!earlier) {
        if (!flags.config.file.empty()) return {};  // it was killed before it wrote anything, or somebody made the folder for it
        return fail(earlier.error().with_context("--resume without --config_file"));
    }
    if (earlier->skip_workflow)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} was made with --skip_workflow: it has no sessions to resume", flags.resume));
    const auto is_open = [&](const char* flag) { return !flags.given.contains(flag); };
    if (is_open("config_file")) flags.config.file = earlier->locate(earlier->config_file);
    if (is_open("dataset") && earlier->dataset) flags.dataset = earlier->locate(*earlier->dataset);
    if (is_open("endpoint")) flags.endpoint = earlier->endpoint.value_or("");
    if (is_open("endpoint_timeout")) flags.metadata.endpoint_timeout = earlier->endpoint_timeout;
    if (is_open("result_json_path")) flags.metadata.result_json_path = earlier->result_json_path;
    if (is_open("reps")) flags.metadata.reps = earlier->reps;
    if (is_open("skip_completed_entries")) flags.metadata.skip_completed_entries = earlier->skip_completed_entries;
    if (is_open("nat_compat")) flags.nat_compat = earlier->nat_compat;
    std::vector<std::string> overrides;
    for (const config::Override& override : earlier->overrides) overrides.insert(overrides.end(), {override.path, override.value});
    flags.config.overrides.insert(flags.config.overrides.begin(), overrides.begin(), overrides.end());  // the later ones win
    std::error_code error;
    if (!std::filesystem::equivalent(earlier->working_folder, std::filesystem::current_path(error), error))
        log_warning("the run was begun in {}; relative paths in its config are looked for from here", earlier->working_folder);
    return check_recalled(flags);
}

EvalRequest make_request(const EvalFlags& flags) {
    EvalRequest request;
    request.dataset_file = flags.dataset;
    request.nat_compat = flags.nat_compat;
    request.session = flags.session;
    request.metadata = flags.metadata;
    request.metadata.config_file = flags.config.file;
    request.metadata.overrides = flags.config.override_list();
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
        PLIMSOLL_TRY(prepare_folder(*setup));
        return score_dataset(*setup, std::move(dataset->items));
    }
    // What is wrong with the workflow shows before anything of an earlier run is removed.
    auto host = WorkflowHost::make(config, default_io_threads(), setup->folder / "logs", flags.endpoint.empty());
    if (!host) return fail(host.error());
    const auto* validates = find_general(config, "validate_llm_endpoints");
    if (validates && validates->get_bool() && flags.endpoint.empty()) PLIMSOLL_TRY(check_llm_endpoints((*host)->builder()));
    if (!flags.endpoint.empty()) PLIMSOLL_TRY(eval::find_endpoint((*host)->pool(), flags.endpoint));
    PLIMSOLL_TRY(prepare_folder(*setup));
    auto runner =
        flags.endpoint.empty()
            ? (*host)->local_runner()
            : eval::make_remote_runner({.endpoint = flags.endpoint, .timeout = std::chrono::seconds(flags.metadata.endpoint_timeout)});
    auto path = eval::JsonPath::parse(flags.metadata.result_json_path);
    if (!path) return fail(path.error());
    runner = eval::with_result_path(std::move(runner), std::move(*path));
    return run_eval(*setup, std::move(dataset->items), runner, (*host)->pool(), (*host)->sinks());
}

int run_command(EvalFlags flags) {
    if (const auto recalled = flags.resume.empty() ? Result<void>() : recall(flags); !recalled) {
        log_error("{}", recalled.error().message);
        return recalled.error().code == ErrorCode::invalid_argument ? kUsageError : 1;
    }
    const auto config = load_config(flags.config);
    const auto outcome = config ? evaluate(flags, *config) : fail(config.error());
    if (!outcome) {
        log_error("{}", outcome.error().message);
        // More was asked for than a run may have.
        return outcome.error().code == ErrorCode::limit ? kUsageError : 1;
    }
    std::fputs(eval::render_summary(outcome->summary).c_str(), stdout);
    if (outcome->run.interrupted || outcome->run.log_error) return 1;
    return outcome->ok() || flags.allow_failures ? 0 : 1;
}

}  // namespace

void add_eval_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("eval", "runs a workflow over a dataset, records, scores and profiles it");
    const auto flags = std::make_shared<EvalFlags>();
    eval::EvalMetadata& metadata = flags->metadata;
    add_config_flags(*command, flags->config, false);
    command->add_option("--dataset", flags->dataset, "file instead of the config's dataset");
    command
        ->add_option("--result_json_path,--result-json-path", metadata.result_json_path,
                     "JSONPath to the answer in the workflow's result, such as $.answer or $..text")
        ->capture_default_str()
        ->check(json_path());
    auto* reps = command->add_option("--reps", metadata.reps, "the whole dataset that often")->check(above_zero());
    auto* endpoint = add_endpoint_flags(*command, flags->endpoint, metadata.endpoint_timeout);
    auto* skip_workflow =
        command->add_flag("--skip_workflow,--skip-workflow", metadata.skip_workflow, "score the answers that the dataset has");
    auto* skip_completed = command->add_flag("--skip_completed_entries,--skip-completed-entries", metadata.skip_completed_entries,
                                             "run only rows without an answer");
    command->add_option("--user_id,--user-id", metadata.user_id, "recorded with the run");
    auto* resume = command->add_option("--resume", flags->resume,
                                       "folder of a run that was cut off: runs only what is missing, with the flags it was begun with");
    command->add_flag("--allow_failures,--allow-failures", flags->allow_failures,
                      "exit with 0 when sessions failed, or no model call worked");
    command->add_flag("--nat_compat,--nat-compat", flags->nat_compat, "the profiler gives NAT's numbers, its quirks included");
    add_report_flags(*command, flags->prices, flags->session);
    skip_workflow->excludes(endpoint)->excludes(reps)->excludes(resume);
    skip_completed->excludes(reps);
    command->callback([&run, flags, command] {
        if (flags->config.file.empty() && flags->resume.empty()) throw CLI::RequiredError("--config_file");
        for (const CLI::Option* option : command->get_options())
            if (option->count() > 0) flags->given.insert(option->get_single_name());
        run = [flags] { return run_command(*flags); };
    });
}

}  // namespace plimsoll::cli
