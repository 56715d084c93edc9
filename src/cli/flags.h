// Flags that several commands share, added in one place so that they read the same everywhere. NAT's spelling with an
// underscore and the usual one with a dash both work.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "cli/catalogue.h"

namespace plimsoll::cli {

// CLI11's own checks of signs let NaN pass and answer with the largest double in full.
inline double read_finite(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
    return whole ? value : std::numeric_limits<double>::quiet_NaN();
}

inline CLI::Validator at_least_zero() {
    return {[](const std::string& text) { return read_finite(text) >= 0 ? "" : fmt::format("\"{}\" is no number of at least 0", text); },
            "AT LEAST 0"};
}

inline CLI::Validator above_zero() {
    return {[](const std::string& text) { return read_finite(text) > 0 ? "" : fmt::format("\"{}\" is no number above 0", text); },
            "ABOVE 0"};
}

inline void add_config_flags(CLI::App& command, ConfigFlags& flags, bool file_required) {
    auto* file = command.add_option("--config_file,--config-file", flags.file, "YAML or JSON file in NAT's format");
    if (file_required) file->required();
    command.add_option("--override", flags.overrides, "PATH VALUE: replaces a.b.c in the file; may be repeated")
        ->type_size(2)
        ->expected(-1);
    command.add_flag("--strict", flags.strict, "unknown keys are errors");
}

// What the page of a profiled run shows besides.
inline void add_report_flags(CLI::App& command, std::string& prices, std::optional<std::size_t>& session) {
    command.add_option("--prices", prices,
                       "YAML or JSON file with the price of a million tokens a model: prices: {m: {input, output, cached}}");
    command.add_option("--session", session, "a session to show beside the median, p95 and slowest one, from 0")->check(at_least_zero());
}

}  // namespace plimsoll::cli
