// config_metadata.json: what was asked for on the command line. It is written before the first session, so that `--resume` can ask for
// the same again.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace plimsoll::eval {

struct EvalMetadata {
    std::string config_file;
    std::vector<config::Override> overrides;  // secrets masked
    std::optional<std::string> dataset;
    std::string result_json_path = "$";
    bool skip_workflow = false;
    bool skip_completed_entries = false;
    int reps = 1;
    std::optional<std::string> endpoint;  // a password in it masked
    int endpoint_timeout = 300;           // seconds
    bool adjust_dataset_size = false;
    int num_passes = 0;
    std::string user_id = "nat_eval_user_id";
    double timestamp = 0;  // seconds since the epoch
    // NAT has no place for these; they stand under "plimsoll".
    std::string working_folder;  // where relative paths begin
    bool nat_compat = false;
    std::vector<std::string> named_files;  // what the run writes under names that its config gives, relative to the folder

    // A path of the command line that was given in `working_folder`, for a program that runs elsewhere.
    std::filesystem::path locate(const std::string& path) const { return std::filesystem::path(working_folder) / path; }
};
json::value to_json(const EvalMetadata& metadata);

// Of a run folder, NAT's too; `timestamp` is left out. Errors: not_found, io, parse.
Result<EvalMetadata> load_metadata(const std::filesystem::path& folder);
// Errors: io, no_space.
Result<void> save_metadata(const std::filesystem::path& folder, const EvalMetadata& metadata);

}  // namespace plimsoll::eval
