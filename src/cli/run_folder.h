// The folder of an eval run: which files in it are the program's own, and what becomes of those of an earlier run. Nothing else is ever
// removed: a folder may hold the user's files too, the config and the dataset among them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace plimsoll::cli {

struct EvalFolder {
    std::filesystem::path path;
    std::vector<std::string> named_files;       // what this run writes under names that the config gives, relative to `path`
    std::vector<std::filesystem::path> inputs;  // read by this run, so they stay whatever their names
    bool makes_raw_data = true;                 // false (--skip_workflow): that of an earlier run is kept
};

// Makes the folder and removes the files of an earlier run from it: those that every run has, and those that either run's config names.
// A folder without a run's marks is left as it is. Errors: io, no_space; in_use while another run writes there.
Result<void> clear_earlier_run(const EvalFolder& folder);

// For a run that makes no raw data: an earlier run's gets the names <stem>.earlier<extension>, so that no reader takes it for this
// run's. Errors: as above.
Result<void> set_aside_raw_data(const EvalFolder& folder);

// `job_management`: how many folders of runs stand beside each other.
struct JobRetention {
    std::filesystem::path jobs;  // holds job_<id>/ folders
    std::size_t most = 1;
    bool by_creation = true;  // the oldest go first by st_ctime, as NAT has it; false: by st_mtime
};

// Removes whole job folders until a new one has room. One that a run writes to stays. Errors: io.
Result<void> evict_jobs(const JobRetention& retention);

}  // namespace plimsoll::cli
