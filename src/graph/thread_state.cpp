#include "graph/thread_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "graph/checkpoint_log.h"
#include "graph/node_run.h"
#include "graph/pending_writes.h"
#include "graph/progress.h"
#include "graph/step_tasks.h"
#include "graph/stored_thread.h"

namespace plimsoll::graph {
namespace {

Result<void> check_saver(const Program& program) {
    if (!program.saver) return fail(ErrorCode::invalid_argument, "the graph has no saver");
    return {};
}

// The tasks that a run from the checkpoint would start with, each with its key and what it has done.
Result<std::vector<Task>> plan_tasks(const Program& program, Progress& progress, const StoredCheckpoint& stored) {
    PLIMSOLL_TRY(load_progress(program, progress, stored));
    std::vector<Task> tasks;
    if (stored.checkpoint.values.contains(kStart)) return tasks;
    const auto updates = apply_stored_updates(program, progress, stored.writes);
    if (!updates) return fail(updates.error());
    PLIMSOLL_TRY(progress.plan(tasks));
    std::size_t first_send = 0;
    while (first_send < tasks.size() && !tasks[first_send].is_send()) ++first_send;
    for (Task& task : tasks) task.key = make_task_key(stored.checkpoint.id, stored.key.space, task, first_send);
    return tasks;
}

Result<ThreadTask> describe(const Task& task, const std::vector<PendingWrite>& writes, bool with_pending) {
    ThreadTask described{task.key, task.node->name, task.done && with_pending, {}, {}};
    for (const PendingWrite& write : writes) {
        if (write.task != task.key || task.done) continue;
        if (write.channel != kErrorChannel && write.channel != kInterruptChannel) continue;
        const auto value = parse_blob(write.value, "a task's record");
        if (!value) return fail(value.error());
        if (write.channel == kErrorChannel) {
            described.error = get_string(*value, "message").value_or("");
        } else {
            auto asked = interrupts_from_json(*value);
            if (!asked) return fail(asked.error());
            described.interrupts = std::move(*asked);
        }
    }
    return described;
}

}  // namespace

Result<ThreadState> read_thread_state(const Program& program, const StoredCheckpoint& stored, bool with_pending, void* state) {
    return caught([&]() -> Result<ThreadState> {
        ThreadState shown{stored.key, stored.parent, stored.checkpoint.created_at, stored.metadata, {}, {}, {}, {}};
        Progress progress(program, state);
        auto tasks = plan_tasks(program, progress, stored);
        if (!tasks) return fail(tasks.error());
        if (stored.checkpoint.values.contains(kStart)) shown.next.emplace_back(kStart);
        PLIMSOLL_TRY(restore_tasks(program, stored.writes, *tasks));
        for (const Task& task : *tasks) {
            auto described = describe(task, stored.writes, with_pending);
            if (!described) return fail(described.error());
            if (!described->done) shown.next.push_back(task.node->name);
            shown.interrupts.insert(shown.interrupts.end(), described->interrupts.begin(), described->interrupts.end());
            shown.tasks.push_back(std::move(*described));
        }
        if (with_pending) {
            std::erase_if(*tasks, [](const Task& task) { return !task.done; });
            const auto applied = progress.apply_writes(*tasks);
            if (!applied) return fail(applied.error());
        }
        for (std::size_t i = 0; i < program.channels.size(); ++i)
            if (program.shows(i) && progress.is_present(i)) shown.channels.push_back(program.channels[i]->name());
        return shown;
    });
}

asio::awaitable<Result<std::optional<StoredCheckpoint>>> fetch_state(std::shared_ptr<const Program> program, CheckpointKey key) {
    const auto checked = check_saver(*program);
    if (!checked) co_return fail(checked.error());
    co_return co_await fetch_checkpoint(*program->saver, std::move(key));
}

asio::awaitable<Result<std::vector<StoredCheckpoint>>> fetch_history(std::shared_ptr<const Program> program, std::string thread,
                                                                     ListOptions options) {
    const auto checked = check_saver(*program);
    if (!checked) co_return fail(checked.error());
    if (!options.space) options.space = "";
    try {
        co_return co_await program->saver->list(std::move(thread), std::move(options));
    } catch (const std::exception&) {
        co_return fail(error_of(std::current_exception()));
    }
}

namespace {

class ThreadUpdate {
  public:
    ThreadUpdate(const Program& program, void* state, CheckpointKey key, asio::any_io_executor executor)
        : program_(program),
          executor_(std::move(executor)),
          progress_(program, state),
          events_(program, scope_.options, scope_.space),
          step_tasks_(program, context_, scope_, progress_, events_, executor_),
          log_(program.saver, std::move(key), {}, Durability::sync, executor_) {}

