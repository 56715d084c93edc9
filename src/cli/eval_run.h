// One eval from dataset to files: what `plimsoll eval` does once and `plimsoll sizing calc` once a concurrency.
//
//   auto setup = prepare_eval(config, flags);                  // dataset, folders, profiler settings: all that can be wrong early
//   auto outcome = run_eval(*setup, runner, pool, sinks);      // sessions, raw files, evaluators, analyses
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

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
    int max_concurrency = 8;
    std::optional<profile::ProfilerConfig> profiler;  // nothing: profiling is off
    eval::StepFilter step_filter;
    eval::EvalMetadata metadata;
    bool resume = false;
    profile::PriceTable prices;          // empty: no costs
    std::optional<std::size_t> session;  // shown by itself in report.html
};

struct EvalRequest {
    std::string dataset_file;                     // replaces the config's
    std::optional<std::filesystem::path> folder;  // replaces the config's output_dir
    eval::EvalMetadata metadata;
    bool resume = false;
    bool nat_compat = false;  // the profiler gives NAT's numbers
    profile::PriceTable prices;
    std::optional<std::size_t> session;
};
// Errors: config, not_found.
Result<EvalSetup> prepare_eval(const config::Config& config, EvalRequest request);

// Makes the run's folder: of an earlier run in it nothing stays, unless it is to be resumed. Folders that hold anything but a run are not
// cleaned. Errors: io, no_space.
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
    bool ok() const { return run.failed() == 0 && !run.interrupted && !run.log_error; }
};

// Runs the items and writes every file of the run folder, raw ones first, with report.html when profiling is on. An analysis, picture or
// evaluator that fails is a warning. SIGINT lets running sessions finish and starts no more; a second one aborts them. Errors: those of
// eval::run_sessions(), and io or no_space when the raw output cannot be written.
Result<EvalOutcome> run_eval(const EvalSetup& setup, std::vector<eval::DatasetItem> items, const eval::SessionRunner& runner,
                             net::IoPool& pool, const std::vector<event::StepSink*>& sinks);

// --skip_workflow: scores and profiles what the dataset's rows already hold.
Result<EvalOutcome> score_dataset(const EvalSetup& setup, std::vector<eval::DatasetItem> items);

}  // namespace plimsoll::cli
