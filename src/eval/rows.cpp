// Reading rows: one function a kind of file.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "eval/csv.h"
#include "eval/dataset.h"

namespace plimsoll::eval {
namespace {

Result<std::vector<json::object>> parse_row_array(json::array array) {
    std::vector<json::object> rows;
    rows.reserve(array.size());
    for (auto& value : array) {
        if (!value.is_object()) return fail(ErrorCode::parse, fmt::format("row {}: must be an object", rows.size()));
        rows.push_back(std::move(value.get_object()));
    }
    return rows;
}

// {"question": ["a", "b"]} or, as pandas writes it, {"question": {"0": "a", "1": "b"}}.
Result<std::vector<json::object>> parse_columns(const json::object& columns) {
    std::vector<json::object> rows;
    for (const auto& [name, column] : columns) {
        std::size_t index = 0;
        const auto put = [&](const json::value& value) {
            if (index == rows.size()) rows.emplace_back();
            rows[index++].emplace(name, value);
        };
        if (const auto* list = column.if_array()) {
            for (const auto& value : *list) put(value);
        } else if (const auto* numbered = column.if_object()) {
            for (const auto& [ignored_index, value] : *numbered) put(value);
        } else {
            return fail(ErrorCode::parse, "must be an array of objects, or an object of columns");
        }
    }
    return rows;
}

Result<std::vector<json::object>> parse_json_rows(std::string_view text) {
    auto value = parse_json(text);
    if (!value) return fail(value.error());
    if (value->is_array()) return parse_row_array(std::move(value->get_array()));
    if (value->is_object()) return parse_columns(value->get_object());
    return fail(ErrorCode::parse, "must be an array of objects");
}

Result<std::vector<json::object>> parse_json_lines(std::string_view text) {
    std::vector<json::object> rows;
    for (std::size_t line = 1; !text.empty(); ++line) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view record = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (record.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        auto value = parse_json(record);
        if (!value) return fail(ErrorCode::parse, fmt::format("line {}: {}", line, value.error().message));
        if (!value->is_object()) return fail(ErrorCode::parse, fmt::format("line {}: must be an object", line));
        rows.push_back(std::move(value->get_object()));
    }
    return rows;
}

Result<std::vector<json::object>> parse_csv_rows(std::string_view text) {
    auto records = parse_csv(text);
    if (!records) return fail(records.error());
    std::vector<json::object> rows;
    if (records->empty()) return rows;
    const std::vector<std::string>& header = records->front().fields;
    if (std::set<std::string>(header.begin(), header.end()).size() != header.size())
        return fail(ErrorCode::parse, fmt::format("line {}: two columns have the same name", records->front().line));
    for (std::size_t i = 1; i < records->size(); ++i) {
        CsvRecord& record = (*records)[i];
        if (record.fields.size() > header.size())
            return fail(ErrorCode::parse,
                        fmt::format("line {}: {} fields, the header has {}", record.line, record.fields.size(), header.size()));
        json::object row;
        for (std::size_t column = 0; column < header.size(); ++column)
            row.emplace(header[column], column < record.fields.size() ? json::value(record.fields[column]) : json::value(nullptr));
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace

Result<std::vector<json::object>> parse_rows(const std::string& type, std::string_view text) {
    if (type == "jsonl") return parse_json_lines(text);
    if (type == "csv") return parse_csv_rows(text);
    return parse_json_rows(text);
}

Result<Dataset> load_dataset(const DatasetConfig& config, const std::filesystem::path& file, const DatasetOptions& options) {
    const auto text = load_file(file, kMaxDatasetBytes);
    if (!text) return fail(text.error().with_context("dataset"));
    auto rows = parse_rows(config.type, *text);
    if (!rows) return fail(rows.error().with_context(file.string()));
    auto dataset = make_dataset(std::move(*rows), config, options);
    if (!dataset) return fail(dataset.error().with_context(file.string()));
    return dataset;
}

}  // namespace plimsoll::eval
