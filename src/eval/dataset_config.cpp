#include <fmt/format.h>

#include <algorithm>

#include "eval/dataset.h"

namespace plimsoll::eval {
namespace {

// What the YAML holds; structure and filter are nested and read by hand.
struct Settings {
    std::string file_path = ".tmp/nat/examples/default/default.json";
    std::string id_key = "id";
    json::value structure;
    json::value filter;
    json::value remote_file_path;
    json::value s3;
};

Schema<Settings> make_schema(std::string type, std::string doc) {
    return Schema<Settings>("dataset", std::move(type), std::move(doc))
        .field("file_path", &Settings::file_path, "the file")
        .field("id_key", &Settings::id_key, "column of the ids")
        .field("structure", &Settings::structure, "names of the other columns; disable: true takes whole rows as questions")
        .field("filter", &Settings::filter, "allowlist.field and denylist.field: column -> list of shell patterns")
        .field("remote_file_path", &Settings::remote_file_path, "not supported: fetch the file first")
        .field("s3", &Settings::s3, "not supported: fetch the file first");
}

const std::vector<Schema<Settings>>& schemas() {
    static const std::vector<Schema<Settings>> all = {
        make_schema("json", "array of objects"),
        make_schema("jsonl", "one JSON object a line"),
        make_schema("csv", "comma-separated values with a header row; every field is text"),
    };
    return all;
}

Result<DatasetStructure> parse_structure(const json::value& value) {
    DatasetStructure structure;
    if (value.is_null()) return structure;
    if (!value.is_object()) return fail(ErrorCode::config, "structure: must be a mapping");
    const std::map<std::string_view, std::string*> texts = {
        {"question_key", &structure.question_key},
        {"answer_key", &structure.answer_key},
        {"generated_answer_key", &structure.generated_answer_key},
        {"trajectory_key", &structure.trajectory_key},
        {"expected_trajectory_key", &structure.expected_trajectory_key},
    };
    for (const auto& [key, member] : value.get_object()) {
        if (key == "disable") {
            if (!member.is_bool()) return fail(ErrorCode::config, "structure.disable: must be true or false");
            structure.disable = member.get_bool();
        } else if (const auto found = texts.find(key); found == texts.end()) {
            return fail(ErrorCode::config, fmt::format("structure.{}: no such field", std::string_view(key)));
        } else if (!member.is_string()) {
            return fail(ErrorCode::config, fmt::format("structure.{}: must be text", std::string_view(key)));
        } else {
            *found->second = std::string(member.get_string());
        }
    }
    return structure;
}

Result<ColumnPatterns> parse_patterns(const json::value& filter, std::string_view list) {
    ColumnPatterns patterns;
    const auto* entry = find(filter, list);
    const auto* columns = entry ? find(*entry, "field") : nullptr;
    if (!columns || columns->is_null()) return patterns;
    const auto wrong = [&](std::string_view column) {
        return fail(ErrorCode::config,
                    fmt::format("filter.{}.field{}{}: must be a list of text or numbers", list, column.empty() ? "" : ".", column));
    };
    if (!columns->is_object()) return wrong("");
    for (const auto& [column, values] : columns->get_object()) {
        if (!values.is_array()) return wrong(column);
        for (const auto& value : values.get_array()) {
            if (!value.is_string() && !value.is_number()) return wrong(column);
            patterns[std::string(column)].push_back(to_text(value));
        }
    }
    return patterns;
}

}  // namespace

Catalogue dataset_catalogue() {
    Catalogue catalogue;
    for (const auto& schema : schemas()) catalogue.push_back(schema.info());
    return catalogue;
}

Result<DatasetConfig> parse_dataset_config(json::object settings) {
    DatasetConfig config;
    const json::value whole = settings;
    if (const auto type = get_string(whole, "_type"))
        config.type = *type;
    else if (const auto old_type = get_string(whole, "type"))
        config.type = *old_type;
    settings.erase("_type");
    settings.erase("type");
    const auto schema = std::ranges::find(schemas(), config.type, [](const auto& candidate) { return candidate.info().type; });
    if (schema == schemas().end()) {
        const bool known = config.type == "parquet" || config.type == "xls" || config.type == "custom";
        return fail(known ? ErrorCode::unsupported : ErrorCode::config,
                    fmt::format("_type: {} datasets {}; use json, jsonl or csv", config.type,
                                known ? "are not read by this build" : "do not exist"));
    }
    auto parsed = schema->parse(std::move(settings));
    if (!parsed) return fail(parsed.error());
    if (!parsed->remote_file_path.is_null() || !parsed->s3.is_null())
        return fail(ErrorCode::unsupported, "remote_file_path, s3: remote datasets are not fetched; give a local file_path");
    auto structure = parse_structure(parsed->structure);
    if (!structure) return fail(structure.error());
    auto allow = parse_patterns(parsed->filter, "allowlist");
    if (!allow) return fail(allow.error());
    auto deny = parse_patterns(parsed->filter, "denylist");
    if (!deny) return fail(deny.error());
    config.file_path = std::move(parsed->file_path);
    config.id_key = std::move(parsed->id_key);
    config.structure = std::move(*structure);
    config.allow = std::move(*allow);
    config.deny = std::move(*deny);
    return config;
}

DatasetConfig with_file(DatasetConfig config, const std::filesystem::path& file) {
    const std::string extension = file.extension().string();
    config.type = extension == ".jsonl" || extension == ".csv" ? extension.substr(1) : "json";
    config.file_path = file.string();
    return config;
}

}  // namespace plimsoll::eval
