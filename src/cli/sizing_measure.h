// The online half of `plimsoll sizing calc`: runs the workflow at several concurrencies, in order or as the results suggest, each run in
// a folder of its own that says when it is complete, so that an interrupted sizing can go on.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/flags.h"
#include "forecast/leg_plan.h"
#include "forecast/leg_runs.h"
#include "load/sampler.h"

namespace plimsoll::cli {

struct MeasureFlags {
    ConfigFlags config;
    std::vector<int> concurrencies;  // with `adaptive` the smallest and largest are its bounds
    int reps = 1;
    int num_passes = 0;
    int min_sessions = 0;  // of every run: passes are added where it takes them
    bool adaptive = false;
    forecast::RunOrder order = forecast::RunOrder::given;
    std::uint64_t seed = 1;    // of a random order
    bool resume = false;       // runs that are complete in the job's folder are not measured again
    bool redo_failed = false;  // but those with a failed session are
    std::string endpoint;
    int endpoint_timeout = 300;          // seconds
    bool sample = true;                  // look at the machine during each run
    load::SamplerOptions sampling;       // how
    std::vector<forecast::SloRule> slo;  // what `adaptive` looks for
};

struct Measured {
    std::vector<forecast::LegResult> legs;  // by concurrency
    bool all_ok = true;                     // no session failed, no run was lost or interrupted
};

// `on_leg` gets everything measured so far after each run; its error ends the measuring. A run that cannot be made is logged and passed
// over. Errors: config, not_found and those of the workflow's making; config when `resume` finds runs of another config; internal when
// nothing could be measured.
Result<Measured> measure_legs(const MeasureFlags& flags, const std::filesystem::path& job,
                              const std::function<Result<void>(const std::vector<forecast::LegResult>&)>& on_leg);

}  // namespace plimsoll::cli
