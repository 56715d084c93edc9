#include "graph/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

namespace plimsoll::graph {
namespace {

// Kept free for the names of triggers and of nested runs.
constexpr std::string_view kReservedCharacters = ":|";

bool is_reserved(std::string_view name) {
    return name == kStart || name == kEnd || name.find_first_of(kReservedCharacters) != std::string_view::npos;
}

std::size_t add_trigger(Program& program, std::size_t node, std::string name, std::size_t writers) {
    const std::size_t index = program.triggers.size();
    program.triggers.push_back({std::move(name), node, writers, program.nodes[node].defer});
    program.nodes[node].triggers.push_back(index);
    return index;
}

Node& source_node(Program& program, std::string_view name) {
    return name == kStart ? program.entry : program.nodes[*program.find_node(name)];
}

// The same edge drawn twice is one edge.
void add_write(std::vector<TriggerWrite>& edges, TriggerWrite write) {
    const bool known = std::ranges::any_of(edges, [&](const TriggerWrite& edge) { return edge.trigger == write.trigger; });
    if (!known) edges.push_back(write);
}

void add_barrier_edges(Program& program, std::vector<std::string> from, const std::string& to) {
    std::ranges::sort(from);
    from.erase(std::ranges::unique(from).begin(), from.end());
    const std::size_t trigger =
        add_trigger(program, *program.find_node(to), fmt::format("join:{}:{}", fmt::join(from, "+"), to), from.size());
    for (std::size_t i = 0; i < from.size(); ++i) add_write(source_node(program, from[i]).edges, {trigger, i});
}

// One flag for each of `all`; empty when `names` is.
template <class All, class NameOf>
std::vector<bool> flags_of(const std::vector<std::string>& names, const All& all, NameOf name_of) {
    std::vector<bool> flags;
    if (names.empty()) return flags;
    const auto has = [&](std::string_view name) { return std::ranges::find(names, name) != names.end(); };
    for (const auto& one : all) flags.push_back(has(name_of(one)) || has("*"));
    return flags;
}

}  // namespace

std::optional<std::size_t> Program::find_node(std::string_view name) const {
    const auto found = std::ranges::lower_bound(nodes, name, {}, [](const Node& node) { return std::string_view(node.name); });
    if (found == nodes.end() || found->name != name) return std::nullopt;
    return static_cast<std::size_t>(found - nodes.begin());
}

std::optional<std::size_t> Program::find_channel(std::string_view name) const {
    for (std::size_t i = 0; i < channels.size(); ++i)
        if (channels[i]->name() == name) return i;
    return std::nullopt;
}

std::optional<std::size_t> Program::find_trigger(std::string_view name) const {
    for (std::size_t i = 0; i < triggers.size(); ++i)
        if (triggers[i].name == name) return i;
    return std::nullopt;
}

const Node* Program::find_source(std::string_view name) const {
    if (name == kStart) return &entry;
    const auto index = find_node(name);
    return index ? &nodes[*index] : nullptr;
}

std::optional<std::size_t> Program::find_channel(MemberKey member) const {
    for (std::size_t i = 0; i < channels.size(); ++i)
        if (channels[i]->member() == member) return i;
    return std::nullopt;
}

void ProgramBuilder::find_channel_problems(const CompileOptions& options, std::vector<std::string>& problems) const {
    std::unordered_set<std::string_view> names;
    std::unordered_set<MemberKey> members;
    for (const auto& channel : channels_) {
        const std::string& name = channel->name();
        if (name.empty()) problems.push_back("a channel has no name");
        if (is_reserved(name) || name.starts_with("__")) problems.push_back(fmt::format("channel {}: the name is reserved", name));
        if (!names.insert(name).second) problems.push_back(fmt::format("channel {}: defined twice", name));
        if (!members.insert(channel->member()).second)
            problems.push_back(fmt::format("channel {}: its member has a channel already", name));
        if (options.saver && !channel->is_untracked() && !channel->has_json())
            problems.push_back(fmt::format("channel {}: its type has no JSON conversion, which a saver needs", name));
    }
    for (const auto* wanted : {&options.input_channels, &options.output_channels})
        for (const std::string& name : *wanted)
            if (!names.contains(name)) problems.push_back(fmt::format("input or output channel {}: no such channel", name));
}

void ProgramBuilder::find_node_problems(const CompileOptions& options, std::vector<std::string>& problems) const {
    std::unordered_set<std::string_view> names;
    for (const Node& node : nodes_) {
        if (node.name.empty()) problems.push_back("a node has no name");
        if (is_reserved(node.name))
            problems.push_back(fmt::format("node {}: the name is reserved", node.name));
        else if (!names.insert(node.name).second)
            problems.push_back(fmt::format("node {}: defined twice", node.name));
        if (options.saver && node.input_type != state_.type && !node.argument_to_json)
            problems.push_back(fmt::format("node {}: its argument has no JSON conversion, which a saver needs", node.name));
        if (node.call && (node.timeouts.run || node.timeouts.idle))
            problems.push_back(fmt::format("node {}: only a coroutine can be timed out", node.name));
        if (node.cache && !options.cache) problems.push_back(fmt::format("node {}: is cached, but there is no cache", node.name));
    }
    for (const auto* wanted : {&options.interrupt_before, &options.interrupt_after})
        for (const std::string& name : *wanted)
            if (name != "*" && !names.contains(name)) problems.push_back(fmt::format("interrupt at {}: no such node", name));
    for (const auto& [name, handler] : error_handlers_)
        if (!names.contains(name)) problems.push_back(fmt::format("error handler of {}: no such node", name));
    if (options.saver && !state_.make) problems.push_back("the state has no default value, which a saver needs");
}

void ProgramBuilder::find_edge_problems(std::vector<std::string>& problems) const {
    std::unordered_set<std::string_view> names;
    std::unordered_set<std::string_view> send_only;
    for (const Node& node : nodes_) {
        if (!is_reserved(node.name)) names.insert(node.name);
        if (node.input_type != state_.type) send_only.insert(node.name);
    }
    bool has_entry = false;
    const auto check_source = [&](const std::string& from, bool may_be_start) {
        if (from == kStart && may_be_start)
            has_entry = true;
        else if (!names.contains(from))
            problems.push_back(fmt::format("edge from {}: no such node", from));
    };
    for (const Edge& edge : edges_) {
        if (edge.from.empty()) problems.push_back(fmt::format("edge to {}: comes from nowhere", edge.to));
        for (const auto& from : edge.from) check_source(from, !edge.barrier);
        if (edge.to == kEnd && !edge.barrier) continue;
        if (!names.contains(edge.to))
            problems.push_back(fmt::format("edge from {} to {}: no such node", fmt::join(edge.from, "+"), edge.to));
        else if (send_only.contains(edge.to))
            problems.push_back(fmt::format("edge from {} to {}: the node takes a Send's argument, an edge passes the state",
                                           fmt::join(edge.from, "+"), edge.to));
    }
    for (const NamedRouter& router : routers_) check_source(router.from, true);
    if (!has_entry) problems.push_back(fmt::format("no entry: no edge leaves {}", kStart));
}

Result<std::shared_ptr<const Program>> ProgramBuilder::build(const CompileOptions& options) const {
    std::vector<std::string> problems;
    find_channel_problems(options, problems);
    find_node_problems(options, problems);
    find_edge_problems(problems);
    if (!problems.empty()) return fail(ErrorCode::invalid_argument, fmt::format("{}", fmt::join(problems, "; ")));

    auto program = std::make_shared<Program>();
    program->state = state_;
    program->channels = channels_;
    program->nodes = nodes_;
    program->entry.name = kStart;
    std::ranges::sort(program->nodes, {}, &Node::name);
    for (std::size_t i = 0; i < program->nodes.size(); ++i)
        program->nodes[i].branch = add_trigger(*program, i, "branch:to:" + program->nodes[i].name, 0);
    for (const Edge& edge : edges_) {
        if (edge.to == kEnd) continue;
        if (edge.barrier)
            add_barrier_edges(*program, edge.from, edge.to);
        else
            add_write(source_node(*program, edge.from.front()).edges, {program->nodes[*program->find_node(edge.to)].branch, 0});
    }
    for (const NamedRouter& router : routers_) source_node(*program, router.from).routers.push_back(router.router);
    for (const auto& [name, handler] : error_handlers_) source_node(*program, name).handle_error = handler;

    program->saver = options.saver;
    program->cache = options.cache;
    program->as_inner = options.as_inner;
    const auto node_name = [](const Node& node) { return node.name; };
    program->interrupt_before = flags_of(options.interrupt_before, program->nodes, node_name);
    program->interrupt_after = flags_of(options.interrupt_after, program->nodes, node_name);
    const auto channel_name = [](const auto& channel) { return channel->name(); };
    program->is_input = flags_of(options.input_channels, program->channels, channel_name);
    program->is_output = flags_of(options.output_channels, program->channels, channel_name);
    return program;
}

}  // namespace plimsoll::graph
