#include "eval/output_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "eval/atif.h"

namespace plimsoll::eval {
namespace {

bool keeps(const StepFilter& filter, const event::Step& step) {
    return !filter || std::ranges::find(*filter, step.payload.event_type) != filter->end();
}

json::value make_row(const ItemResult& result, const DatasetConfig& dataset, const StepFilter& filter) {
    const DatasetStructure& names = dataset.structure;
    json::object row = result.item.row;
    row[dataset.id_key] = result.item.id;
    row[names.question_key] = result.item.question;
    row[names.answer_key] = result.item.answer;
    row[names.generated_answer_key] = result.error ? result.item.generated_answer : result.output;
    json::array steps;
    for (const auto& step : result.steps)
        if (keeps(filter, step)) steps.push_back(event::to_json(step));
    row[names.trajectory_key] = std::move(steps);
    if (!row.contains(names.expected_trajectory_key)) row[names.expected_trajectory_key] = json::array();
    if (result.error) row["session_error"] = {{"code", to_string(result.error->code)}, {"message", result.error->message}};
    return row;
}

json::value make_bare_output(const ItemResult& result) {
    const auto* text = result.output.if_string();
    if (!text) return result.output;
    auto value = parse_json(*text);
    if (!value) return result.output;
    return *std::move(value);
}

}  // namespace

Result<StepFilter> parse_step_filter(const json::value& names) {
    using event::Category;
    using event::Phase;
    if (names.is_null()) return std::vector<event::EventType>{{Category::llm, Phase::end}, {Category::tool, Phase::end}};
    if (!names.is_array()) return fail(ErrorCode::config, "workflow_output_step_filter: must be a list of event types");
    if (names.get_array().empty()) return StepFilter();
    std::vector<event::EventType> types;
    for (const auto& name : names.get_array()) {
        const auto type = event::parse_event_type(to_text(name));
        if (!type) return fail(ErrorCode::config, fmt::format("workflow_output_step_filter: no such event type: {}", to_text(name)));
        types.push_back(*type);
    }
    return types;
}

json::value make_workflow_output(std::span<const ItemResult> items, const DatasetConfig& dataset, const StepFilter& filter) {
    json::array rows;
    rows.reserve(items.size());
    for (const ItemResult& item : items)
        rows.push_back(dataset.structure.disable ? make_bare_output(item) : make_row(item, dataset, filter));
    return rows;
}

bool stays_inside(const std::filesystem::path& name) {
    return !name.empty() && name.is_relative() && std::ranges::find(name, "..") == name.end();
}

Result<void> save_workflow_output(const std::filesystem::path& folder, std::span<const ItemResult> items, const DatasetConfig& dataset,
                                  const StepFilter& filter) {
    return save_file(folder / "workflow_output.json", to_pretty_json(make_workflow_output(items, dataset, filter)));
}

Result<void> save_atif_output(const std::filesystem::path& folder, std::span<const ItemResult> items) {
    return save_file(folder / kAtifName, to_pretty_json(make_atif_output(items)));
}

Result<void> save_config_files(const std::filesystem::path& folder, std::string_view original, std::string_view effective,
                               const EvalMetadata& metadata) {
    PLIMSOLL_TRY(save_file(folder / "config_original.yml", original));
    PLIMSOLL_TRY(save_file(folder / "config_effective.yml", effective));
    return save_metadata(folder, metadata);
}

std::string evaluator_file(const std::string& name) { return name + "_output.json"; }

Result<void> save_evaluator_output(const std::filesystem::path& folder, const std::string& name, const EvaluatorOutput& output) {
    const std::string file = evaluator_file(name);
    if (!stays_inside(file))
        return fail(ErrorCode::invalid_argument, fmt::format("the evaluator's name leaves the output folder: {}", name));
    return save_file(folder / file, to_pretty_json(to_json(output)));
}

}  // namespace plimsoll::eval
