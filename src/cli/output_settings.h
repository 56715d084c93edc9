// What `eval.general` of a checked config says about the folder of a run and what goes into it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/custom_scripts.h"
#include "cli/run_folder.h"
#include "config/config.h"
#include "eval/output_files.h"

namespace plimsoll::cli {

struct OutputSettings {
    std::filesystem::path folder;  // with `job_management.append_job_id_to_output_dir` a new one each time
    bool cleanup = true;           // the files of an earlier run go
    eval::StepFilter step_filter;
    bool write_atif = false;
    std::vector<CustomScript> scripts;
    std::optional<JobRetention> jobs;  // of the folders beside `folder`
};

// Errors: config.
Result<OutputSettings> read_output_settings(const config::Config& config);

// A member of eval.general that is set; nullptr otherwise.
const json::value* find_general(const config::Config& config, std::string_view key);

}  // namespace plimsoll::cli
