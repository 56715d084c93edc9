#include "llm/sim_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace plimsoll::llm {

Result<void> SimBatch::check(const SimJob& job) const {
    const std::int64_t tokens = std::int64_t{job.prompt_tokens} + job.output_tokens;
    if (limits_.max_context > 0 && tokens > limits_.max_context)
        return fail(ErrorCode::invalid_argument, fmt::format("{} prompt tokens and {} of the answer are more than the context of {}",
                                                             job.prompt_tokens, job.output_tokens, limits_.max_context));
    // The last token is sent and never computed, so it needs no room.
    const std::int64_t room = std::int64_t{limits_.kv_blocks} * limits_.block_tokens;
    if (limits_.kv_blocks > 0 && tokens - 1 > room)
        return fail(ErrorCode::invalid_argument, fmt::format("prompt and answer of {} tokens are more than the cache of {}", tokens, room));
    return {};
}

void SimBatch::add(const SimJob& job) {
    waiting_.push_back({.id = job.id, .known = job.prompt_tokens, .left = job.output_tokens, .holds = job.holds});
}

bool SimBatch::remove(std::uint64_t id) {
    if (const auto found = std::ranges::find(running_, id, &Sequence::id); found != running_.end()) {
        release(*found);
        running_.erase(found);
        return true;
    }
    return std::erase_if(waiting_, [&](const Sequence& sequence) { return sequence.id == id; }) > 0;
}

std::optional<SimStep> SimBatch::begin(SimTime at, std::vector<SimEvent>& events) {
    SimStep step;
    if (schedule_running(step, at, events)) admit(step, at, events);
    if (step.tokens() == 0) return std::nullopt;
    return step;
}

// False when a sequence was preempted on the way.
bool SimBatch::schedule_running(SimStep& step, SimTime at, std::vector<SimEvent>& events) {
    const auto preemptions = preemptions_;
    for (std::size_t i = 0; i < running_.size(); ++i) {
        if (running_[i].is_done()) continue;
        const auto id = running_[i].id;
        const int tokens = std::min(running_[i].known - running_[i].computed, limits_.max_batched_tokens - step.tokens());
        if (tokens <= 0) break;
        // The victim stands behind this sequence, or is itself the last one that computes.
        bool fits = reserve(running_[i], running_[i].computed + tokens);
        while (!fits && preempt_last(at, events) != id) fits = reserve(running_[i], running_[i].computed + tokens);
        if (!fits) return false;
        schedule(running_[i], tokens, step);
    }
    return preemptions == preemptions_;
}

void SimBatch::admit(SimStep& step, SimTime at, std::vector<SimEvent>& events) {
    while (!waiting_.empty() && std::ssize(running_) < limits_.max_sequences) {
        Sequence& next = waiting_.front();
        const int budget = limits_.max_batched_tokens - step.tokens();
        const bool may_exceed = !limits_.chunked_prefill && step.prompts == 0 && next.known > limits_.max_batched_tokens;
        const int tokens = limits_.chunked_prefill ? std::min(next.known, budget) : next.known;
        if (tokens <= 0 || (tokens > budget && !may_exceed) || !reserve(next, tokens)) return;
        if (!next.started) events.push_back({.kind = SimEvent::Kind::started, .id = next.id, .at = at});
        next.started = true;
        schedule(next, tokens, step);
        running_.push_back(next);
        waiting_.pop_front();
    }
}

void SimBatch::schedule(Sequence& sequence, int tokens, SimStep& step) {
    sequence.scheduled = tokens;
    if (sequence.decodes) {
        ++step.decodes;
        step.context += sequence.computed;
    } else {
        step.prompt_tokens += tokens;
        ++step.prompts;
    }
}

void SimBatch::end(SimTime at, std::vector<SimEvent>& events) {
    for (auto& sequence : running_) {
        sequence.computed += std::exchange(sequence.scheduled, 0);
        if (sequence.is_done() || sequence.computed < sequence.known) continue;
        sequence.decodes = true;
        ++sequence.known;
        --sequence.left;
        events.push_back({.kind = SimEvent::Kind::token, .id = sequence.id, .at = at});
        if (!sequence.is_done()) continue;
        release(sequence);
        if (!sequence.holds) events.push_back({.kind = SimEvent::Kind::finished, .id = sequence.id, .at = at});
    }
    std::erase_if(running_, [](const Sequence& sequence) { return sequence.is_done() && !sequence.holds; });
}

bool SimBatch::reserve(Sequence& sequence, int tokens) {
    const int more = std::max(0, blocks_of(tokens) - sequence.blocks);
    if (limits_.kv_blocks > 0 && used_blocks_ + more > limits_.kv_blocks) return false;
    sequence.blocks += more;
    used_blocks_ += more;
    return true;
}

void SimBatch::release(Sequence& sequence) { used_blocks_ -= std::exchange(sequence.blocks, 0); }

// One that only holds its place has no blocks to give.
std::uint64_t SimBatch::preempt_last(SimTime at, std::vector<SimEvent>& events) {
    const auto last = std::find_if(running_.rbegin(), running_.rend(), [](const Sequence& sequence) { return !sequence.is_done(); });
    PLIMSOLL_CHECK(last != running_.rend(), "a block is wanted by a sequence that computes");
    release(*last);
    last->computed = 0;
    last->decodes = false;
    ++preemptions_;
    events.push_back({.kind = SimEvent::Kind::preempted, .id = last->id, .at = at});
    waiting_.push_front(*last);
    running_.erase(std::next(last).base());
    return waiting_.front().id;
}

}  // namespace plimsoll::llm
