#include <algorithm>

#include "config/check.h"

namespace plimsoll::config {
namespace {

// NAT's `eval.general` and what is inside its `output`. The runner that reads them has defaults of its own for what is not set.
struct General {
    int max_concurrency = 8;
    std::optional<std::string> workflow_alias;
    std::string output_dir = "./.tmp/nat/examples/default/";
    json::value output, dataset, profiler;
    bool validate_llm_endpoints = false;
    bool per_input_user_id = true;
};

struct Output {
    std::string dir = "./.tmp/nat/examples/default/";
    std::optional<std::string> remote_dir, custom_pre_eval_process_function;
    json::value custom_scripts, s3, job_management;
    bool cleanup = true;
    std::optional<std::vector<std::string>> workflow_output_step_filter;
    bool write_atif_workflow_output = false;
};

struct JobManagement {
    bool append_job_id_to_output_dir = false;
    int max_jobs = 0;
    std::string eviction_policy = "time_created";
};

ComponentInfo general_info() {
    return Schema<General>("eval.general", "", "how an evaluation runs")
        .field("max_concurrency", &General::max_concurrency, "sessions in flight; 0: no bound")
        .at_least(0)
        .field("workflow_alias", &General::workflow_alias, "name shown by exporters")
        .field("output_dir", &General::output_dir, "folder of the run")
        .field("output", &General::output, "what is kept in the folder")
        .field("dataset", &General::dataset, "inputs")
        .field("profiler", &General::profiler, "analyses")
        .field("validate_llm_endpoints", &General::validate_llm_endpoints, "ask every model once before the run")
        .field("per_input_user_id", &General::per_input_user_id, "a user of its own for each input")
        .info();
}

ComponentInfo output_info() {
    return Schema<Output>("eval.general.output", "", "what is kept of a run")
        .field("dir", &Output::dir, "folder of the run; wins over output_dir")
        .field("remote_dir", &Output::remote_dir, "key prefix in the object store")
        .field("custom_pre_eval_process_function", &Output::custom_pre_eval_process_function, "Python callable for each item")
        .field("custom_scripts", &Output::custom_scripts, "scripts run after the files are written")
        .field("s3", &Output::s3, "object store")
        .field("job_management", &Output::job_management, "a folder for each run")
        .field("cleanup", &Output::cleanup, "empty the folder before the run")
        .field("workflow_output_step_filter", &Output::workflow_output_step_filter, "event types kept; empty: all")
        .field("write_atif_workflow_output", &Output::write_atif_workflow_output, "write the ATIF form too")
        .info();
}

ComponentInfo job_management_info() {
    return Schema<JobManagement>("eval.general.output.job_management", "", "a folder for each run")
        .field("append_job_id_to_output_dir", &JobManagement::append_job_id_to_output_dir, "write to jobs/job_<id>/")
        .field("max_jobs", &JobManagement::max_jobs, "folders kept; 0: no bound")
        .at_least(0)
        .field("eviction_policy", &JobManagement::eviction_policy, "which folder goes first")
        .one_of({"time_created", "time_modified"})
        .info();
}

// `inner` checked where it stands in `outer`, and put back.
void check_inner(const Checking& checking, const ComponentInfo& info, const Node& node, const std::string& key, const std::string& path,
                 json::object& settings) {
    const auto* member = find_member(node, key);
    if (!member || member->value.is_null()) {
        settings.erase(key);
        return;
    }
    const std::string inner_path = join_path(path, key);
    if (!member->value.is_map()) {
        checking.problems.error(member->value.mark, inner_path, "must be a mapping");
        return;
    }
    settings[key] = check_settings(checking, info, member->value, inner_path, member->mark);
}

json::object check_output(const Checking& checking, const Node& node, json::object settings) {
    check_inner(checking, output_info(), node, "output", "eval.general", settings);
    const auto* output = find(node, "output");
    auto* checked = settings.contains("output") ? settings.at("output").if_object() : nullptr;
    if (!output || !checked) return settings;
    check_inner(checking, job_management_info(), *output, "job_management", "eval.general.output", *checked);
    if (const auto* folder = checked->if_contains("dir")) settings["output_dir"] = *folder;
    return settings;
}

// Dataset and profiler stand under eval.general in NAT, directly under eval in published articles. Null: nowhere.
const Member* find_in_either(const Checking& checking, const Node& eval, const Node* general, const std::string& key) {
    const auto* outer = find_member(eval, key);
    const auto* inner = general ? find_member(*general, key) : nullptr;
    if (outer && inner) checking.problems.error(outer->mark, "eval." + key, "is given under eval.general too");
    const auto* member = inner ? inner : outer;
    return member && !member->value.is_null() ? member : nullptr;
}

void check_dataset(const Checking& checking, const Member& member, const std::string& path, json::object& settings) {
    if (!checking.has_types("dataset")) {
        settings["dataset"] = to_json(member.value);
        return;
    }
    const auto component = check_component(
        checking,
        {.section = path, .catalogue_sections = {"dataset"}, .name = "dataset", .path = path, .node = member.value, .mark = member.mark});
    json::object dataset = {{"_type", component.type}};
    for (const auto& [key, value] : component.settings) dataset.insert_or_assign(key, value);
    settings["dataset"] = std::move(dataset);
}

void check_profiler(const Checking& checking, const Member& member, const std::string& path, json::object& settings) {
    settings["profiler"] = to_json(member.value);
    if (!member.value.is_map()) {
        checking.problems.error(member.value.mark, path, "must be a mapping");
        return;
    }
    json::object checked;
    for (const ComponentInfo& info : checking.catalogue) {
        if (info.section != "profiler") continue;
        if (info.type.empty())
            checked = check_settings(checking, info, member.value, path, member.mark);
        else
            check_inner(checking, info, member.value, info.type, path, checked);
    }
    if (!checked.empty()) settings["profiler"] = std::move(checked);
}

}  // namespace

void check_eval(const Checking& checking, Config& out) {
    const auto* eval = check_mapping(checking, find(checking.root, "eval"), "eval", {"general", "evaluators", "dataset", "profiler"});
    if (!eval) return;
    const auto* general = find_member(*eval, "general");
    const bool has_general = general && !general->value.is_null();
    if (has_general && !general->value.is_map()) {
        checking.problems.error(general->value.mark, "eval.general", "must be a mapping");
        return;
    }
    const Node* general_node = has_general ? &general->value : nullptr;
    if (general_node)
        out.eval_general =
            check_output(checking, *general_node, check_settings(checking, general_info(), *general_node, "eval.general", general->mark));

    const auto path_of = [&](const Member* member, const std::string& key) {
        return general_node && member == find_member(*general_node, key) ? "eval.general." + key : "eval." + key;
    };
    out.eval_general.erase("dataset");
    out.eval_general.erase("profiler");
    if (const auto* dataset = find_in_either(checking, *eval, general_node, "dataset"))
        check_dataset(checking, *dataset, path_of(dataset, "dataset"), out.eval_general);
    if (const auto* profiler = find_in_either(checking, *eval, general_node, "profiler"))
        check_profiler(checking, *profiler, path_of(profiler, "profiler"), out.eval_general);
    out.evaluators = check_components(checking, find(*eval, "evaluators"), "eval.evaluators", "evaluators");
}

}  // namespace plimsoll::config
