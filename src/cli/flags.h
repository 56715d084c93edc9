// Flags that several commands share, added in one place so that they read the same everywhere. NAT's spelling with an
// underscore and the usual one with a dash both work.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/catalogue.h"

namespace plimsoll::cli {

inline void add_config_flags(CLI::App& command, ConfigFlags& flags, bool file_required) {
    auto* file = command.add_option("--config_file,--config-file", flags.file, "YAML or JSON file in NAT's format");
    if (file_required) file->required();
    command.add_option("--override", flags.overrides, "PATH VALUE: replaces a.b.c in the file; may be repeated")
        ->type_size(2)
        ->expected(-1);
    command.add_flag("--strict", flags.strict, "unknown keys are errors");
}

}  // namespace plimsoll::cli
