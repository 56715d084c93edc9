#include "graph/pending_writes.h"

#include <fmt/format.h>

#include "graph/progress.h"

namespace plimsoll::graph {

json::value send_to_json(const Program& program, const PendingSend& send) {
    const Node& node = program.nodes[send.node];
    return {{"node", node.name}, {"argument", node.argument_to_json(send.argument)}};
}

Result<PendingSend> send_from_json(const Program& program, const json::value& value) {
    const auto name = get_string(value, "node");
    const json::value* argument = find(value, "argument");
    if (!name || !argument) return fail(ErrorCode::parse, "a Send without node or argument");
    const auto node = program.find_node(*name);
    if (!node) return fail(ErrorCode::not_found, fmt::format("a stored Send goes to {}, which is no node any more", *name));
    auto loaded = program.nodes[*node].argument_from_json(*argument);
    if (!loaded) return fail(loaded.error().with_context("node " + *name));
    return PendingSend{*node, std::move(*loaded)};
}

bool is_record(std::string_view channel) { return channel == kErrorChannel || channel == kInterruptChannel || channel == kResumeChannel; }

std::vector<PendingWrite> to_pending_writes(const Program& program, const Task& task) {
    std::vector<PendingWrite> all;
    const auto add = [&](std::string_view channel, const json::value& value) {
        all.push_back({task.key, std::string(channel), make_blob(value)});
    };
    for (const Write& write : task.writes) {
        const Channel& channel = *program.channels[write.channel];
        if (!channel.is_untracked()) add(channel.name(), channel.write_to_json(write));
    }
    for (const TriggerWrite& written : task.triggered) add(program.triggers[written.trigger].name, nullptr);
    for (const PendingSend& send : task.sends) add(kSendChannel, send_to_json(program, send));
    if (all.empty()) add(kNoWrites, nullptr);
    return all;
}

Result<void> add_pending_write(const Program& program, const PendingWrite& write, Task& task) {
    if (write.channel == kNoWrites) return {};
    const auto value = parse_blob(write.value, "a stored write to " + write.channel);
    if (!value) return fail(value.error());
    if (write.channel == kSendChannel) {
        auto send = send_from_json(program, *value);
        if (!send) return fail(send.error());
        task.sends.push_back(std::move(*send));
    } else if (const auto channel = program.find_channel(std::string_view(write.channel))) {
        auto loaded = program.channels[*channel]->write_from_json(*value);
        if (!loaded) return fail(loaded.error());
        loaded->channel = *channel;
        task.writes.push_back(std::move(*loaded));
    } else if (const auto trigger = program.find_trigger(write.channel)) {
        task.triggered.push_back({*trigger, 0});  // targets and routers write branches, which have one writer
    } else {
        return fail(ErrorCode::not_found, fmt::format("a stored write is to {}, which is no channel any more", write.channel));
    }
    return {};
}

}  // namespace plimsoll::graph
