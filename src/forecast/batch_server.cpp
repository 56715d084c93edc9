#include "forecast/batch_server.h"

#include <algorithm>
#include <cmath>

namespace plimsoll::forecast {
namespace {

// Steps taken together use the context in their middle; more than this many would let the context grow too far from it.
constexpr std::int64_t kMaxStepsTogether = 64;

}  // namespace

void BatchServer::submit(double now, const ServerCall& call) {
    waiting_.push_back(call);
    if (!in_step_ || step_count_ <= 1) return;
    // The call joins at the end of the step that is under way now, not of all that were planned.
    const auto under_way = static_cast<std::int64_t>(std::ceil((now - step_start_) / step_seconds_));
    const std::int64_t count = std::clamp<std::int64_t>(under_way, 1, step_count_);
    if (count == step_count_) return;
    step_count_ = count;
    step_end_ = step_start_ + static_cast<double>(count) * step_seconds_;
    ++generation_;
}

void BatchServer::admit() {
    held_up_ = HeldUp::nothing;
    while (!waiting_.empty()) {
        const auto in_batch = static_cast<std::int64_t>(running_.size() + prefilling_.size());
        if (in_batch >= limits_.max_num_seqs) {
            held_up_ = HeldUp::places;
            return;
        }
        const ServerCall& call = waiting_.front();
        const std::int64_t memory = call.prompt + call.cached;
        // A call larger than the whole memory runs alone: refusing it would stop the simulation.
        if (in_batch > 0 && context_ + prefill_memory_ + memory > limits_.kv_tokens) {
            held_up_ = HeldUp::memory;
            return;
        }
        prefill_memory_ += memory;
        prefilling_.push_back({call, call.prompt, admissions_++});
        waiting_.pop_front();
    }
}

void BatchServer::preempt_for_memory() {
    while (running_.size() > 1 && context_ + prefill_memory_ + std::ssize(running_) > limits_.kv_tokens) {
        const auto last = std::ranges::max_element(running_, {}, &Running::admitted);
        const std::int64_t context = steps_ + last->context_offset;
        ServerCall again = last->call;
        // What it has written is read again with its prompt.
        const auto written = static_cast<int>(context - again.prompt - again.cached);
        again.prompt += std::max(0, written);
        again.output = static_cast<int>(std::max<std::int64_t>(1, last->finish_step - steps_));
        waiting_.push_front(again);
        context_ -= context;
        *last = running_.back();
        running_.pop_back();
        ++totals_.preemptions;
        find_next_finish();
    }
}

void BatchServer::plan_prompts() {
    prompt_tokens_ = prompts_ = 0;
    chunks_.assign(prefilling_.size(), 0);
    std::int64_t budget = limits_.max_batched_tokens;
    if (limits_.chunked_prefill) budget -= std::ssize(running_);
    budget = std::max<std::int64_t>(budget, 1);
    for (std::size_t i = 0; i < prefilling_.size() && budget > 0; ++i) {
        const bool whole = !limits_.chunked_prefill;
        if (whole && prompts_ > 0 && prefilling_[i].left > budget) break;
        const auto chunk = static_cast<int>(whole ? prefilling_[i].left : std::min<std::int64_t>(prefilling_[i].left, budget));
        chunks_[i] = chunk;
        budget -= chunk;
        prompt_tokens_ += chunk;
        ++prompts_;
    }
}

void BatchServer::find_next_finish() {
    next_finish_ = std::numeric_limits<std::int64_t>::max();
    for (const Running& one : running_) next_finish_ = std::min(next_finish_, one.finish_step);
}

void BatchServer::start_steps(double now) {
    preempt_for_memory();
    admit();
    plan_prompts();
    const auto rows = static_cast<std::int64_t>(running_.size());
    if (rows == 0 && prompts_ == 0) return;
    decoding_ = rows > 0 && (prompts_ == 0 || limits_.chunked_prefill);
    step_count_ = 1;
    if (prompts_ == 0) {
        step_count_ = std::clamp<std::int64_t>(next_finish_ - steps_, 1, kMaxStepsTogether);
        const std::int64_t room = limits_.kv_tokens - context_ - prefill_memory_;
        step_count_ = std::clamp<std::int64_t>(room / rows, 1, step_count_);
    }
    const double n = decoding_ ? static_cast<double>(rows) : 0;
    const double context = decoding_ ? static_cast<double>(context_) + n * static_cast<double>(step_count_ - 1) / 2 : 0;
    step_seconds_ = law_->step_seconds(n, context, static_cast<double>(prompt_tokens_), static_cast<double>(prompts_));
    step_start_ = now;
    step_end_ = now + static_cast<double>(step_count_) * step_seconds_;
    in_step_ = true;
    ++generation_;
    totals_.peak_sequences = std::max(totals_.peak_sequences, running_.size() + prefilling_.size());
    totals_.peak_tokens = std::max(totals_.peak_tokens, context_ + prefill_memory_);
}

void BatchServer::finish_sequences(std::vector<ServerEvent>& events) {
    if (steps_ < next_finish_) return;
    for (std::size_t i = 0; i < running_.size();) {
        if (running_[i].finish_step > steps_) {
            ++i;
            continue;
        }
        events.push_back({.id = running_[i].call.id, .time = step_end_, .finished = true});
        context_ -= steps_ + running_[i].context_offset;
        running_[i] = running_.back();
        running_.pop_back();
    }
    find_next_finish();
}

void BatchServer::finish_prompts(std::vector<ServerEvent>& events) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < prefilling_.size(); ++i) {
        Prefilling& one = prefilling_[i];
        one.left -= chunks_[i];
        if (one.left > 0) {
            prefilling_[kept++] = one;
            continue;
        }
        // The step that ends a prompt brings the first token.
        const ServerCall& call = one.call;
        const std::int64_t memory = call.prompt + call.cached;
        prefill_memory_ -= memory;
        const bool finished = call.output <= 1;
        events.push_back({.id = call.id, .time = step_end_, .first_token = true, .finished = finished});
        if (finished) continue;
        running_.push_back({steps_ + call.output - 1, memory + 1 - steps_, one.admitted, call});
        next_finish_ = std::min(next_finish_, running_.back().finish_step);
        context_ += memory + 1;
    }
    prefilling_.resize(kept);
}

void BatchServer::advance(std::vector<ServerEvent>& events) {
    in_step_ = false;
    totals_.steps += step_count_;
    if (held_up_ == HeldUp::places) totals_.full_slot_steps += step_count_;
    if (held_up_ == HeldUp::memory) totals_.full_kv_steps += step_count_;
    totals_.busy_seconds += step_end_ - step_start_;
    if (decoding_) {
        totals_.sequence_steps += static_cast<double>(step_count_) * static_cast<double>(running_.size());
        steps_ += step_count_;
        context_ += step_count_ * std::ssize(running_);
        finish_sequences(events);
    }
    if (prompts_ > 0) finish_prompts(events);
}

}  // namespace plimsoll::forecast
