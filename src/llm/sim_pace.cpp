#include "llm/sim_pace.h"

#include <fmt/format.h>

#include <algorithm>

namespace plimsoll::llm {

Result<void> SimPace::submit(SimTime now, SimJob job) {
    if (waiting_.size() >= kMaxSimWaiting) return fail(ErrorCode::limit, fmt::format("{} requests wait already", kMaxSimWaiting));
    waiting_.push_back({now, job});
    return {};
}

void SimPace::leave(SimTime now, std::uint64_t id) {
    if (running_.erase(id) > 0)
        clock_ = std::max(clock_, now);  // whoever takes the place starts no sooner
    else
        std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.job.id == id; });
}

std::optional<SimTime> SimPace::next_start() const {
    if (waiting_.empty() || !has_place()) return std::nullopt;
    return std::max(clock_, waiting_.front().arrival);
}

std::optional<SimTime> SimPace::next() const {
    const auto start = next_start();
    if (due_.empty()) return start;
    return start ? std::min(*start, due_.top().at) : due_.top().at;
}

void SimPace::advance(SimTime now, std::vector<SimEvent>& events) {
    for (;;) {
        const auto starts = next_start();
        if (starts && *starts <= now && (due_.empty() || *starts <= due_.top().at)) {
            start(*starts, events);
        } else if (!due_.empty() && due_.top().at <= now) {
            const Due due = due_.top();
            due_.pop();
            emit_token(due, events);
        } else {
            return;
        }
    }
}

void SimPace::start(SimTime at, std::vector<SimEvent>& events) {
    clock_ = at;
    SimJob job = waiting_.front().job;
    waiting_.pop_front();
    events.push_back({.kind = SimEvent::Kind::started, .id = job.id, .at = at});
    set_due(at + job.delay + vary(options_.ttft, job.random), job.id);
    running_.emplace(job.id, job);
}

void SimPace::emit_token(const Due& due, std::vector<SimEvent>& events) {
    const auto found = running_.find(due.id);
    if (found == running_.end()) return;
    clock_ = std::max(clock_, due.at);
    SimJob& job = found->second;
    events.push_back({.kind = SimEvent::Kind::token, .id = due.id, .at = due.at});
    if (--job.output_tokens > 0) return set_due(due.at + vary(options_.itl, job.random), due.id);
    if (job.holds) return;
    events.push_back({.kind = SimEvent::Kind::finished, .id = due.id, .at = due.at});
    running_.erase(found);
}

SimTime SimPace::vary(SimTime span, Random& random) const {
    if (options_.jitter == 0) return span;
    const std::chrono::duration<double, std::nano> exact = span;
    return std::chrono::duration_cast<SimTime>(exact * random.uniform(1 - options_.jitter, 1 + options_.jitter));
}

}  // namespace plimsoll::llm
