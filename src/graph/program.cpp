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

}  // namespace

std::optional<std::size_t> Program::find_node(std::string_view name) const {
    const auto found = std::ranges::lower_bound(nodes, name, {}, [](const Node& node) { return std::string_view(node.name); });
    if (found == nodes.end() || found->name != name) return std::nullopt;
    return static_cast<std::size_t>(found - nodes.begin());
}

std::optional<std::size_t> Program::find_channel(MemberKey member) const {
    for (std::size_t i = 0; i < channels.size(); ++i)
        if (channels[i]->member() == member) return i;
    return std::nullopt;
}

ProgramBuilder::ProgramBuilder(std::type_index state_type, std::function<std::shared_ptr<void>(const void*)> copy_state)
    : state_type_(state_type), copy_state_(std::move(copy_state)) {}

void ProgramBuilder::add_channel(std::shared_ptr<const Channel> channel) { channels_.push_back(std::move(channel)); }

void ProgramBuilder::add_node(Node node) { nodes_.push_back(std::move(node)); }

void ProgramBuilder::add_edge(std::string from, std::string to) { edges_.push_back({{std::move(from)}, std::move(to), false}); }

void ProgramBuilder::add_barrier(std::vector<std::string> from, std::string to) {
    edges_.push_back({std::move(from), std::move(to), true});
}

void ProgramBuilder::add_router(std::string from, Router router) { routers_.push_back({std::move(from), std::move(router)}); }

std::vector<std::string> ProgramBuilder::find_problems() const {
    std::vector<std::string> problems;
    std::unordered_set<std::string_view> channel_names;
    std::unordered_set<MemberKey> members;
    for (const auto& channel : channels_) {
        if (channel->name().empty()) problems.push_back("a channel has no name");
        if (!channel_names.insert(channel->name()).second) problems.push_back(fmt::format("channel {}: defined twice", channel->name()));
        if (!members.insert(channel->member()).second)
            problems.push_back(fmt::format("channel {}: its member has a channel already", channel->name()));
    }

    std::unordered_set<std::string_view> names;
    std::unordered_set<std::string_view> send_only;
    for (const Node& node : nodes_) {
        if (node.name.empty()) problems.push_back("a node has no name");
        if (is_reserved(node.name))
            problems.push_back(fmt::format("node {}: the name is reserved", node.name));
        else if (!names.insert(node.name).second)
            problems.push_back(fmt::format("node {}: defined twice", node.name));
        if (node.input_type != state_type_) send_only.insert(node.name);
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
    return problems;
}

Result<std::shared_ptr<const Program>> ProgramBuilder::build() const {
    if (const auto problems = find_problems(); !problems.empty())
        return fail(ErrorCode::invalid_argument, fmt::format("{}", fmt::join(problems, "; ")));
    auto program = std::make_shared<Program>();
    program->state_type = state_type_;
    program->copy_state = copy_state_;
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
    return program;
}

}  // namespace plimsoll::graph
