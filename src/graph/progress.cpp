#include "graph/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/pending_writes.h"

namespace plimsoll::graph {

Result<json::value> parse_blob(const Blob& blob, std::string_view what) {
    if (!blob) return fail(ErrorCode::parse, fmt::format("{}: no value", what));
    auto value = parse_json(*blob);
    if (!value) return fail(value.error().with_context(what));
    return value;
}

Blob make_blob(const json::value& value) { return std::make_shared<const std::string>(to_compact_json(value)); }

Progress::Progress(const Program& program, void* state)
    : program_(program),
      state_(state),
      triggers_(program.triggers.begin(), program.triggers.end()),
      groups_(program),
      versions_(program.channels.size(), 0),
      filled_(program.channels.size(), false) {}

Result<bool> Progress::apply(std::vector<Task>& tasks) {
    ++version_;
    for (const Task& task : tasks) {
        if (task.is_send()) continue;
        for (const std::size_t trigger : task.node->triggers) triggers_[trigger].consume(version_);
    }
    gather(tasks);
    for (const Task& task : tasks)
        for (const TriggerWrite& edge : task.node->edges) triggers_[edge.trigger].write(edge.writer, version_);
    PLIMSOLL_TRY(groups_.apply(state_));
    return note_written_channels();
}

void Progress::gather(std::vector<Task>& tasks) {
    groups_.clear();
    for (Task& task : tasks) {
        for (Write& write : task.writes) groups_.add(write);
        for (const TriggerWrite& edge : task.triggered) triggers_[edge.trigger].write(edge.writer, version_);
        for (PendingSend& send : task.sends) sends_.push_back(std::move(send));
    }
}

Result<bool> Progress::apply_writes(std::vector<Task>& tasks) {
    ++version_;
    gather(tasks);
    PLIMSOLL_TRY(groups_.apply(state_));
    bool any = false;
    for (std::size_t i = 0; i < versions_.size(); ++i) {
        if (!groups_.has(i)) continue;
        versions_[i] = version_;
        filled_[i] = any = true;
    }
    return any;
}

// Clears transient channels that held a value and were not written again. Returns whether any channel was written.
bool Progress::note_written_channels() {
    const bool all = std::exchange(all_touched_, false);
    bool any = all;
    for (std::size_t i = 0; i < versions_.size(); ++i) {
        const bool written = all || groups_.has(i);
        any = any || written;
        const bool expired = !written && filled_[i] && program_.channels[i]->is_transient();
        if (expired) program_.channels[i]->clear(state_);
        filled_[i] = written || (filled_[i] && !expired);
        if (written || expired) versions_[i] = version_;
    }
    return any;
}

Result<void> Progress::plan(std::vector<Task>& tasks) {
    tasks.clear();
    add_triggered_tasks(tasks);
    if (tasks.empty() && sends_.empty()) {
        for (TriggerState& trigger : triggers_) trigger.finish(version_);
        add_triggered_tasks(tasks);
    }
    if (tasks.size() + sends_.size() > kMaxTasksPerStep)
        return fail(ErrorCode::limit, fmt::format("{} Sends in one step, at most {} tasks", sends_.size(), kMaxTasksPerStep));
    for (PendingSend& send : sends_) {
        Task& task = tasks.emplace_back();
        task.id = {step + 1, tasks.size() - 1};
        task.node = &program_.nodes[send.node];
        task.argument = std::move(send.argument);
    }
    sends_.clear();
    return {};
}

void Progress::add_triggered_tasks(std::vector<Task>& tasks) {
    for (const Node& node : program_.nodes) {
        const auto fires = [this](std::size_t trigger) { return triggers_[trigger].fires(); };
        if (!std::ranges::any_of(node.triggers, fires)) continue;
        Task& task = tasks.emplace_back();
        task.id = {step + 1, tasks.size() - 1};
        task.node = &node;
    }
}

void Progress::discard_planned() {
    ++version_;
    for (TriggerState& trigger : triggers_) trigger.discard(version_);
    sends_.clear();
}

bool Progress::is_present(std::size_t channel) const {
    const bool expired = program_.channels[channel]->is_transient() && !filled_[channel];
    return versions_[channel] > 0 && !expired && program_.channels[channel]->is_present(state_);
}

std::vector<std::string_view> Progress::triggers_of(const Task& task) const {
    if (task.is_send()) return {kSendChannel};
    std::vector<std::string_view> names;
    for (const std::size_t trigger : task.node->triggers)
        if (triggers_[trigger].fires()) names.push_back(program_.triggers[trigger].name);
    return names;
}

std::optional<std::size_t> Progress::last_node() const {
    std::optional<std::size_t> last;
    Version newest = 0;
    for (std::size_t i = 0; i < triggers_.size(); ++i) {
        const std::size_t node = program_.triggers[i].node;
        if (triggers_[i].seen() > newest) {
            newest = triggers_[i].seen();
            last = node;
        } else if (newest > 0 && triggers_[i].seen() == newest && last != node) {
            last = std::nullopt;
        }
    }
    return last;
}

void Progress::save(Checkpoint& checkpoint, std::span<const Task> planned) const {
    // Versions only grow, so what is newer than everything in the checkpoint is what changed since.
    Version newest = 0;
    for (const auto& [name, version] : checkpoint.versions) newest = std::max(newest, version);
    checkpoint.updated.clear();
    const auto note = [&](const std::string& name, Version version, Blob value) {
        checkpoint.versions.insert_or_assign(name, version);
        if (value)
            checkpoint.values.insert_or_assign(name, std::move(value));
        else
            checkpoint.values.erase(name);
        checkpoint.updated.push_back(name);
    };
    for (std::size_t i = 0; i < versions_.size(); ++i) {
        const Channel& channel = *program_.channels[i];
        if (versions_[i] > newest && !channel.is_untracked())
            note(channel.name(), versions_[i], is_present(i) ? make_blob(channel.to_json(state_)) : nullptr);
    }
    for (std::size_t i = 0; i < triggers_.size(); ++i) {
        const TriggerState& state = triggers_[i];
        const Trigger& trigger = program_.triggers[i];
        if (state.version() > newest)
            note(trigger.name, state.version(), state.is_empty() ? nullptr : std::make_shared<const std::string>(state.to_text()));
        if (state.consumed() > newest && state.seen() > 0)
            checkpoint.seen[program_.nodes[trigger.node].name].insert_or_assign(trigger.name, state.seen());
    }
    json::array sends;
    for (const Task& task : planned)
        if (task.is_send()) sends.push_back({{"node", task.node->name}, {"argument", task.node->argument_to_json(task.argument)}});
    if (version_ > newest && (!sends.empty() || checkpoint.values.contains(kSendChannel)))
        note(std::string(kSendChannel), version_, sends.empty() ? nullptr : make_blob(std::move(sends)));
}

Result<void> Progress::load(const Checkpoint& checkpoint) {
    const auto version_of = [&](const std::string& name) {
        const auto found = checkpoint.versions.find(name);
        return found == checkpoint.versions.end() ? Version{0} : found->second;
    };
    for (const auto& [name, version] : checkpoint.versions) version_ = std::max(version_, version);
    for (std::size_t i = 0; i < versions_.size(); ++i) {
        const Channel& channel = *program_.channels[i];
        versions_[i] = version_of(channel.name());
        const auto found = checkpoint.values.find(channel.name());
        filled_[i] = found != checkpoint.values.end();
        if (!filled_[i]) continue;
        const auto value = parse_blob(found->second, "channel " + channel.name());
        if (!value) return fail(value.error());
        PLIMSOLL_TRY(channel.load_json(state_, *value));
    }
    for (std::size_t i = 0; i < triggers_.size(); ++i) {
        const Trigger& trigger = program_.triggers[i];
        Version seen = 0;
        if (const auto node = checkpoint.seen.find(program_.nodes[trigger.node].name); node != checkpoint.seen.end())
            if (const auto found = node->second.find(trigger.name); found != node->second.end()) seen = found->second;
        json::value saved;
        const auto found = checkpoint.values.find(trigger.name);
        if (found != checkpoint.values.end()) {
            auto value = parse_blob(found->second, trigger.name);
            if (!value) return fail(value.error());
            saved = std::move(*value);
        }
        triggers_[i].load(&saved, version_of(trigger.name), seen);
    }
    return load_sends(checkpoint);
}

Result<void> Progress::load_sends(const Checkpoint& checkpoint) {
    const auto found = checkpoint.values.find(kSendChannel);
    if (found == checkpoint.values.end()) return {};
    const auto sends = parse_blob(found->second, "pending Sends");
    if (!sends) return fail(sends.error());
    if (!sends->is_array()) return fail(ErrorCode::parse, "pending Sends: not a list");
    for (const json::value& send : sends->get_array()) {
        auto loaded = send_from_json(program_, send);
        if (!loaded) return fail(loaded.error());
        sends_.push_back(std::move(*loaded));
    }
    return {};
}

}  // namespace plimsoll::graph
