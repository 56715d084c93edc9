// The files of a run folder that need no analysis, in NAT's format. They are written first, whatever analyses or evaluators do later, also
// when there are no evaluators. Each file is whole or absent.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/dataset.h"
#include "eval/evaluators.h"
#include "eval/metadata.h"
#include "eval/runner.h"

namespace plimsoll::eval {

// Which steps workflow_output.json keeps; nothing = all of them.
using StepFilter = std::optional<std::vector<event::EventType>>;

// `eval.general.output.workflow_output_step_filter`: null = LLM_END and TOOL_END, [] = all. Errors: config, naming the unknown type.
Result<StepFilter> parse_step_filter(const json::value& names);

// One object an item: the row's own columns, then id, question, answer, generated answer and steps under the dataset's names.
// A failed item keeps the answer its row came with and says why in `session_error`. Unstructured datasets: the bare outputs, text
// that is JSON as JSON.
json::value make_workflow_output(std::span<const ItemResult> items, const DatasetConfig& dataset, const StepFilter& filter);

inline constexpr const char* kAtifName = "workflow_output_atif.json";

// A name of a file that joined to a folder is in it.
bool stays_inside(const std::filesystem::path& name);

// Errors of all: io, no_space.
Result<void> save_workflow_output(const std::filesystem::path& folder, std::span<const ItemResult> items, const DatasetConfig& dataset,
                                  const StepFilter& filter);
Result<void> save_atif_output(const std::filesystem::path& folder, std::span<const ItemResult> items);
// config_original.yml, config_effective.yml and config_metadata.json.
Result<void> save_config_files(const std::filesystem::path& folder, std::string_view original, std::string_view effective,
                               const EvalMetadata& metadata);
// "<name>_output.json"; a slash in the name makes a subfolder.
std::string evaluator_file(const std::string& name);
// Errors also: invalid_argument for a name that leaves the folder.
Result<void> save_evaluator_output(const std::filesystem::path& folder, const std::string& name, const EvaluatorOutput& output);

}  // namespace plimsoll::eval
