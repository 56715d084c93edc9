// A sizing run's folder: <dir>/online/job_<epoch>/ with calc_runner_output.json, the pictures and a run folder for each run,
// concurrency_N and, from the second repetition on, concurrency_N_run_K; <dir>/offline/job_<epoch>/ for answers computed again from it.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "forecast/calc_output.h"
#include "forecast/leg_plan.h"

namespace plimsoll::cli {

struct TargetFlags {
    forecast::Targets targets;
    int gpus = 0;
    bool nat_compat = false;
    std::vector<forecast::SloRule> slo;
};
struct RunFolder {
    forecast::RunKey run;
    std::filesystem::path path;
};
std::filesystem::path run_folder(const std::filesystem::path& job, const forecast::RunKey& run);
// Those in a job's folder, by concurrency and repetition; none when it cannot be listed.
std::vector<RunFolder> list_runs(const std::filesystem::path& job);

void add_target_flags(CLI::App& command, TargetFlags& flags);

// The jobs under <dir>/online, the newest first.
std::vector<std::filesystem::path> list_jobs(const std::filesystem::path& dir);

// The measurements of the newest job under <dir>/online, or, with `join`, of all jobs, of each concurrency the newest.
// Unreadable jobs are warned about and passed over. Errors: not_found when there is none.
struct OnlineLegs {
    std::vector<forecast::LegResult> legs;
    std::optional<forecast::AskedFor> asked;  // of the newest job
    std::filesystem::path job;                // the newest one's folder
};
Result<OnlineLegs> load_online_legs(const std::filesystem::path& dir, bool join = false);

forecast::SizingResult compute(const TargetFlags& flags, std::vector<forecast::LegResult> legs);

// calc_runner_output.json. Errors: io, no_space.
Result<void> save_sizing(const std::filesystem::path& job, const forecast::SizingResult& result);

}  // namespace plimsoll::cli
