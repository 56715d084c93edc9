// The rows that a run asks about, read from JSON, JSON lines or CSV. Order of work: rows without a question dropped, filters,
// de-duplication on the id, then repetition or size adjustment, so that an adjusted size is the size one gets. JSON types are kept as
// they are; CSV has no types, so every field of it is text. (NAT retypes columns and drops blanks last; its results differ only
// where that loses rows.)
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/schema.h"

namespace plimsoll::eval {

// Largest dataset file, in bytes.
inline constexpr std::uint64_t kMaxDatasetBytes = 1ull << 30;

// Most items that repetition or size adjustment may make. A run keeps every item with its steps in memory, some 10 kB each.
inline constexpr std::size_t kMaxRepeatedItems = 100'000;

struct DatasetStructure {
    bool disable = false;  // true: the question is the whole row as JSON text
    std::string question_key = "question";
    std::string answer_key = "answer";
    std::string generated_answer_key = "generated_answer";
    std::string trajectory_key = "intermediate_steps";
    std::string expected_trajectory_key = "expected_intermediate_steps";
};

// Column -> shell patterns (`*`, `?`, `[seq]`, `[!seq]`), case-sensitive, matched against the whole value as text.
using ColumnPatterns = std::map<std::string, std::vector<std::string>>;

struct DatasetConfig {
    std::string type = "json";  // json, jsonl, csv
    std::string file_path;
    std::string id_key = "id";
    DatasetStructure structure;
    ColumnPatterns allow;
    ColumnPatterns deny;
};

// The kinds a config may name, section "dataset".
Catalogue dataset_catalogue();

// `settings` is `eval.general.dataset` with or without `_type`. Errors: config naming the field; unsupported for NAT's kinds that
// this build does not read (parquet, xls, custom) and for remote files.
Result<DatasetConfig> parse_dataset_config(json::object settings);

// --dataset FILE: the config's keys and filters, that file; the kind goes by the extension (.jsonl, .csv, else json).
DatasetConfig with_file(DatasetConfig config, const std::filesystem::path& file);

struct DatasetItem {
    json::value id;
    json::value question;
    json::value answer;
    json::value generated_answer;  // "" when the row has none
    json::object row;
};

// Makes as many items as a load test needs: concurrency × num_passes, or with num_passes 0 the largest multiple of the concurrency
// that the rows fill, or at least the concurrency. Too few rows are repeated with ids "<id>_rep1", "<id>_rep2", ….
struct SizeAdjustment {
    int concurrency = 1;
    int num_passes = 0;
};

struct DatasetOptions {
    int reps = 1;  // > 1: the whole dataset that often, ids "<id>_rep0", "<id>_rep1", …
    std::optional<SizeAdjustment> adjust;
};

struct Dataset {
    std::vector<DatasetItem> items;
    std::vector<std::string> warnings;  // what was left out, with the numbers of the rows (from 0)
};

// Errors: not_found, io; parse with file and line; invalid_argument (reps with adjustment, sizes below their minimum); limit for more
// than kMaxRepeatedItems; config when no row has the question's column.
Result<Dataset> load_dataset(const DatasetConfig& config, const std::filesystem::path& file, const DatasetOptions& options = {});

// The rows of a file's text as they stand. Errors: parse.
Result<std::vector<json::object>> parse_rows(const std::string& type, std::string_view text);

// What load_dataset does after parsing.
Result<Dataset> make_dataset(std::vector<json::object> rows, const DatasetConfig& config, const DatasetOptions& options = {});

}  // namespace plimsoll::eval
