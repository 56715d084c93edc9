#include "eval/dataset.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

namespace plimsoll::eval {
namespace {

// Values as the patterns and the "_rep" ids see them: NAT stringifies with Python's str().
std::string python_text(const json::value& value) {
    if (value.is_null()) return "None";
    if (value.is_bool()) return value.get_bool() ? "True" : "False";
    return to_text(value);
}

bool matches_any(const json::value& value, const std::vector<std::string>& patterns) {
    const std::string text = python_text(value);
    return std::ranges::any_of(patterns,
                               [&](const std::string& pattern) { return ::fnmatch(pattern.c_str(), text.c_str(), FNM_NOESCAPE) == 0; });
}

void filter_rows(std::vector<json::object>& rows, const DatasetConfig& config) {
    // A column that no row has is not filtered by.
    const auto is_column = [&rows](const std::string& name) {
        return std::ranges::any_of(rows, [&](const json::object& row) { return row.contains(name); });
    };
    const auto cell = [](const json::object& row, const std::string& column) {
        const auto* value = row.if_contains(column);
        return value ? *value : json::value(nullptr);
    };
    for (const auto& [column, patterns] : config.allow)
        if (is_column(column)) std::erase_if(rows, [&](const json::object& row) { return !matches_any(cell(row, column), patterns); });
    for (const auto& [column, patterns] : config.deny)
        if (is_column(column)) std::erase_if(rows, [&](const json::object& row) { return matches_any(cell(row, column), patterns); });
}

// The first row of an id wins. A row without an id is nobody's duplicate.
std::size_t drop_duplicates(std::vector<json::object>& rows, const std::string& id_key) {
    std::set<std::string> seen;
    return std::erase_if(rows, [&](const json::object& row) {
        const auto* id = row.if_contains(id_key);
        return id && !id->is_null() && !seen.insert(to_compact_json(*id)).second;
    });
}

bool is_blank(const json::value* question) {
    if (!question || question->is_null()) return true;
    const auto* text = question->if_string();
    return text && std::string_view(*text).find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

Result<std::string> drop_blank_questions(std::vector<json::object>& rows, const std::string& key) {
    if (!rows.empty() && std::ranges::none_of(rows, [&](const json::object& row) { return row.contains(key); }))
        return fail(ErrorCode::config, fmt::format("no row has the question column \"{}\"", key));
    constexpr std::size_t kNamedRows = 10;
    std::string named;
    std::size_t index = 0;
    std::size_t dropped = 0;
    std::erase_if(rows, [&](const json::object& row) {
        const std::size_t number = index++;
        if (!is_blank(row.if_contains(key))) return false;
        if (dropped++ < kNamedRows) named += fmt::format("{}{}", named.empty() ? "" : ", ", number);
        return true;
    });
    if (dropped == 0) return std::string();
    return fmt::format("{} without a question left out (row {}{})", dropped == 1 ? "1 row" : fmt::format("{} rows", dropped), named,
                       dropped > kNamedRows ? ", …" : "");
}

void set_id(json::object& row, const std::string& id_key, const std::string& id) {
    if (row.contains(id_key)) row[id_key] = id;
}

std::string id_text(const json::object& row, const std::string& id_key) {
    const auto* id = row.if_contains(id_key);
    return id ? python_text(*id) : std::string();
}

std::string without_rep_suffix(std::string id) {
    const auto at = id.rfind("_rep");
    if (at != std::string::npos && at + 4 < id.size() && id.find_first_not_of("0123456789", at + 4) == std::string::npos) id.erase(at);
    return id;
}

std::vector<json::object> repeat(const std::vector<json::object>& rows, int reps, const std::string& id_key) {
    std::vector<json::object> out;
    out.reserve(rows.size() * static_cast<std::size_t>(reps));
    for (int rep = 0; rep < reps; ++rep)
        for (const auto& row : rows) {
            out.push_back(row);
            set_id(out.back(), id_key, fmt::format("{}_rep{}", id_text(row, id_key), rep));
        }
    return out;
}

std::size_t adjusted_size(std::size_t rows, const SizeAdjustment& adjust) {
    const auto concurrency = static_cast<std::size_t>(adjust.concurrency);
    if (adjust.num_passes > 0) return concurrency * static_cast<std::size_t>(adjust.num_passes);
    return rows >= concurrency ? rows / concurrency * concurrency : concurrency;
}

// Errors: limit.
Result<void> check_size(std::size_t rows, const DatasetOptions& options) {
    const std::size_t wanted = options.adjust ? adjusted_size(rows, *options.adjust) : rows * static_cast<std::size_t>(options.reps);
    if (wanted <= std::max(rows, kMaxRepeatedItems)) return {};
    return fail(ErrorCode::limit,
                fmt::format("{} sessions from a dataset of {} rows; a run has {} at most", wanted, rows, kMaxRepeatedItems));
}

void adjust_size(std::vector<json::object>& rows, std::size_t target, const std::string& id_key) {
    if (rows.empty()) return;
    if (rows.size() >= target) {
        rows.resize(target);
        return;
    }
    const std::size_t original = rows.size();
    for (auto& row : rows) set_id(row, id_key, without_rep_suffix(id_text(row, id_key)));
    rows.reserve(target);
    for (std::size_t i = original; i < target; ++i) {
        rows.push_back(rows[i % original]);
        set_id(rows.back(), id_key, fmt::format("{}_rep{}", id_text(rows.back(), id_key), i / original));
    }
}

json::value cell_or_empty(const json::object& row, const std::string& key) {
    const auto* value = row.if_contains(key);
    return value && !value->is_null() ? *value : json::value("");
}

DatasetItem make_item(json::object row, const DatasetConfig& config) {
    DatasetItem item;
    item.id = cell_or_empty(row, config.id_key);
    item.generated_answer = cell_or_empty(row, config.structure.generated_answer_key);
    if (config.structure.disable) {
        item.question = to_compact_json(row);
        item.answer = "";
    } else {
        item.question = row.at(config.structure.question_key);
        item.answer = cell_or_empty(row, config.structure.answer_key);
    }
    item.row = std::move(row);
    return item;
}

}  // namespace

Result<Dataset> make_dataset(std::vector<json::object> rows, const DatasetConfig& config, const DatasetOptions& options) {
    if (options.reps < 1) return fail(ErrorCode::invalid_argument, "reps must be at least 1");
    if (options.reps > 1 && options.adjust) return fail(ErrorCode::invalid_argument, "reps and a size adjustment exclude each other");
    if (options.adjust && options.adjust->concurrency < 1) return fail(ErrorCode::invalid_argument, "concurrency must be at least 1");
    if (options.adjust && options.adjust->num_passes < 0) return fail(ErrorCode::invalid_argument, "num_passes must not be negative");

    Dataset dataset;
    if (!config.structure.disable) {
        auto warning = drop_blank_questions(rows, config.structure.question_key);
        if (!warning) return fail(warning.error());
        if (!warning->empty()) dataset.warnings.push_back(std::move(*warning));
    }
    filter_rows(rows, config);
    if (const auto dropped = drop_duplicates(rows, config.id_key))
        dataset.warnings.push_back(
            fmt::format("{} with an id seen before left out", dropped == 1 ? "1 row" : fmt::format("{} rows", dropped)));
    PLIMSOLL_TRY(check_size(rows.size(), options));
    if (options.reps > 1) rows = repeat(rows, options.reps, config.id_key);
    if (options.adjust) adjust_size(rows, adjusted_size(rows.size(), *options.adjust), config.id_key);
    dataset.items.reserve(rows.size());
    for (auto& row : rows) dataset.items.push_back(make_item(std::move(row), config));
    return dataset;
}

}  // namespace plimsoll::eval
