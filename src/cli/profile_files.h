// The profiler's part of a run folder, for every command that writes one.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "profile/profiler.h"

namespace plimsoll::cli {

// Profiles and writes: the raw traces, then each artefact, then gantt_chart.png when the nested stack analysis is on. An analysis or
// picture that fails is a warning and costs only itself; `saved` has the first file that could not be written.
struct SavedProfile {
    profile::ProfileResult result;
    Result<void> saved;
};
// Errors: those of the source, and then there is no file.
Result<SavedProfile> save_profile(const profile::SessionSource& source, const profile::ProfileOptions& options,
                                  const profile::ProfilerConfig& config, const std::filesystem::path& folder);

// The Gantt chart of all sessions or of one, which must be ProfileOptions::session. Errors: io, no_space, and those of drawing.
Result<void> save_gantt(const profile::ProfileResult& result, const std::filesystem::path& file, std::optional<std::size_t> session);

}  // namespace plimsoll::cli
