// The shapes of folder that hold recorded runs, for commands that take "a run folder":
//
//   RUN/                                events.jsonl, all_requests_profiler_traces.json or workflow_output.json, also .gz or .zst
//   CASE/out/                           the same, with the run's config beside it as CASE/config.yml
//   SIZING/online/job_*/concurrency_N…  a run each; of several jobs the newest counts. A job by itself is one too
//   FILES/                              nothing of that: any files with traces in them, such as a collector's
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plimsoll::record {

// Of a run's files that can hold its sessions the first is the most complete.
inline constexpr std::string_view kRunFileNames[] = {"events.jsonl", "all_requests_profiler_traces.json", "workflow_output.json"};

// The files of these names that are in a folder, in that order.
std::vector<std::filesystem::path> find_run_files(const std::filesystem::path& folder);

// What to give to read_trace_file() for all sessions that `input` holds: itself for a file or a run; the runs' folders of a sizing
// folder, by their numbers; the files of a folder of traces, by name. Errors: not_found for a folder without any of them; limit above
// kMaxFolderFiles.
inline constexpr std::size_t kMaxFolderFiles = 10'000;
Result<std::vector<std::filesystem::path>> find_runs(const std::filesystem::path& input);

// The config that the run in whose folder `file` stands was made with: config_effective.yml, else config_original.yml, else for a folder
// named "out" the config.yml beside it.
std::optional<std::filesystem::path> find_run_config(const std::filesystem::path& file);

}  // namespace plimsoll::record
