#include <fmt/format.h>

#include <chrono>

#include "base/clock.h"
#include "graph/checkpoint_log.h"
#include "graph/program.h"
#include "graph/run_options.h"
#include "graph/task.h"

namespace plimsoll::graph {
namespace {

json::object values_json(const StreamEvent& event) {
    json::object values;
    for (std::size_t i = 0; i < event.program->channels.size(); ++i) {
        const Channel& channel = *event.program->channels[i];
        if (event.versions[i] > 0 && event.program->shows(i) && channel.has_json() && channel.is_present(event.state))
            values.insert_or_assign(channel.name(), channel.to_json(event.state));
    }
    return values;
}

// What a task wrote, by channel; several writes to one channel as {"$writes": [in order]}; null when it wrote nothing.
json::value writes_json(const StreamEvent& event) {
    json::object written;
    for (const Write& write : event.writes) {
        const Channel& channel = *event.program->channels[write.channel];
        if (!channel.has_json()) continue;
        json::value value = channel.write_to_json(write);
        json::value* before = written.if_contains(channel.name());
        if (!before) {
            written.emplace(channel.name(), std::move(value));
            continue;
        }
        json::object* several = before->if_object();
        json::value* list = several && several->size() == 1 ? several->if_contains("$writes") : nullptr;
        if (list)
            list->as_array().push_back(std::move(value));
        else
            *before = json::object{{"$writes", json::array{std::move(*before), std::move(value)}}};
    }
    if (written.empty()) return nullptr;
    return written;
}

json::value task_json(const StreamEvent& event) {
    const Task& task = *event.source;
    json::value input;
    if (!task.is_send())
        input = values_json(event);
    else if (task.node->argument_to_json)
        input = task.node->argument_to_json(task.argument);
    json::array triggers;
    for (const std::string_view trigger : event.triggers) triggers.emplace_back(trigger);
    return {{"id", task.key}, {"name", task.node->name}, {"input", std::move(input)}, {"triggers", std::move(triggers)}};
}

json::value task_result_json(const StreamEvent& event) {
    const Task& task = *event.source;
    json::value error;
    if (task.error) error = fmt::format("{}: {}", to_string(task.error->code), task.error->message);
    json::value result = writes_json(event);
    if (result.is_null()) result = json::object();
    return {{"id", task.key},
            {"name", task.node->name},
            {"error", std::move(error)},
            {"result", std::move(result)},
            {"interrupts", to_json(task.interrupts)}};
}

json::value key_json(const CheckpointKey& key) {
    if (key.id.empty()) return nullptr;
    return {{"configurable", {{"thread_id", key.thread}, {"checkpoint_ns", key.space}, {"checkpoint_id", key.id}}}};
}

json::value checkpoint_json(const StreamEvent& event) {
    const CheckpointMetadata& metadata = event.log->metadata();
    json::array next;
    if (metadata.source == CheckpointSource::input) next.emplace_back(kStart);
    for (const Task& task : event.next) next.emplace_back(task.node->name);
    json::object parents;
    for (const auto& [space, id] : metadata.parents) parents.emplace(space, id);
    return {{"config", key_json(event.log->key())},
            {"parent_config", key_json(event.log->parent())},
            {"values", values_json(event)},
            {"next", std::move(next)},
            {"metadata", {{"source", to_string(metadata.source)}, {"step", metadata.step}, {"parents", std::move(parents)}}}};
}

std::optional<json::value> debug_json(const StreamEvent& event) {
    std::string_view type;
    json::value payload;
    switch (event.kind) {
        case StreamEvent::Kind::task:
            type = "task";
            payload = task_json(event);
            break;
        case StreamEvent::Kind::task_result:
            type = "task_result";
            payload = task_result_json(event);
            break;
        case StreamEvent::Kind::checkpoint:
            type = "checkpoint";
            payload = checkpoint_json(event);
            break;
        default: return std::nullopt;
    }
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    return json::object{{"step", event.task.step}, {"timestamp", to_iso8601(now)}, {"type", type}, {"payload", std::move(payload)}};
}

json::value update_json(const StreamEvent& event) {
    json::object update{{event.node, writes_json(event)}};
    if (event.cached) update.emplace("__metadata__", json::object{{"cached", true}});
    return update;
}

}  // namespace

std::vector<std::string_view> StreamEvent::channels() const {
    std::vector<std::string_view> names;
    names.reserve(writes.size());
    for (const Write& write : writes) names.push_back(program->channels[write.channel]->name());
    return names;
}

std::optional<json::value> StreamEvent::to_json(StreamMode mode) const {
    if (mode == StreamMode::debug) return debug_json(*this);
    const auto shown_in = [mode](StreamMode wanted) { return mode == wanted; };
    switch (kind) {
        case Kind::values:
            if (shown_in(StreamMode::values)) return values_json(*this);
            break;
        case Kind::update:
            if (shown_in(StreamMode::updates)) return update_json(*this);
            break;
        case Kind::interrupt:
            if (shown_in(StreamMode::values) || shown_in(StreamMode::updates)) {
                json::object shown;
                if (shown_in(StreamMode::values) && state) shown = values_json(*this);
                shown.insert_or_assign(kInterruptChannel, graph::to_json(*interrupts));
                return shown;
            }
            break;
        case Kind::custom:
            if (shown_in(StreamMode::custom)) return *data;
            break;
        case Kind::message:
            if (shown_in(StreamMode::messages)) return json::array{*data, {{"langgraph_node", node}, {"langgraph_step", task.step}}};
            break;
        case Kind::task:
            if (shown_in(StreamMode::tasks)) return task_json(*this);
            break;
        case Kind::task_result:
            if (shown_in(StreamMode::tasks)) return task_result_json(*this);
            break;
        case Kind::checkpoint:
            if (shown_in(StreamMode::checkpoints)) return checkpoint_json(*this);
            break;
    }
    return std::nullopt;
}

}  // namespace plimsoll::graph
