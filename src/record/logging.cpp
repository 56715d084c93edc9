#include "record/logging.h"

#include <fmt/format.h>

#include "base/log.h"

namespace plimsoll::record {
namespace {

struct ConsoleConfig {
    std::string level;
};

struct FileConfig {
    std::string path;
    std::string level;
    std::string mode = "append";
};

// Python's names, as NAT takes them.
const std::vector<std::string>& level_names() {
    static const std::vector<std::string> names = {"DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL",
                                                   "debug", "info", "warn", "warning", "error", "critical", "fatal"};
    return names;
}

LogLevel level_of(const std::string& name) {
    switch (name.front()) {
        case 'D':
        case 'd': return LogLevel::debug;
        case 'I':
        case 'i': return LogLevel::info;
        case 'W':
        case 'w': return LogLevel::warning;
        default: return LogLevel::error;  // nothing here is graver
    }
}

const Schema<ConsoleConfig>& console_schema() {
    static const auto schema = Schema<ConsoleConfig>("telemetry.logging", "console", "diagnostics on standard error")
                                   .required("level", &ConsoleConfig::level, "the least grave ones to show")
                                   .one_of(level_names());
    return schema;
}

const Schema<FileConfig>& file_schema() {
    static const auto schema = Schema<FileConfig>("telemetry.logging", "file", "diagnostics into a file")
                                   .required("path", &FileConfig::path, "the file")
                                   .required("level", &FileConfig::level, "the least grave ones to write")
                                   .one_of(level_names())
                                   .field("mode", &FileConfig::mode, "what happens to an existing file")
                                   .one_of({"append", "overwrite"});
    return schema;
}

}  // namespace

Catalogue logging_catalogue() { return {console_schema().info(), file_schema().info()}; }

Result<void> start_logging(const std::string& type, const json::object& settings) {
    if (type == "console") {
        const auto config = console_schema().parse(settings);
        if (!config) return fail(config.error());
        set_log_level(level_of(config->level));
        return {};
    }
    if (type == "file") {
        const auto config = file_schema().parse(settings);
        if (!config) return fail(config.error());
        return add_log_file(config->path, level_of(config->level), config->mode == "overwrite");
    }
    return fail(ErrorCode::unsupported, fmt::format("logging type {} is not known", type));
}

}  // namespace plimsoll::record
