#include "cli/usage_error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "config/config.h"

namespace plimsoll::cli {
namespace {

std::vector<std::string> flags_of(const CLI::App& command) {
    std::vector<std::string> flags;
    for (const CLI::Option* option : command.get_options())
        for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    return flags;
}

std::vector<std::string> subcommands_of(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; })) names.push_back(sub->get_name());
    return names;
}

}  // namespace

std::string describe_unknown_words(const CLI::App& app) {
    const CLI::App* command = &app;
    std::string path = app.get_name();
    while (!command->get_subcommands().empty()) {
        command = command->get_subcommands().front();
        path += " " + command->get_name();
    }
    const std::vector<std::string> words = command->remaining();
    if (words.empty()) return "";
    const std::string& first = words.front();
    const bool is_flag = first.starts_with('-');
    const auto subcommands = subcommands_of(*command);
    const std::string near = config::did_you_mean(first, is_flag ? flags_of(*command) : subcommands);
    const std::string meant = near.empty() ? "" : fmt::format("; did you mean {}?", near);
    if (!is_flag && !subcommands.empty())
        return fmt::format("{}: there is no command \"{}\"{}{}", path, first, meant,
                           meant.empty() ? fmt::format(" (there are {})", fmt::join(subcommands, ", ")) : "");
    return fmt::format("{}: {} {} not expected{}", path, fmt::join(words, " "), words.size() > 1 ? "were" : "was", meant);
}

}  // namespace plimsoll::cli
