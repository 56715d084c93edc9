#include "cli/custom_scripts.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "base/log.h"
#include "llm/child_process.h"

namespace plimsoll::cli {
namespace {

constexpr std::chrono::minutes kOneWait{1};  // a script may take as long as it likes

Result<void> run_script(const CustomScript& script, const std::filesystem::path& folder) {
    std::vector<std::string> command = {"/usr/bin/env", "python3", script.file.string(), "--output_dir", folder.string()};
    for (const auto& [key, value] : script.arguments) command.insert(command.end(), {"--" + key, value});
    auto child = llm::ChildProcess::spawn(command);
    if (!child) return fail(child.error().with_context("custom script " + script.name));
    using Event = llm::ChildProcess::Event;
    Event event = Event::output;
    for (std::string output; event != Event::exited; output.clear()) {
        event = child->wait(-1, kOneWait, output);
        std::fputs(output.c_str(), stdout);
    }
    std::fflush(stdout);
    if (child->ending() == "exit code 0") return {};
    return fail(ErrorCode::internal, fmt::format("custom script {} ended with {}", script.name, child->ending()));
}

}  // namespace

Result<std::vector<CustomScript>> parse_custom_scripts(const json::value& value, const config::Config& config) {
    std::vector<CustomScript> scripts;
    if (value.is_null()) return scripts;
    if (!value.is_object()) return fail(ErrorCode::config, "must be a mapping of names to scripts");
    for (const auto& [name, entry] : value.get_object()) {
        const auto file = get_string(entry, "script");
        const auto* arguments = find(entry, "kwargs");
        if (!file || (arguments && !arguments->is_object() && !arguments->is_null()))
            return fail(ErrorCode::config, fmt::format("{}: must have a script, and may have kwargs, a mapping", std::string_view(name)));
        CustomScript script{.name = std::string(name), .file = config.resolve(*file)};
        if (arguments && arguments->is_object())
            for (const auto& [key, argument] : arguments->get_object()) script.arguments.emplace_back(std::string(key), to_text(argument));
        scripts.push_back(std::move(script));
    }
    return scripts;
}

Result<void> run_custom_scripts(const std::vector<CustomScript>& scripts, const std::filesystem::path& folder) {
    for (const CustomScript& script : scripts) {
        if (!std::filesystem::exists(script.file)) {
            log_warning("custom script {}: there is no {}", script.name, script.file.string());
            continue;
        }
        PLIMSOLL_TRY(run_script(script, folder));
    }
    return {};
}

}  // namespace plimsoll::cli