    Result<void> load(const StoredCheckpoint& stored);
    asio::awaitable<Result<void>> add_step(std::vector<NodeUpdate> updates);
    const std::string& checkpoint() const { return log_.key().id; }

  private:
    Result<void> apply(std::vector<NodeUpdate> updates);
    Result<const Node*> choose_node(const std::string& name) const;

    const Program& program_;
    const asio::any_io_executor executor_;
    const event::Context context_;
    const RunScope scope_;
    Progress progress_;
    RunEvents events_;
    StepTasks step_tasks_;
    CheckpointLog log_;
    std::vector<Task> planned_;
    bool is_new_ = true;
};

Result<void> ThreadUpdate::load(const StoredCheckpoint& stored) {
    auto tasks = plan_tasks(program_, progress_, stored);
    if (!tasks) return fail(tasks.error());
    // What finished tasks wrote is kept; what the others would have done gives way to the update.
    PLIMSOLL_TRY(restore_tasks(program_, stored.writes, *tasks));
    std::erase_if(*tasks, [](const Task& task) { return !task.done; });
    for (Task& task : *tasks) {
        task.triggered.clear();
        task.sends.clear();
    }
    const auto applied = progress_.apply_writes(*tasks);
    if (!applied) return fail(applied.error());
    log_.continue_from(stored);
    is_new_ = false;
    return {};
}

Result<const Node*> ThreadUpdate::choose_node(const std::string& name) const {
    if (!name.empty()) {
        const Node* node = program_.find_source(name);
        if (!node) return fail(ErrorCode::invalid_argument, fmt::format("as_node {}: no such node", name));
        return node;
    }
    if (is_new_) return &program_.entry;
    const auto last = progress_.last_node();
    if (!last) return fail(ErrorCode::invalid_argument, "as_node: several nodes ran last, or none; say which one");
    return &program_.nodes[*last];
}

Result<void> ThreadUpdate::apply(std::vector<NodeUpdate> updates) {
    std::vector<Task> tasks;
    const Node nobody;
    for (NodeUpdate& one : updates) {
        Task& task = tasks.emplace_back();
        task.node = &nobody;
        if (one.as_node != kEnd) {
            const auto node = choose_node(one.as_node);
            if (!node) return fail(node.error());
            task.node = *node;
        }
        PLIMSOLL_TRY(step_tasks_.absorb(task, std::move(one.update)));
    }
    progress_.discard_planned();
    const auto applied = progress_.apply(tasks);
    if (!applied) return fail(applied.error());
    progress_.step = is_new_ ? 0 : progress_.step + 1;
    PLIMSOLL_TRY(progress_.plan(planned_));
    is_new_ = false;
    return {};
}

asio::awaitable<Result<void>> ThreadUpdate::add_step(std::vector<NodeUpdate> updates) {
    const auto applied = caught([&] { return apply(std::move(updates)); });
    if (!applied) co_return applied;
    try {
        log_.add(progress_, planned_, CheckpointSource::update, progress_.step);
        co_return co_await log_.store();
    } catch (const std::exception&) {
        co_return fail(error_of(std::current_exception()));
    }
}

}  // namespace

asio::awaitable<Result<std::string>> update_thread(std::shared_ptr<const Program> program, CheckpointKey key, void* state,
                                                   std::vector<std::vector<NodeUpdate>> steps) {
    const auto stored = co_await fetch_state(program, key);
    if (!stored) co_return fail(stored.error());
    if (!*stored && !key.id.empty()) co_return fail(ErrorCode::not_found, fmt::format("checkpoint {}: no such one", key.id));
    ThreadUpdate update(*program, state, {key.thread, key.space, {}}, co_await asio::this_coro::executor);
    if (*stored) {
        const auto loaded = caught([&] { return update.load(**stored); });
        if (!loaded) co_return fail(loaded.error());
    }
    for (auto& step : steps) {
        const auto added = co_await update.add_step(std::move(step));
        if (!added) co_return fail(added.error());
    }
    co_return update.checkpoint();
}

}  // namespace plimsoll::graph
