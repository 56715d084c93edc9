#include "llm/sim_profile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "base/files.h"
#include "config/yaml.h"

namespace plimsoll::llm {
namespace {

// Name and text of every file in profiles/; the build writes the table.
constexpr std::pair<std::string_view, std::string_view> kProfiles[] = {
#include "sim_profile_table.inc"
};

constexpr std::uint64_t kMaxProfileBytes = 1 << 20;

using Fields = std::vector<std::pair<std::string_view, std::function<bool(const json::value&)>>>;

auto number_field(double& target) {
    return [&target](const json::value& value) {
        if (!value.is_number()) return false;
        target = value.to_number<double>();
        return std::isfinite(target);
    };
}

auto count_field(int& target) {
    return [&target](const json::value& value) {
        constexpr std::int64_t kMost = 1'000'000'000;
        if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() > kMost) return false;
        target = static_cast<int>(value.get_int64());
        return true;
    };
}

auto flag_field(bool& target) {
    return [&target](const json::value& value) {
        if (!value.is_bool()) return false;
        target = value.get_bool();
        return true;
    };
}

Result<void> read_fields(const json::value& map, const Fields& fields, std::string_view parent) {
    if (!map.is_object()) return fail(ErrorCode::config, fmt::format("{}: not a mapping", parent));
    for (const auto& [key, value] : map.get_object()) {
        const auto field = std::ranges::find(fields, std::string_view(key), &Fields::value_type::first);
        if (field == fields.end()) return fail(ErrorCode::config, fmt::format("{}{}: no such field", parent, std::string_view(key)));
        if (!field->second(value)) return fail(ErrorCode::config, fmt::format("{}{}: wrong type or value", parent, std::string_view(key)));
    }
    return {};
}

Result<void> read_law(const json::value& map, SimStepLaw& law) {
    const auto read_form = [&law](const json::value& value) {
        if (value != "linear" && value != "roofline") return false;
        law.form = value == "linear" ? SimStepLaw::Form::linear : SimStepLaw::Form::roofline;
        return true;
    };
    law.fixed = 0;
    return read_fields(map,
                       {{"form", read_form},
                        {"overhead", number_field(law.overhead)},
                        {"fixed", number_field(law.fixed)},
                        {"per_sequence", number_field(law.per_sequence)},
                        {"per_context", number_field(law.per_context)},
                        {"per_prompt_token", number_field(law.per_prompt_token)}},
                       "law.");
}

}  // namespace

Result<SimProfile> parse_sim_profile(std::string_view yaml) {
    config::Problems problems;
    const auto node = config::parse_yaml(yaml, problems.add_source("profile"), problems);
    if (!node || problems.has_error()) {
        const auto found = problems.in_file_order();
        return fail(ErrorCode::config, found.empty() ? "no YAML" : found.front().message);
    }
    SimProfile profile;
    json::value law;
    double ingest = 0;
    SimBatchLimits& limits = profile.engine.limits;
    const auto read_description = [&](const json::value& value) {
        if (value.is_string()) profile.description = std::string(value.get_string());
        return value.is_string();
    };
    PLIMSOLL_TRY(read_fields(config::to_json(*node),
                             {{"description", read_description},
                              {"law",
                               [&](const json::value& value) {
                                   law = value;
                                   return value.is_object();
                               }},
                              {"max_sequences", count_field(limits.max_sequences)},
                              {"max_batched_tokens", count_field(limits.max_batched_tokens)},
                              {"chunked_prefill", flag_field(limits.chunked_prefill)},
                              {"max_context", count_field(limits.max_context)},
                              {"kv_blocks", count_field(limits.kv_blocks)},
                              {"block_tokens", count_field(limits.block_tokens)},
                              {"ingest", number_field(ingest)},
                              {"headers_at_start", flag_field(profile.headers_at_start)},
                              {"jitter", number_field(profile.jitter)}},
                             ""));
    if (law.is_null()) return fail(ErrorCode::config, "law: missing");
    PLIMSOLL_TRY(read_law(law, profile.engine.law));
    constexpr double kMaxIngest = 60;  // seconds
    if (!(ingest >= 0 && ingest <= kMaxIngest)) return fail(ErrorCode::config, "ingest: between 0 and 60 seconds");
    profile.engine.ingest = std::chrono::duration_cast<SimTime>(std::chrono::duration<double>(ingest));
    if (const auto checked = check_sim_engine_options(profile.engine); !checked) return fail(ErrorCode::config, checked.error().message);
    if (!(profile.jitter >= 0 && profile.jitter < 1)) return fail(ErrorCode::config, "jitter: at least 0 and below 1");
    return profile;
}

Result<SimProfile> load_sim_profile(const std::string& name_or_path) {
    if (const auto found = std::ranges::find(kProfiles, name_or_path, &std::pair<std::string_view, std::string_view>::first);
        found != std::end(kProfiles))
        return parse_sim_profile(found->second);
    const auto text = load_file(name_or_path, kMaxProfileBytes);
    if (!text) return fail(text.error().with_context(fmt::format("no profile of the program ({})", fmt::join(sim_profile_names(), ", "))));
    auto profile = parse_sim_profile(*text);
    if (!profile) return fail(profile.error().with_context(name_or_path));
    return profile;
}

std::vector<std::string_view> sim_profile_names() {
    std::vector<std::string_view> names;
    for (const auto& [name, text] : kProfiles) names.push_back(name);
    return names;
}

}  // namespace plimsoll::llm
