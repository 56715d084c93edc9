// One eval from dataset to files: what `plimsoll eval` does once and `plimsoll sizing calc` once a concurrency.
//
//   auto setup = prepare_eval(config, flags);                  // dataset, folders, profiler settings: all that can be wrong early
//   auto outcome = run_eval(*setup, runner, pool, sinks);      // sessions, raw files, evaluators, analyses
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/output_settings.h"
#include "config/config.h"
#include "eval/dataset.h"
#include "eval/evaluators.h"
#include "eval/output_files.h"
#include "eval/progress.h"
#include "eval/runner.h"
#include "profile/profiler.h"

namespace plimsoll::cli {

struct EvalSetup {
    const config::Config* config = nullptr;
    eval::DatasetConfig dataset;
    std::filesystem::path dataset_file;
    std::filesystem::path folder;
    OutputSettings output;  // its folder replaced by `folder`
    int max_concurrency = 8;
    std::string workflow_alias;                       // name of the workflow for exporters; empty: its type
    bool per_input_user_id = true;                    // every session is a user of its own
    std::optional<profile::ProfilerConfig> profiler;  // nothing: profiling is off
    eval::EvalMetadata metadata;
    bool resume = false;
    profile::PriceTable prices;          // empty: no costs
    std::optional<std::size_t> session;  // shown by itself in report.html
};

struct EvalRequest {
    std::string dataset_file;                     // replaces the config's
    std::optional<std::filesystem::path> folder;  // replaces the config's output_dir
    eval::EvalMetadata metadata;
    std::vector<std::string> more_files;  // what else the caller writes into the folder
    bool resume = false;
    bool nat_compat = false;  // the profiler gives NAT's numbers
    profile::PriceTable prices;
    std::optional<std::size_t> session;
};
// Errors: config, not_found.
Result<EvalSetup> prepare_eval(const config::Config& config, EvalRequest request);

// Identifies all that changes a session's course, without secrets. Runs with the same one can be continued by each other.
std::string session_hash(const config::Config& config, const eval::EvalMetadata& metadata);

// Makes the run's folder, removes the files of an earlier run (see run_folder.h), which `eval.general.output.cleanup: false` keeps, and
// writes down what was asked for. Nothing of this happens to a run that is resumed. Errors: io, no_space; in_use while another run
// writes there.
Result<void> prepare_folder(const EvalSetup& setup);

struct Evaluation {
    std::string name;
    int better = 1;                // as in eval::EvaluatorType
    eval::EvaluatorOutput output;  // of every item of the run
};

struct EvalOutcome {
    eval::RunResult run;
    std::vector<Evaluation> evaluations;
    profile::ProfileResult profile;  // empty when profiling is off
    eval::Summary summary;
    std::optional<Error> script_error;  // of the first custom script that failed
    bool ok() const { return run.failed() == 0 && !run.interrupted && !run.log_error && !no_call_worked() && !script_error; }
    // Every model call of the run failed, whatever the sessions made of that.
    bool no_call_worked() const { return summary.answered_calls == 0 && !summary.failed_calls.empty(); }
};

// Runs the items and writes every file of the run folder, raw ones first, with report.html when profiling is on. An analysis, picture or
// evaluator that fails is a warning. SIGINT or SIGTERM lets running sessions finish and starts no more; a second one aborts them. Errors:
// those of eval::run_sessions(), and io or no_space when the raw output cannot be written.
Result<EvalOutcome> run_eval(const EvalSetup& setup, std::vector<eval::DatasetItem> items, const eval::SessionRunner& runner,
                             net::IoPool& pool, const std::vector<event::StepSink*>& sinks);

// --skip_workflow: scores and profiles what the dataset's rows already hold.
Result<EvalOutcome> score_dataset(const EvalSetup& setup, std::vector<eval::DatasetItem> items);

}  // namespace plimsoll::cli
