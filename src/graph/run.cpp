#include "graph/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>

#include "graph/checkpoint_log.h"
#include "graph/pending_writes.h"
#include "graph/progress.h"
#include "graph/run_events.h"
#include "graph/step_tasks.h"
#include "graph/stored_thread.h"

namespace plimsoll::graph {
namespace {

// Steps of plain functions do not suspend; every so many they let the thread's other sessions, and a cancellation, in.
constexpr std::int64_t kStepsBetweenYields = 64;
// The last step of a thread that is not known.
constexpr std::int64_t kBeforeInput = -2;

// What run_program() does, apart from its loop. A waiting session sits in that coroutine's frame, which has a slot for whatever is
// inlined into it: what the loop calls leaves its outcome in `end_` and is not inlined.
class Run {
  public:
    Run(const Program& program, const event::Context& context, const RunScope& scope, void* state, std::unique_ptr<RunInput> input,
        const asio::any_io_executor& executor)
        : program_(program),
          scope_(scope),
          options_(scope.options),
          input_(std::move(input)),
          executor_(executor),
          progress_(program, state),
          events_(program, scope.options, scope.space),
          step_tasks_(program, context, scope, progress_, events_, executor) {}

    // In this order, the awaiting coroutine with throw_if_cancelled off:
    [[gnu::noinline]] bool begin_at_once();  // without a saver; false: begin_run() does
    asio::awaitable<void> begin_run();
    bool has_ended() const { return end_ != nullptr; }
    bool must_wait() const { return scope_.stream || (progress_.step + 1) % kStepsBetweenYields == 0; }
    asio::awaitable<void> wait_turn();
    [[gnu::noinline]] bool begin_step(bool cancelled);  // true when the run is over instead
    bool is_alone() const { return step_tasks_.is_alone(tasks_); }
    [[gnu::noinline]] asio::awaitable<void> run_tasks() { return step_tasks_.run(tasks_); }
    [[gnu::noinline]] bool run_at_once();                  // the step of a plain function that needs no coroutine; false: run_tasks() does
    [[gnu::noinline]] bool apply_at_once(bool cancelled);  // false: end_step() does
    asio::awaitable<void> end_step();
    bool has_to_finish() const { return log_ || !program_.is_output.empty(); }
    asio::awaitable<void> finish();  // leaves in the state what the graph shows
    Result<Outcome>& end() { return *end_; }

  private:
    void end_with(Result<Outcome> end) { end_ = std::make_unique<Result<Outcome>>(std::move(end)); }
    Result<void> apply_step();
    bool is_broken_off() const;
    asio::awaitable<void> end_broken_step();
    bool resumes() const { return input_ && input_->kind == RunInput::Kind::resume; }
    Result<void> begin_unkept();
    Result<bool> take_new(const StoredCheckpoint* stored, UpdateData& update);
    Result<void> absorb_entry(UpdateData update);
    asio::awaitable<Result<void>> begin();
    asio::awaitable<Result<void>> begin_new(const StoredCheckpoint* stored);
    asio::awaitable<Result<void>> begin_resumed(StoredCheckpoint stored);
    asio::awaitable<Result<void>> apply_stored_input(const Checkpoint& checkpoint);
    asio::awaitable<Result<void>> apply_entry(UpdateData update);
    asio::awaitable<Result<void>> finish_step();
    asio::awaitable<Result<void>> add_checkpoint(CheckpointSource source, std::int64_t step, const json::value* input);
    Result<void> make_checkpoint(CheckpointSource source, std::int64_t step, const json::value* input);
    Result<void> announce_checkpoint();
    asio::awaitable<Result<void>> match_pending(std::vector<PendingWrite> pending);
    asio::awaitable<Result<void>> update_before_resuming(std::vector<PendingWrite>& pending);
    asio::awaitable<Result<void>> store_unfinished_step();
    Result<Outcome> stop(Ending ending);
    Result<void> announce_step();
    bool stops_at(const std::vector<bool>& nodes) const;
    Outcome outcome(Ending ending) const;
    void begin_limit(std::int64_t last_step);

