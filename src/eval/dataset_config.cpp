#include <fmt/format.h>

#include <algorithm>

#include "eval/dataset.h"

namespace plimsoll::eval {
namespace {

struct FilterSide {
    json::value field;
};

struct Filter {
    json::value allowlist;
    json::value denylist;
};

// What the YAML holds; structure and filter have schemas of their own.
struct Settings {
    std::string file_path = ".tmp/nat/examples/default/default.json";
    std::string id_key = "id";
    json::value structure;
    json::value filter;
    json::value remote_file_path;
    json::value s3;
};

const Schema<DatasetStructure>& structure_schema() {
    using C = DatasetStructure;
    static const auto schema = Schema<C>("dataset", "structure", "names of the columns")
                                   .field("disable", &C::disable, "whole rows are the questions")
                                   .field("question_key", &C::question_key, "column of the questions")
                                   .field("answer_key", &C::answer_key, "column of the expected answers")
                                   .field("generated_answer_key", &C::generated_answer_key, "column of the workflow's answers")
                                   .field("trajectory_key", &C::trajectory_key, "column of the steps")
                                   .field("expected_trajectory_key", &C::expected_trajectory_key, "column of the expected steps");
    return schema;
}

const Schema<Filter>& filter_schema() {
    static const auto side = Schema<FilterSide>("dataset", "filter", "rows by their columns")
                                 .field("field", &FilterSide::field, "column -> list of shell patterns, one of which must match")
                                 .lists_of_text();
    static const auto schema = Schema<Filter>("dataset", "filter", "which rows are run")
                                   .field("allowlist", &Filter::allowlist, "rows that match in every column given are kept")
                                   .holds(side)
                                   .field("denylist", &Filter::denylist, "rows that match in any column given are left out")
                                   .holds(side);
    return schema;
}

Schema<Settings> make_schema(std::string type, std::string doc) {
    return Schema<Settings>("dataset", std::move(type), std::move(doc))
        .field("file_path", &Settings::file_path, "the file")
        .field("id_key", &Settings::id_key, "column of the ids")
        .field("structure", &Settings::structure, "names of the other columns")
        .holds_only(structure_schema())
        .field("filter", &Settings::filter, "which rows are run")
        .holds(filter_schema())
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

// Of settings that the schema has checked.
ColumnPatterns parse_patterns(const json::value& filter, std::string_view list) {
    ColumnPatterns patterns;
    const auto* entry = find(filter, list);
    const auto* columns = entry ? find(*entry, "field") : nullptr;
    if (!columns || !columns->is_object()) return patterns;
    for (const auto& [column, values] : columns->get_object())
        for (const auto& value : values.as_array()) patterns[std::string(column)].push_back(to_text(value));
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
    config.file_path = std::move(parsed->file_path);
    config.id_key = std::move(parsed->id_key);
    if (const auto* structure = parsed->structure.if_object()) {
        auto names = structure_schema().parse(*structure);
        if (!names) return fail(names.error().with_context("structure"));
        config.structure = std::move(*names);
    }
    config.allow = parse_patterns(parsed->filter, "allowlist");
    config.deny = parse_patterns(parsed->filter, "denylist");
    return config;
}

DatasetConfig with_file(DatasetConfig config, const std::filesystem::path& file) {
    const std::string extension = file.extension().string();
    config.type = extension == ".jsonl" || extension == ".csv" ? extension.substr(1) : "json";
    config.file_path = file.string();
    return config;
}

}  // namespace plimsoll::eval
