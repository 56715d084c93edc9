// The profiler's part of a run folder, for every command that writes one.
#pragma once

#include <filesystem>
#include <vector>

#include "profile/profiler.h"

namespace plimsoll::cli {

// Profiles and writes: the raw traces, then each artefact, then gantt_chart.png when the nested stack analysis is on. An analysis or
// picture that fails is a warning and costs only itself; `saved` has the first file that could not be written.
struct SavedProfile {
    profile::ProfileResult result;
    Result<void> saved;
};
SavedProfile save_profile(const profile::ProfileInput& input, const profile::ProfilerConfig& config, const std::filesystem::path& folder);

}  // namespace plimsoll::cli