    const Program& program_;
    const RunScope& scope_;
    const RunOptions& options_;
    std::unique_ptr<RunInput> input_;  // null: the state is the input
    const asio::any_io_executor& executor_;
    Progress progress_;
    RunEvents events_;
    StepTasks step_tasks_;
    std::unique_ptr<CheckpointLog> log_;    // null without a saver
    std::unique_ptr<Result<Outcome>> end_;  // of the run, once it is known
    std::int64_t stop_step_ = 0;
    bool resumed_ = false;  // until the first step has run
    std::vector<Task> tasks_;
};

bool Run::begin_at_once() {
    if (scope_.saver) return false;
    const auto begun = begin_unkept();
    if (!begun) end_with(fail(begun.error()));
    return true;
}

Result<void> Run::begin_unkept() {
    if (options_.recursion_limit < 1) return fail(ErrorCode::invalid_argument, "recursion_limit: must be at least 1");
    if (resumes()) return fail(ErrorCode::invalid_argument, "a graph without a saver has nothing to go on from");
    UpdateData update;
    const auto taken = take_new(nullptr, update);
    if (!taken) return fail(taken.error());
    begin_limit(kBeforeInput);
    if (*taken) progress_.touch_all();
    progress_.step = kBeforeInput + 2;
    PLIMSOLL_TRY(absorb_entry(std::move(update)));
    return apply_step();
}

asio::awaitable<void> Run::begin_run() {
    const auto begun = co_await begin();
    if (!begun) end_with(fail(begun.error()));
}

asio::awaitable<void> Run::wait_turn() {
    if ((progress_.step + 1) % kStepsBetweenYields == 0) co_await asio::post(executor_, asio::use_awaitable);
    if (scope_.stream) co_await scope_.stream->wait_room();
}

bool Run::begin_step(bool cancelled) {
    // The step after the last one counts too, as LangGraph counts: k steps need a limit of k + 1.
    if (progress_.step + 1 > stop_step_)
        end_with(fail(ErrorCode::limit, fmt::format("recursion_limit: {} reached before the graph ended", options_.recursion_limit)));
    else if (tasks_.empty())
        end_with(outcome(Ending::finished));
    else if (cancelled)
        end_with(fail(ErrorCode::cancelled, "cancelled"));
    else if (options_.should_drain && options_.should_drain())
        end_with(outcome(Ending::drained));
    else if (!resumed_ && stops_at(program_.interrupt_before))
        end_with(stop(Ending::interrupted));
    if (end_) return true;
    step_tasks_.set_resuming(std::exchange(resumed_, false));
    const auto announced = caught([this] { return announce_step(); });
    if (!announced) end_with(fail(announced.error()));
    return has_ended();
}

bool Run::run_at_once() {
    if (tasks_.size() != 1 || tasks_.front().done || !tasks_.front().node->is_plain()) return false;
    step_tasks_.run_plain(tasks_.front());
    return true;
}

bool Run::apply_at_once(bool cancelled) {
    if (cancelled) step_tasks_.set_cancelled();
    if (log_ || is_broken_off()) return false;
    const bool stops_after = stops_at(program_.interrupt_after);
    const auto applied = apply_step();
    if (!applied)
        end_with(fail(applied.error()));
    else if (stops_after)
        end_with(stop(Ending::interrupted));
    return true;
}

asio::awaitable<void> Run::end_step() {
    if (is_broken_off()) {
        co_await end_broken_step();
        co_return;
    }
    const bool stops_after = stops_at(program_.interrupt_after);
    const auto applied = co_await finish_step();
    if (!applied)
        end_with(fail(applied.error()));
    else if (stops_after)
        end_with(stop(Ending::interrupted));
}

asio::awaitable<void> Run::finish() {
    if (log_) {
        const auto stored = co_await log_->finish();
        if (*end_ && !stored) end_with(fail(stored.error()));
    }
    if (!*end_ || (*end_)->for_parent || program_.is_output.empty()) co_return;
    for (std::size_t i = 0; i < program_.channels.size(); ++i)
        if (!program_.is_output[i]) program_.channels[i]->clear(progress_.state());
}

// The step cannot be applied: a task failed, asked, went to the parent or was stopped.
bool Run::is_broken_off() const {
    return step_tasks_.error() || step_tasks_.cancelled() || step_tasks_.has_for_parent() || step_tasks_.drained() ||
           step_tasks_.interrupted();
}

asio::awaitable<void> Run::end_broken_step() {
    auto for_parent = step_tasks_.take_for_parent();
    if (for_parent && !step_tasks_.error() && !step_tasks_.cancelled()) {
        Outcome out = outcome(Ending::finished);
        out.for_parent = std::move(for_parent);
        end_with(std::move(out));
        co_return;
    }
    const auto stored = co_await store_unfinished_step();
    if (step_tasks_.cancelled())
        end_with(fail(ErrorCode::cancelled, "cancelled"));
    else if (step_tasks_.error())
        end_with(fail(*step_tasks_.error()));
    else if (!stored)
        end_with(fail(stored.error()));
    else
        end_with(stop(step_tasks_.interrupted() ? Ending::interrupted : Ending::drained));
}

asio::awaitable<Result<void>> Run::begin() {
    if (options_.recursion_limit < 1) co_return fail(ErrorCode::invalid_argument, "recursion_limit: must be at least 1");
    if (options_.thread.empty()) co_return fail(ErrorCode::invalid_argument, "thread: a graph with a saver needs one");
    const CheckpointKey key{options_.thread, scope_.space, scope_.space.empty() ? options_.checkpoint : std::string()};
    auto stored = co_await fetch_checkpoint(*scope_.saver, key);
    if (!stored) co_return fail(stored.error());
    if (!*stored && !key.id.empty()) co_return fail(ErrorCode::not_found, fmt::format("checkpoint {}: no such one", key.id));
    // What is there from an earlier step of the outer graph (InnerCheckpoints::own) is no run to go on with.
    if (*stored && scope_.resuming && (*stored)->metadata.parents == scope_.parents)
        input_ = std::make_unique<RunInput>(RunInput{.kind = RunInput::Kind::resume});
    if (!*stored && resumes())
        co_return fail(ErrorCode::invalid_argument, fmt::format("thread {}: received no input for {}", options_.thread, kStart));

    CheckpointMetadata metadata;
    metadata.parents = scope_.parents;
    metadata.run = options_.run;
    log_ = std::make_unique<CheckpointLog>(scope_.saver, CheckpointKey{options_.thread, scope_.space, {}}, std::move(metadata),
                                           options_.durability, executor_);
    step_tasks_.set_log(log_.get());
    if (*stored) log_->continue_from(**stored);
    if (resumes()) co_return co_await begin_resumed(std::move(**stored));
    co_return co_await begin_new(*stored ? &**stored : nullptr);
}

void Run::begin_limit(std::int64_t last_step) {
    stop_step_ = last_step + 1 + options_.recursion_limit + 1;
    step_tasks_.set_stop_step(stop_step_);
}

// Moves what the input writes to `update`; returns whether the state itself is the input.
Result<bool> Run::take_new(const StoredCheckpoint* stored, UpdateData& update) {
    if (input_) update = std::move(input_->update);
    return caught([&] { return take_input(program_, progress_, !input_, stored, update); });
}

// An input is what the entry writes: to a thread that is known through the channels, to a new one as the state to begin with.
asio::awaitable<Result<void>> Run::begin_new(const StoredCheckpoint* stored) {
    UpdateData update;
    const auto taken = take_new(stored, update);
    if (!taken) co_return fail(taken.error());
    const std::int64_t last_step = stored ? stored->metadata.step : kBeforeInput;
    begin_limit(last_step);
    const auto input = caught([&] { return input_to_json(program_, update, *taken ? &progress_ : nullptr); });
    if (!input) co_return fail(input.error());
    const auto added = co_await add_checkpoint(CheckpointSource::input, last_step + 1, &*input);
    if (!added) co_return added;
    if (*taken) progress_.touch_all();
    progress_.step = last_step + 2;
    co_return co_await apply_entry(std::move(update));
}

asio::awaitable<Result<void>> Run::begin_resumed(StoredCheckpoint stored) {
    const auto loaded = caught([&] { return load_progress(program_, progress_, stored); });
    if (!loaded) co_return loaded;
    begin_limit(progress_.step);
    resumed_ = true;
    const bool answers =
        input_->resume.answer || !input_->resume.answers.empty() || !input_->update.writes.empty() || !input_->update.targets.empty();
    if (!options_.checkpoint.empty() && scope_.space.empty() && !answers) {
        // Time travel: the same checkpoint again, as the newest, and nothing that was written after it.
        const auto added = co_await add_checkpoint(CheckpointSource::fork, ++progress_.step, nullptr);
        if (!added) co_return added;
        stored.writes.clear();
    }
    if (stored.checkpoint.values.contains(kStart)) co_return co_await apply_stored_input(stored.checkpoint);
    const auto updated = co_await update_before_resuming(stored.writes);
    if (!updated) co_return updated;
    const auto planned = caught([&]() -> Result<void> {
        events_.values(progress_);
        return progress_.plan(tasks_);
    });
    if (!planned) co_return planned;
    step_tasks_.begin_step(tasks_);
    co_return co_await match_pending(std::move(stored.writes));
}

asio::awaitable<Result<void>> Run::apply_stored_input(const Checkpoint& checkpoint) {
    auto update = caught([&] { return input_from_json(program_, checkpoint.values.find(kStart)->second); });
    if (!update) co_return fail(update.error());
    ++progress_.step;
    resumed_ = false;
    co_return co_await apply_entry(std::move(*update));
}

asio::awaitable<Result<void>> Run::apply_entry(UpdateData update) {
    const auto absorbed = absorb_entry(std::move(update));
    if (!absorbed) co_return absorbed;
    co_return co_await finish_step();
}

Result<void> Run::absorb_entry(UpdateData update) {
    Task entry;
    entry.node = &program_.entry;
    PLIMSOLL_TRY(caught([&] { return step_tasks_.absorb(entry, std::move(update)); }));
    tasks_.clear();
    tasks_.push_back(std::move(entry));
    return {};
}

// Applies what the step's tasks wrote and plans the next step.
Result<void> Run::apply_step() {
    return caught([this]() -> Result<void> {
        if (!tasks_.empty() && tasks_.front().id.step > 0) progress_.step = tasks_.front().id.step;
        const auto written = progress_.apply(tasks_);
        if (!written) return fail(written.error());
        if (*written) events_.values(progress_);
        PLIMSOLL_TRY(progress_.plan(tasks_));
        step_tasks_.begin_step(tasks_);
        return {};
    });
}

asio::awaitable<Result<void>> Run::finish_step() {
    auto kept = apply_step();
    if (!kept || !log_) co_return kept;
    kept = make_checkpoint(CheckpointSource::loop, progress_.step, nullptr);
    if (kept && log_->is_due()) kept = co_await log_->store();
    if (kept) kept = announce_checkpoint();
    co_return kept;
}

asio::awaitable<Result<void>> Run::add_checkpoint(CheckpointSource source, std::int64_t step, const json::value* input) {
    auto kept = make_checkpoint(source, step, input);
    if (kept && log_->is_due()) kept = co_await log_->store();
    if (kept) kept = announce_checkpoint();
    co_return kept;
}

Result<void> Run::make_checkpoint(CheckpointSource source, std::int64_t step, const json::value* input) {
    return caught([&]() -> Result<void> {
        log_->add(progress_, tasks_, source, step, input);
        return {};
    });
}

Result<void> Run::announce_checkpoint() {
    return caught([this]() -> Result<void> {
        events_.checkpoint(*log_, progress_, tasks_);
        return {};
    });
}

// Writes that came with earlier answers are applied again, then the new ones.
asio::awaitable<Result<void>> Run::update_before_resuming(std::vector<PendingWrite>& pending) {
    std::size_t known = 0;
    const auto replayed = caught([&]() -> Result<void> {
        const auto count = apply_stored_updates(program_, progress_, pending);
        if (!count) return fail(count.error());
        known = *count;
        return {};
    });
    if (!replayed || (input_->update.writes.empty() && input_->update.targets.empty())) co_return replayed;
    const Node nobody;
    Task update;
    update.node = &nobody;
    const auto absorbed = caught([&] { return step_tasks_.absorb(update, std::move(input_->update)); });
    if (!absorbed) co_return absorbed;
    update.key = make_update_key(known);
    const auto stored = co_await log_->add_writes(to_pending_writes(program_, update));
    if (!stored) co_return stored;
    std::vector<Task> tasks;
    tasks.push_back(std::move(update));
    co_return caught([&]() -> Result<void> {
        const auto written = progress_.apply_writes(tasks);
        if (!written) return fail(written.error());
        return {};
    });
}

// Finds what the planned tasks have done and been answered already, and adds the new answers.
asio::awaitable<Result<void>> Run::match_pending(std::vector<PendingWrite> pending) {
    for (Task& task : tasks_) step_tasks_.key_of(task);
    const auto matched = caught([&] { return restore_tasks(program_, pending, tasks_); });
    if (!matched) co_return matched;
    std::shared_ptr<const Answers> answers = scope_.answers;
    if (scope_.space.empty()) {
        auto resolved = caught([&] { return resolve_answers(input_->resume, pending, tasks_); });
        if (!resolved) co_return fail(resolved.error());
        answers = std::make_shared<const Answers>(std::move(*resolved));
    }
    if (!answers) co_return Result<void>{};
    step_tasks_.set_answers(answers);
    std::vector<PendingWrite> records;
    for (Task& task : tasks_) {
        if (task.done) continue;
        const auto answer = answers->find(make_interrupt_id(step_tasks_.space_of(task), task.answers.size()));
        if (answer == answers->end()) continue;
        task.answers.push_back(answer->second);
        records.push_back({task.key, std::string(kResumeChannel), make_blob(json::array(task.answers.begin(), task.answers.end()))});
    }
    co_return co_await log_->add_writes(std::move(records));
}

// What the step's tasks have done before it broke off is kept, so that they need not do it again.
asio::awaitable<Result<void>> Run::store_unfinished_step() {
    if (!log_) co_return Result<void>{};
    std::vector<PendingWrite> all;
    const auto written = caught([&]() -> Result<void> {
        for (Task& task : tasks_) {
            step_tasks_.key_of(task);
            const auto writes = task_records(program_, task);
            all.insert(all.end(), writes.begin(), writes.end());
        }
        return {};
    });
    if (!written) co_return written;
    co_return co_await log_->add_writes(std::move(all));
}

// Ends the run before, in the middle of, or after a step. The state then shows what the finished tasks wrote.
Result<Outcome> Run::stop(Ending ending) {
    return caught([&]() -> Result<Outcome> {
        Outcome out = outcome(ending);
        for (Task& task : tasks_) std::ranges::move(task.interrupts, std::back_inserter(out.interrupts));
        if (ending == Ending::interrupted && out.interrupts.empty()) events_.stop();
        std::erase_if(tasks_, [](const Task& task) { return !task.done; });
        const auto written = progress_.apply_writes(tasks_);
        if (!written) return fail(written.error());
        if (*written) events_.values(progress_);
        return out;
    });
}

Result<void> Run::announce_step() {
    for (Task& task : tasks_) {
        if (events_.wants_tasks()) step_tasks_.key_of(task);
        events_.task(task, progress_);
    }
    for (const Task& task : tasks_)
        if (task.done) events_.update(task);
    return {};
}

bool Run::stops_at(const std::vector<bool>& nodes) const {
    if (nodes.empty()) return false;
    return std::ranges::any_of(tasks_,
                               [&](const Task& task) { return nodes[static_cast<std::size_t>(task.node - program_.nodes.data())]; });
}

Outcome Run::outcome(Ending ending) const {
    Outcome out;
    out.ending = ending;
    if (log_) out.checkpoint = log_->key().id;
    return out;
}

}  // namespace

RunScope make_inner_scope(const NodeCall& call, const Program& inner) {
    const RunScope& outer = *call.scope;
    RunScope scope;
    scope.options.recursion_limit = outer.options.recursion_limit;
    scope.options.max_concurrency = outer.options.max_concurrency;
    scope.options.thread = outer.options.thread;
    scope.options.durability = outer.options.durability;
    scope.options.run = outer.options.run;
    if (outer.options.subgraphs) {
        scope.options.on_event = outer.options.on_event;
        scope.options.modes = outer.options.modes;
        scope.options.subgraphs = true;
        scope.stream = outer.stream;
    }
    Task& task = *call.info.running;
    const bool is_own = inner.as_inner == InnerCheckpoints::own;
    scope.space = is_own ? join_space(outer.space, task.node->name, {}) : task.step->space_of(task);
    if (!outer.saver || inner.as_inner == InnerCheckpoints::none) return scope;
    scope.saver = outer.saver;
    scope.options.should_drain = outer.options.should_drain;
    scope.answers = task.step->answers();
    scope.resuming = call.resuming;
    scope.parents = outer.parents;
    scope.parents.emplace(outer.space, task.step->checkpoint_id());
    return scope;
}

asio::awaitable<Result<Outcome>> run_program(const Program& program, const event::Context& context, void* state,
                                             std::unique_ptr<RunInput> input, const RunScope& scope) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    Run run(program, context, scope, state, std::move(input), executor);
    // What is begun is always waited for, so a cancellation is looked for, not thrown, except inside nodes.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    if (!run.begin_at_once()) co_await run.begin_run();
    while (!run.has_ended()) {
        if (run.must_wait()) co_await run.wait_turn();
        const auto before = co_await asio::this_coro::cancellation_state;
        if (run.begin_step(before.cancelled() != asio::cancellation_type::none)) break;
        bool cancelled = false;
        if (!run.run_at_once()) {
            // A task that has no other beside it is cancelled by itself.
            co_await asio::this_coro::throw_if_cancelled(run.is_alone());
            co_await run.run_tasks();
            co_await asio::this_coro::throw_if_cancelled(false);
            const auto after = co_await asio::this_coro::cancellation_state;
            cancelled = after.cancelled() != asio::cancellation_type::none;
        }
        if (!run.apply_at_once(cancelled)) co_await run.end_step();
    }
    if (run.has_to_finish()) co_await run.finish();
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return std::move(run.end());
}

}  // namespace plimsoll::graph
