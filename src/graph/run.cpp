#include "graph/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "graph/step_tasks.h"
#include "graph/trigger_state.h"
#include "graph/write_groups.h"

namespace plimsoll::graph {
namespace {

// Steps of plain functions do not suspend; every so many they let the thread's other sessions, and a cancellation, in.
constexpr std::int64_t kStepsBetweenYields = 64;

class Run {
  public:
    Run(const Program& program, const event::Context& context, const RunOptions& options, void* state, asio::any_io_executor executor)
        : program_(program),
          options_(options),
          state_(state),
          executor_(executor),
          step_tasks_(program, context, options, state, executor),
          triggers_(program.triggers.begin(), program.triggers.end()),
          groups_(program),
          versions_(program.channels.size(), 0),
          filled_(program.channels.size(), false) {}

    asio::awaitable<Result<Outcome>> execute();

  private:
    Result<void> start();
    Result<void> finish_step();
    bool note_written_channels();
    Result<void> plan();
    void add_triggered_tasks();
    void add_task(std::size_t node, std::any argument);
    void emit_values() const;

    const Program& program_;
    const RunOptions& options_;
    void* state_;
    asio::any_io_executor executor_;
    StepTasks step_tasks_;

    std::int64_t step_ = 0;      // 0 = the input
    std::uint64_t version_ = 0;  // of everything that the last applied step changed
    std::vector<TriggerState> triggers_;
    std::vector<PendingSend> sends_;
    std::vector<Task> tasks_;
    WriteGroups groups_;
    std::vector<std::uint64_t> versions_;  // per channel: when it changed last
    std::vector<bool> filled_;             // per channel: holds a value that a transient one has to drop
};

asio::awaitable<Result<Outcome>> Run::execute() {
    if (options_.recursion_limit < 1) co_return fail(ErrorCode::invalid_argument, "recursion_limit: must be at least 1");
    auto applied = caught([this] { return start(); });
    while (applied) {
        // The step after the last one counts too, as LangGraph counts: k steps need a limit of k + 1.
        ++step_;
        if (step_ > options_.recursion_limit)
            co_return fail(ErrorCode::limit, fmt::format("recursion_limit: {} reached before the graph ended", options_.recursion_limit));
        if (tasks_.empty()) co_return Outcome{};
        if (step_ % kStepsBetweenYields == 0) co_await asio::post(executor_, asio::use_awaitable);
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) co_return fail(ErrorCode::cancelled, "cancelled");

        if (tasks_.size() == 1 && tasks_.front().node->call)
            step_tasks_.run_plain(tasks_.front());
        else
            co_await step_tasks_.run(tasks_);
        if (step_tasks_.cancelled()) co_return fail(ErrorCode::cancelled, "cancelled");
        if (step_tasks_.error()) co_return fail(*step_tasks_.error());
        if (auto for_parent = step_tasks_.take_for_parent()) co_return Outcome{std::move(for_parent)};
        applied = caught([this] { return finish_step(); });
    }
    co_return fail(std::move(applied).error());
}

// The input counts as a write to every channel, and kStart as the task of step 0.
Result<void> Run::start() {
    Task entry;
    entry.node = &program_.entry;
    PLIMSOLL_TRY(step_tasks_.absorb(entry, {}));
    tasks_.push_back(std::move(entry));
    PLIMSOLL_TRY(finish_step());
    return {};
}

// Applies what the step's tasks wrote, all at once and in the order of the tasks, and plans the next step.
Result<void> Run::finish_step() {
    ++version_;
    for (const Task& task : tasks_) {
        if (task.is_send()) continue;
        for (const std::size_t trigger : task.node->triggers) triggers_[trigger].consume(version_);
    }
    groups_.clear();
    for (Task& task : tasks_) {
        for (Write& write : task.writes) groups_.add(write);
        for (const TriggerWrite& edge : task.node->edges) triggers_[edge.trigger].write(edge.writer, version_);
        for (const TriggerWrite& edge : task.triggered) triggers_[edge.trigger].write(edge.writer, version_);
        for (PendingSend& send : task.sends) sends_.push_back(std::move(send));
    }
    PLIMSOLL_TRY(groups_.apply(state_));
    if (note_written_channels()) emit_values();
    return plan();
}

// Clears transient channels that held a value and were not written again. Returns whether any channel was written.
bool Run::note_written_channels() {
    bool any = step_ == 0;
    for (std::size_t i = 0; i < versions_.size(); ++i) {
        const bool written = step_ == 0 || groups_.has(i);
        any = any || written;
        const bool expired = !written && filled_[i] && program_.channels[i]->is_transient();
        if (expired) program_.channels[i]->clear(state_);
        filled_[i] = written || (filled_[i] && !expired);
        if (written || expired) versions_[i] = version_;
    }
    return any;
}

Result<void> Run::plan() {
    tasks_.clear();
    add_triggered_tasks();
    if (tasks_.empty() && sends_.empty()) {
        for (TriggerState& trigger : triggers_) trigger.finish(version_);
        add_triggered_tasks();
    }
    if (tasks_.size() + sends_.size() > kMaxTasksPerStep)
        return fail(ErrorCode::limit, fmt::format("{} Sends in one step, at most {} tasks", sends_.size(), kMaxTasksPerStep));
    for (PendingSend& send : sends_) add_task(send.node, std::move(send.argument));
    sends_.clear();
    return {};
}

void Run::add_triggered_tasks() {
    for (std::size_t i = 0; i < program_.nodes.size(); ++i) {
        const auto fires = [this](std::size_t trigger) { return triggers_[trigger].fires(); };
        if (std::ranges::any_of(program_.nodes[i].triggers, fires)) add_task(i, {});
    }
}

void Run::add_task(std::size_t node, std::any argument) {
    Task& task = tasks_.emplace_back();
    task.id = {step_ + 1, tasks_.size() - 1};
    task.node = &program_.nodes[node];
    task.argument = std::move(argument);
}

void Run::emit_values() const {
    if (!options_.on_event) return;
    StreamEvent event;
    event.kind = StreamEvent::Kind::values;
    event.task.step = step_;
    event.versions = versions_;
    event.state_type = program_.state_type;
    event.state = state_;
    event.program = &program_;
    options_.on_event(event);
}

}  // namespace

asio::awaitable<Result<Outcome>> run_program(std::shared_ptr<const Program> program, event::Context context, void* state,
                                             RunOptions options) {
    Run run(*program, context, options, state, co_await asio::this_coro::executor);
    co_return co_await run.execute();
}

}  // namespace plimsoll::graph
