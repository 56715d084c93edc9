// Models and machines that the simulated server can stand for: YAML files in profiles/, each number with its origin beside it.
// They are part of the program; a file of the user's own is read the same way.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/sim_options.h"

namespace plimsoll::llm {

struct SimProfile {
    std::string description;
    SimEngineOptions engine;  // law, limits and ingest; the rest is not a profile's business
    bool headers_at_start = false;
    double jitter = 0;
};

// Errors: config, naming the field and what is wrong with it (every field of the law and of the limits is optional, none may be unknown).
Result<SimProfile> parse_sim_profile(std::string_view yaml);
// One of sim_profile_names(), or a path to a file. Also: not_found, io.
Result<SimProfile> load_sim_profile(const std::string& name_or_path);
// Of those in the program, in alphabetical order.
std::vector<std::string_view> sim_profile_names();

}  // namespace plimsoll::llm
