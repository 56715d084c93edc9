#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "cli/catalogue.h"
#include "cli/commands.h"
#include "config/listing.h"

namespace plimsoll::cli {
namespace {

struct InfoFlags {
    std::string type;
    bool json = false;
};

int list(const InfoFlags& flags) {
    Catalogue catalogue = full_catalogue();
    if (!flags.type.empty()) {
        const auto found = config::section_of_kind(flags.type);
        if (!found) {
            log_error("{}", found.error().message);
            return kUsageError;
        }
        catalogue = config::in_section(catalogue, *found);
    }
    std::string text = fmt::format("this build has no type of {}\n", flags.type);
    if (flags.json)
        text = to_pretty_json(config::to_json(catalogue)) + "\n";
    else if (!catalogue.empty())
        text = config::list_components(catalogue);
    std::fputs(text.c_str(), stdout);
    return 0;
}

}  // namespace

void add_info_command(CLI::App& app, Run& run) {
    auto* info = app.add_subcommand("info", "what this build has");
    info->require_subcommand(1);
    auto* components = info->add_subcommand("components", "types a config may name, with their fields");
    const auto flags = std::make_shared<InfoFlags>();
    components->add_option("-t,--types", flags->type, "only this kind: llm_provider, embedder_provider, function, evaluator, tracing, …");
    components->add_flag("--json", flags->json, "for machines");
    components->callback([&run, flags] { run = [flags] { return list(*flags); }; });
}

}  // namespace plimsoll::cli
