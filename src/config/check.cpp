#include "config/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/sections.h"

namespace plimsoll::config {
namespace {

void check_telemetry(const Checking& checking, const Node& general, Config& out) {
    const auto* telemetry = check_mapping(checking, find(general, "telemetry"), "general.telemetry", {"logging", "tracing"});
    if (!telemetry) return;
    out.tracing = check_components(checking, find(*telemetry, "tracing"), "general.telemetry.tracing", "telemetry.tracing");
    out.logging = check_components(checking, find(*telemetry, "logging"), "general.telemetry.logging", "telemetry.logging");
}

// A server of a kind that this build has not is nothing to refuse a file for: most commands serve nothing.
void check_front_end(const Checking& checking, const Member& member, Config& out) {
    const TypedNode typed = {.section = "general.front_end",
                             .catalogue_sections = {"front_end"},
                             .name = "front_end",
                             .path = "general.front_end",
                             .node = member.value,
                             .mark = member.mark,
                             .default_type = "fastapi"};
    const auto* type = find(member.value, "_type");
    if (type && !find_type(checking.catalogue, typed.catalogue_sections, type->text))
        checking.problems.warning(type->mark, "general.front_end._type", fmt::format("this build does not serve \"{}\"", type->text));
    else
        out.front_end = check_component(checking, typed);
}

void check_general(const Checking& checking, Config& out) {
    constexpr std::array kPerUser = {"per_user_workflow_timeout", "per_user_workflow_cleanup_interval", "enable_per_user_monitoring"};
    std::vector<std::string> keys = {"use_uvloop", "telemetry", "front_end"};
    keys.insert(keys.end(), kPerUser.begin(), kPerUser.end());
    const auto* general = check_mapping(checking, find(checking.root, "general"), "general", keys);
    if (!general) return;
    for (const char* key : kPerUser)
        if (const auto* member = find_member(*general, key); member && !member->value.is_null())
            checking.problems.warning(member->mark, join_path("general", key), "has no effect: this build keeps no workflow for each user");
    check_telemetry(checking, *general, out);
    if (const auto* front_end = find_member(*general, "front_end")) check_front_end(checking, *front_end, out);
}

// What only NAT's own commands read.
void check_not_run(const Checking& checking) {
    for (const char* section : {"optimizer", "finetuning"})
        if (const auto* member = find_member(checking.root, section); member && !member->value.is_null())
            checking.problems.warning(member->mark, section, fmt::format("this build does not run {}", section));
}

void check_workflow(const Checking& checking, Config& out) {
    const auto* workflow = find_member(checking.root, "workflow");
    if (!workflow || workflow->value.is_null()) return;
    out.workflow = check_component(checking, {.section = "workflow",
                                              .catalogue_sections = {"workflow", "functions"},
                                              .name = "<workflow>",
                                              .path = "workflow",
                                              .node = workflow->value,
                                              .mark = workflow->mark});
}

// Tools are called by name, so that a function and a group of the same name could not be told apart.
void check_group_names(const Checking& checking) {
    const auto* groups = find(checking.root, "function_groups");
    const auto* functions = find(checking.root, "functions");
    if (!groups || !functions) return;
    for (const auto& group : groups->members)
        if (find_member(*functions, group.key))
            checking.problems.error(group.mark, "function_groups." + group.key, "is the name of a function too");
}

}  // namespace

const Node* check_mapping(const Checking& checking, const Node* node, const std::string& path, const std::vector<std::string>& keys) {
    if (!node || node->is_null()) return nullptr;
    if (!node->is_map()) {
        checking.problems.error(node->mark, path, "must be a mapping");
        return nullptr;
    }
    for (const auto& member : node->members)
        if (std::ranges::find(keys, member.key) == keys.end()) checking.unknown_key(member, path, keys);
    return node;
}

std::map<std::string, Component> check_components(const Checking& checking, const Node* section, const std::string& path,
                                                  const std::string& catalogue_section) {
    std::map<std::string, Component> components;
    if (!section || section->is_null()) return components;
    if (!section->is_map()) {
        checking.problems.error(section->mark, path, "must be a mapping of names");
        return components;
    }
    for (const auto& member : section->members)
        components[member.key] = check_component(checking, {.section = path,
                                                            .catalogue_sections = {catalogue_section},
                                                            .name = member.key,
                                                            .path = join_path(path, member.key),
                                                            .node = member.value,
                                                            .mark = member.mark});
    return components;
}

void check_config(const Checking& checking, Config& out) {
    check_mapping(checking, &checking.root, "", section_names());
    for (const auto name : kComponentSections) {
        const std::string section(name);
        auto components = check_components(checking, find(checking.root, section), section, section);
        if (section == "llms")
            out.llms = std::move(components);
        else if (section == "embedders")
            out.embedders = std::move(components);
        else if (section == "functions")
            out.functions = std::move(components);
    }
    check_group_names(checking);
    check_workflow(checking, out);
    check_general(checking, out);
    check_not_run(checking);
    check_eval(checking, out);
}

}  // namespace plimsoll::config
