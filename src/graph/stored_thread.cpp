#include "graph/stored_thread.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/node_run.h"
#include "graph/pending_writes.h"

namespace plimsoll::graph {
namespace {

constexpr std::string_view kUpdatePrefix = "update:";

// A node for writes that are nobody's: no triggers, no edges.
const Node& nobody() {
    static const Node node;
    return node;
}

bool has_result(const std::vector<PendingWrite>& pending, const std::string& task) {
    return std::ranges::any_of(pending, [&](const PendingWrite& write) { return write.task == task && !is_record(write.channel); });
}

bool takes_input(const Program& program, std::size_t channel) { return program.is_input.empty() || program.is_input[channel]; }

}  // namespace

asio::awaitable<Result<std::optional<StoredCheckpoint>>> fetch_checkpoint(CheckpointSaver& saver, CheckpointKey key) {
    try {
        co_return co_await saver.get(std::move(key));
    } catch (const std::exception&) {
        co_return fail(error_of(std::current_exception()));
    }
}

Result<void> load_progress(const Program& program, Progress& progress, const StoredCheckpoint& stored) {
    program.state.assign(progress.state(), program.state.make().get());
    PLIMSOLL_TRY(progress.load(stored.checkpoint));
    progress.step = stored.metadata.step;
    return {};
}

Result<bool> take_input(const Program& program, Progress& progress, bool is_state, const StoredCheckpoint* stored, UpdateData& update) {
    if (is_state) {
        for (std::size_t i = 0; i < program.channels.size(); ++i)
            if (!takes_input(program, i)) program.channels[i]->clear(progress.state());
        if (!stored) return true;
        for (std::size_t i = 0; i < program.channels.size(); ++i)
            if (takes_input(program, i) && program.channels[i]->is_present(progress.state()))
                update.writes.push_back(program.channels[i]->read(progress.state()));
    } else {
        std::erase_if(update.writes, [&](const Write& write) {
            const auto channel = program.find_channel(write.member);
            return channel && !takes_input(program, *channel);
        });
    }
    if (stored) {
        PLIMSOLL_TRY(load_progress(program, progress, *stored));
        progress.discard_planned();
    }
    return false;
}

Result<json::value> input_to_json(const Program& program, const UpdateData& update, const Progress* whole) {
    json::array writes;
    const auto add = [&](const Channel& channel, const Write& write) {
        if (!channel.is_untracked()) writes.push_back({channel.name(), channel.write_to_json(write)});
    };
    if (whole) {
        for (const auto& channel : program.channels) {
            if (!channel->is_present(whole->state())) continue;
            Write write = channel->read(whole->state());
            write.overwrite = true;  // it is the state to begin with, whatever the reducer does
            add(*channel, write);
        }
    }
    for (const Write& write : update.writes)
        if (const auto channel = program.find_channel(write.member)) add(*program.channels[*channel], write);
    json::array targets;
    for (const Target& target : update.targets) {
        if (target.argument.has_value()) return fail(ErrorCode::invalid_argument, "an input cannot send; it can only go to nodes");
        targets.emplace_back(target.node);
    }
    return json::object{{"writes", std::move(writes)}, {"targets", std::move(targets)}};
}

Result<UpdateData> input_from_json(const Program& program, const Blob& input) {
    const auto value = parse_blob(input, "a stored input");
    if (!value) return fail(value.error());
    UpdateData update;
    const json::value* writes = find(*value, "writes");
    const json::value* targets = find(*value, "targets");
    if (!writes || !writes->is_array() || !targets || !targets->is_array())
        return fail(ErrorCode::parse, "a stored input without writes or targets");
    for (const json::value& item : writes->get_array()) {
        const json::array* pair = item.if_array();
        if (!pair || pair->size() != 2 || !(*pair)[0].is_string()) return fail(ErrorCode::parse, "a stored input's write is no pair");
        const auto channel = program.find_channel(std::string_view((*pair)[0].get_string()));
        if (!channel) continue;
        auto write = program.channels[*channel]->write_from_json((*pair)[1]);
        if (!write) return fail(write.error());
        update.writes.push_back(std::move(*write));
    }
    for (const json::value& target : targets->get_array())
        if (target.is_string()) update.targets.emplace_back(std::string_view(target.get_string()));
    return update;
}

std::string make_update_key(std::size_t n) { return fmt::format("{}{}", kUpdatePrefix, n); }

Result<std::size_t> apply_stored_updates(const Program& program, Progress& progress, const std::vector<PendingWrite>& pending) {
    for (std::size_t n = 0;; ++n) {
        const std::string key = make_update_key(n);
        if (!has_result(pending, key)) return n;
        std::vector<Task> tasks(1);
        tasks.front().node = &nobody();
        for (const PendingWrite& write : pending)
            if (write.task == key) PLIMSOLL_TRY(add_pending_write(program, write, tasks.front()));
        const auto applied = progress.apply_writes(tasks);
        if (!applied) return fail(applied.error());
    }
}

Result<void> restore_tasks(const Program& program, const std::vector<PendingWrite>& pending, std::vector<Task>& tasks) {
    for (Task& task : tasks) {
        for (const PendingWrite& write : pending) {
            if (write.task != task.key) continue;
            if (write.channel == kResumeChannel) {
                auto answers = parse_blob(write.value, "stored answers");
                if (!answers) return fail(answers.error());
                if (!answers->is_array()) return fail(ErrorCode::parse, "stored answers: not a list");
                task.answers.assign(answers->get_array().begin(), answers->get_array().end());
            } else if (!is_record(write.channel)) {
                PLIMSOLL_TRY(add_pending_write(program, write, task));
                task.done = task.cached = task.stored = true;
            }
        }
    }
    return {};
}

Result<std::vector<Interrupt>> open_interrupts(const std::vector<PendingWrite>& pending, const std::vector<Task>& tasks) {
    std::vector<Interrupt> open;
    for (const Task& task : tasks) {
        if (task.done) continue;
        for (const PendingWrite& write : pending) {
            if (write.task != task.key || write.channel != kInterruptChannel) continue;
            const auto value = parse_blob(write.value, "stored questions");
            if (!value) return fail(value.error());
            const auto asked = interrupts_from_json(*value);
            if (!asked) return fail(asked.error());
            open.insert(open.end(), asked->begin(), asked->end());
        }
    }
    return open;
}

Result<Answers> resolve_answers(const Resume& resume, const std::vector<PendingWrite>& pending, const std::vector<Task>& tasks) {
    Answers answers = resume.answers;
    if (!resume.answer && answers.empty()) return answers;
    const auto open = open_interrupts(pending, tasks);
    if (!open) return fail(open.error());
    if (resume.answer) {
        if (open->size() != 1)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("{} questions are open; an answer without an interrupt's id needs exactly one", open->size()));
        answers.insert_or_assign(open->front().id, *resume.answer);
    }
    for (const auto& [id, answer] : answers)
        if (std::ranges::find(*open, id, &Interrupt::id) == open->end())
            return fail(ErrorCode::invalid_argument, fmt::format("interrupt {}: no such question is open", id));
    return answers;
}

std::vector<PendingWrite> task_records(const Program& program, const Task& task) {
    if (task.stored) return {};
    if (task.done) return to_pending_writes(program, task);
    if (!task.interrupts.empty()) return {{task.key, std::string(kInterruptChannel), make_blob(to_json(task.interrupts))}};
    if (!task.error) return {};
    const json::value error{{"code", to_string(task.error->code)}, {"message", task.error->message}};
    return {{task.key, std::string(kErrorChannel), make_blob(error)}};
}

}  // namespace plimsoll::graph
