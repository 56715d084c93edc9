// `eval.general.output.custom_scripts`: Python scripts of the user's that look at a run's folder once it is complete.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"

namespace plimsoll::cli {

struct CustomScript {
    std::string name;
    std::filesystem::path file;
    std::vector<std::pair<std::string, std::string>> arguments;  // "--key value" each
};

// A mapping of names to {script: FILE, kwargs: {KEY: VALUE}}. Errors: config.
Result<std::vector<CustomScript>> parse_custom_scripts(const json::value& value, const config::Config& config);

// Runs each as `python3 FILE --output_dir FOLDER --KEY VALUE …`, one after the other; what they print goes to standard output. A file that
// is not there is a warning. Errors: internal for the first one that fails, after which no other is run; io.
Result<void> run_custom_scripts(const std::vector<CustomScript>& scripts, const std::filesystem::path& folder);

}  // namespace plimsoll::cli
