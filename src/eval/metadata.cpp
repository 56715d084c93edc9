#include "eval/metadata.h"

#include "base/clock.h"
#include "base/files.h"

namespace plimsoll::eval {
namespace {

constexpr const char* kFileName = "config_metadata.json";
constexpr double kNatExportTimeoutSeconds = 60;  // a constant of NAT's own metadata

json::value text_or_null(const std::optional<std::string>& text) { return text ? json::value(*text) : json::value(nullptr); }

bool get_flag(const json::value& object, std::string_view key) {
    const auto* value = find(object, key);
    return value && value->is_bool() && value->get_bool();
}

std::vector<config::Override> parse_overrides(const json::value& value) {
    std::vector<config::Override> overrides;
    if (const auto* list = find(value, "overrides"); list && list->is_array())
        for (const auto& entry : list->get_array())
            overrides.push_back({get_string(entry, "path").value_or(""), get_string(entry, "value").value_or("")});
    return overrides;
}

EvalMetadata parse_metadata(const json::value& value) {
    EvalMetadata metadata;
    metadata.config_file = get_string(value, "config_file").value_or("");
    metadata.overrides = parse_overrides(value);
    metadata.dataset = get_string(value, "dataset");
    metadata.result_json_path = get_string(value, "result_json_path").value_or(metadata.result_json_path);
    metadata.skip_workflow = get_flag(value, "skip_workflow");
    metadata.skip_completed_entries = get_flag(value, "skip_completed_entries");
    metadata.reps = static_cast<int>(get_int(value, "reps").value_or(metadata.reps));
    metadata.endpoint = get_string(value, "endpoint");
    metadata.endpoint_timeout = static_cast<int>(get_int(value, "endpoint_timeout").value_or(metadata.endpoint_timeout));
    metadata.adjust_dataset_size = get_flag(value, "adjust_dataset_size");
    metadata.num_passes = static_cast<int>(get_int(value, "num_passes").value_or(metadata.num_passes));
    metadata.user_id = get_string(value, "user_id").value_or(metadata.user_id);
    const auto* own = find(value, "plimsoll");
    if (!own) return metadata;
    metadata.working_folder = get_string(*own, "working_folder").value_or("");
    metadata.nat_compat = get_flag(*own, "nat_compat");
    if (const auto* names = find(*own, "named_files"); names && names->is_array())
        for (const auto& name : names->get_array()) metadata.named_files.push_back(to_text(name));
    return metadata;
}

}  // namespace

json::value to_json(const EvalMetadata& metadata) {
    json::array overrides;
    for (const auto& entry : metadata.overrides) overrides.push_back({{"path", entry.path}, {"value", entry.value}});
    return {{"config_file", metadata.config_file},
            {"config_file_type", "Path"},
            {"overrides", std::move(overrides)},
            {"dataset", text_or_null(metadata.dataset)},
            {"result_json_path", metadata.result_json_path},
            {"skip_workflow", metadata.skip_workflow},
            {"skip_completed_entries", metadata.skip_completed_entries},
            {"reps", metadata.reps},
            {"endpoint", text_or_null(metadata.endpoint)},
            {"endpoint_timeout", metadata.endpoint_timeout},
            {"adjust_dataset_size", metadata.adjust_dataset_size},
            {"num_passes", metadata.num_passes},
            {"export_timeout", kNatExportTimeoutSeconds},
            {"user_id", metadata.user_id},
            {"timestamp", to_iso8601(metadata.timestamp)},
            {"plimsoll",
             {{"working_folder", metadata.working_folder},
              {"nat_compat", metadata.nat_compat},
              {"named_files", json::value_from(metadata.named_files)}}}};
}

Result<EvalMetadata> load_metadata(const std::filesystem::path& folder) {
    const auto text = load_file(folder / kFileName);
    if (!text) return fail(text.error());
    const auto value = parse_json(*text);
    if (!value) return fail(value.error().with_context((folder / kFileName).string()));
    return parse_metadata(*value);
}

Result<void> save_metadata(const std::filesystem::path& folder, const EvalMetadata& metadata) {
    return save_file(folder / kFileName, to_pretty_json(to_json(metadata)));
}

}  // namespace plimsoll::eval
