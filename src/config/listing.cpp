#include "config/listing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/config.h"

namespace plimsoll::config {
namespace {

constexpr std::size_t kMaxDefault = 40;  // a default may be a whole prompt

using Row = std::array<std::string, 6>;

constexpr std::array<std::pair<std::string_view, std::string_view>, 25> kKinds = {{
    {"llm_provider", "llms"},
    {"llm_client", "llms"},
    {"embedder_provider", "embedders"},
    {"embedder_client", "embedders"},
    {"function", "functions"},
    {"workflow", "functions"},
    {"function_group", "function_groups"},
    {"evaluator", "evaluators"},
    {"tracing", "telemetry.tracing"},
    {"logging", "telemetry.logging"},
    {"dataset_loader", "dataset"},
    {"front_end", "front_end"},
    {"retriever_provider", "retrievers"},
    {"retriever_client", "retrievers"},
    {"memory", "memory"},
    {"object_store", "object_stores"},
    {"auth_provider", "authentication"},
    {"middleware", "middleware"},
    {"ttc_strategy", "ttc_strategies"},
    {"trainer", "trainers"},
    {"trainer_adapter", "trainer_adapters"},
    {"trajectory_builder", "trajectory_builders"},
    {"optimizer", "optimizer"},
    {"profiler", "profiler"},
    {"tool_wrapper", "functions"},
}};

std::string one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return text;
}

// Cuts between characters, so that the table stays UTF-8.
std::string shorten(std::string text, std::size_t max) {
    if (text.size() <= max) return text;
    while (max > 0 && (static_cast<unsigned char>(text[max]) & 0xC0) == 0x80) --max;
    return text.substr(0, max) + "…";
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

std::string describe_default(const FieldInfo& field) {
    if (field.required) return "required";
    if (field.default_value.is_null()) return "-";
    return shorten(one_line(to_compact_json(field.default_value)), kMaxDefault);
}

std::string describe(const FieldInfo& field) {
    std::string doc = one_line(field.doc);
    if (!field.choices.empty()) doc += fmt::format(" (one of {})", fmt::join(field.choices, ", "));
    if (!field.refers_to.empty()) doc += fmt::format(" (a name in {})", field.refers_to);
    if (!field.no_effect.empty()) doc += " (no effect)";
    if (!field.aliases.empty()) doc += fmt::format(" (also {})", fmt::join(field.aliases, ", "));
    return doc;
}

void add_rows(const std::vector<FieldInfo>& fields, const std::string& prefix, std::vector<Row>& rows) {
    for (const auto& field : fields) {
        rows.push_back({"", "", prefix + field.name, std::string(to_string(field.type)), describe_default(field), describe(field)});
        add_rows(field.members, prefix + field.name + ".", rows);
    }
}

std::string render(const std::vector<Row>& rows) {
    std::array<std::size_t, 6> widths{};
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - width_of(row[i]) + 2, ' ');
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    }
    return out;
}

json::value to_json(const FieldInfo& field) {
    json::object out = {{"name", field.name},
                        {"type", to_string(field.type)},
                        {"required", field.required},
                        {"nullable", field.nullable},
                        {"default", field.default_value},
                        {"doc", field.doc},
                        {"refers_to", field.refers_to},
                        {"aliases", json::array(field.aliases.begin(), field.aliases.end())},
                        {"choices", json::array(field.choices.begin(), field.choices.end())},
                        {"min", nullptr},
                        {"max", nullptr},
                        {"secret", field.secret},
                        {"no_effect", field.no_effect},
                        {"members", json::array()}};
    for (const auto& member : field.members) out["members"].as_array().push_back(to_json(member));
    if (field.min) out["min"] = *field.min;
    if (field.max) out["max"] = *field.max;
    return out;
}

}  // namespace

Result<std::string> section_of_kind(const std::string& kind) {
    std::vector<std::string> names;
    for (const auto& [name, section] : kKinds) {
        if (kind == name || kind == section) return std::string(section);
        names.emplace_back(name);
    }
    std::vector<std::string> candidates = names;
    for (const auto& [name, section] : kKinds) candidates.emplace_back(section);
    const std::string near = did_you_mean(kind, candidates);
    return fail(ErrorCode::invalid_argument, near.empty() ? fmt::format("no kind \"{}\"; there are {}", kind, fmt::join(names, ", "))
                                                          : fmt::format("no kind \"{}\"; did you mean \"{}\"?", kind, near));
}

Catalogue in_section(const Catalogue& catalogue, const std::string& section) {
    Catalogue chosen;
    for (const auto& info : catalogue)
        if (info.section == section || (section == "functions" && info.section == "workflow")) chosen.push_back(info);
    return chosen;
}

std::string list_components(const Catalogue& catalogue) {
    std::vector<const ComponentInfo*> chosen;
    for (const auto& info : catalogue) chosen.push_back(&info);
    std::ranges::stable_sort(chosen, {}, [](const ComponentInfo* info) { return std::tie(info->section, info->type); });
    std::vector<Row> rows = {{"SECTION", "TYPE", "FIELD", "FIELD TYPE", "DEFAULT", "MEANING"}};
    for (const auto* info : chosen) {
        rows.push_back({info->section, info->type, "", "", "", one_line(info->doc)});
        add_rows(info->fields, "", rows);
    }
    return render(rows);
}

json::value to_json(const Catalogue& catalogue) {
    json::array out;
    for (const auto& info : catalogue) {
        json::array fields;
        for (const auto& field : info.fields) fields.push_back(to_json(field));
        out.push_back({{"section", info.section},
                       {"type", info.type},
                       {"doc", info.doc},
                       {"keeps_unknown", info.keeps_unknown},
                       {"fields", std::move(fields)}});
    }
    return out;
}

}  // namespace plimsoll::config
