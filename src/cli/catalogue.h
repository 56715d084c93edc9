// Everything a config may name, put together from the modules that know it.
#pragma once

#include <vector>

#include "base/schema.h"
#include "config/config.h"
#include "functions/function.h"

namespace plimsoll::cli {

functions::FunctionTypes all_function_types();
Catalogue full_catalogue();

// Flags that several commands share.
struct ConfigFlags {
    std::string file;
    std::vector<std::string> overrides;  // PATH VALUE PATH VALUE …
    bool strict = false;

    std::vector<config::Override> override_list() const;
};

// Loads and checks; prints every problem on standard error. Errors: config when one of them is an error.
Result<config::Config> load_config(const ConfigFlags& flags, config::LoadOptions options = {});

}  // namespace plimsoll::cli
