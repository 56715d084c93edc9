#include "graph/interrupt.h"

#include "graph/run_options.h"
#include "graph/step_tasks.h"
#include "graph/task.h"

namespace plimsoll::graph {

void StepInfo::heartbeat() const { running->last_sign = std::chrono::steady_clock::now(); }

asio::awaitable<void> StepInfo::write(json::value event) const {
    return running->step->write(*running, StreamEvent::Kind::custom, std::move(event));
}

asio::awaitable<void> StepInfo::write_message(json::value piece) const {
    return running->step->write(*running, StreamEvent::Kind::message, std::move(piece));
}

asio::awaitable<json::value> interrupt(StepInfo info, json::value question) {
    PLIMSOLL_CHECK(info.running && info.running->step, "interrupt() is called by a node that runs");
    Task& task = *info.running;
    const std::size_t n = task.asked++;
    if (n < task.answers.size()) co_return task.answers[n];
    throw NodeInterrupted{.interrupts = {{std::move(question), make_interrupt_id(task.step->space_of(task), n)}}};
}

}  // namespace plimsoll::graph
