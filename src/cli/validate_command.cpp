#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/eval_run.h"
#include "cli/flags.h"

namespace plimsoll::cli {
namespace {

int validate(const ConfigFlags& flags) {
    const auto config = load_config(flags);
    if (!config) return 1;
    // What only `eval` itself knows to be wrong.
    if (config->eval_general.contains("dataset"))
        if (const auto setup = prepare_eval(*config, {}); !setup) {
            log_error("{}: {}", flags.file, setup.error().message);
            return 1;
        }
    std::printf("%s is valid: %zu llms, %zu embedders, %zu functions, workflow %s\n", flags.file.c_str(), config->llms.size(),
                config->embedders.size(), config->functions.size(), config->workflow.type.empty() ? "none" : config->workflow.type.c_str());
    return 0;
}

}  // namespace

void add_validate_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("validate", "checks a config file and prints every problem with its place");
    const auto flags = std::make_shared<ConfigFlags>();
    add_config_flags(*command, *flags, true);
    command->callback([&run, flags] { run = [flags] { return validate(*flags); }; });
}

}  // namespace plimsoll::cli
