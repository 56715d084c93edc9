// A sizing run's folder: <dir>/online/job_<epoch>/ with calc_runner_output.json, the plots and one run folder a concurrency;
// <dir>/offline/job_<epoch>/ for answers computed again from it.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "forecast/calc_output.h"
#include "report/sizing_plots.h"

namespace plimsoll::cli {

struct TargetFlags {
    forecast::Targets targets;
    int gpus = 0;
    bool nat_compat = false;
    std::vector<forecast::SloRule> slo;
};
void add_target_flags(CLI::App& command, TargetFlags& flags);

// Makes <parent>/job_<epoch>, or job_<epoch>_2 and so on when others began in the same second. Errors: io, no_space.
Result<std::filesystem::path> make_job_folder(const std::filesystem::path& parent, std::int64_t epoch_seconds);

// The measurements of the newest job under <dir>/online, or, with `join`, of all jobs, of each concurrency the newest.
// Unreadable jobs are warned about and passed over. Errors: not_found when there is none.
struct OnlineLegs {
    std::vector<forecast::LegResult> legs;
    std::optional<forecast::AskedFor> asked;  // of the newest job
};
Result<OnlineLegs> load_online_legs(const std::filesystem::path& dir, bool join = false);

forecast::SizingResult compute(const TargetFlags& flags, std::vector<forecast::LegResult> legs);

// p95 LLM latency and workflow runtime of the usable legs, with fits and targets.
std::vector<report::MetricView> make_metric_views(const forecast::SizingResult& result);

// calc_runner_output.json first, then the plots; a plot that cannot be drawn is a warning.
Result<void> save_sizing(const std::filesystem::path& job, const forecast::SizingResult& result);

}  // namespace plimsoll::cli
