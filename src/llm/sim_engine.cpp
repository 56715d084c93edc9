#include "llm/sim_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace plimsoll::llm {

double SimStepLaw::seconds(const SimStep& step) const {
    const auto context = static_cast<double>(step.context);
    if (form == Form::linear) return fixed + per_sequence * step.decodes + per_context * context + per_prompt_token * step.prompt_tokens;
    return overhead + std::max(fixed + per_context * context, per_prompt_token * step.tokens());
}

std::optional<SimRouting> parse_sim_routing(std::string_view name) {
    const auto found = std::ranges::find(kSimRoutingNames, name);
    if (found == std::end(kSimRoutingNames)) return std::nullopt;
    return static_cast<SimRouting>(found - std::begin(kSimRoutingNames));
}

Result<void> check_sim_engine_options(const SimEngineOptions& options) {
    constexpr double kMaxStepSeconds = 3600;  // with every token of the largest batch
    constexpr int kMaxCount = 100'000'000;
    const auto bad = [](std::string what) { return fail(ErrorCode::invalid_argument, std::move(what)); };
    const SimBatchLimits& limits = options.limits;
    const SimStepLaw& law = options.law;
    for (const double part : {law.overhead, law.fixed, law.per_sequence, law.per_context, law.per_prompt_token})
        if (!(part >= 0 && part <= kMaxStepSeconds)) return bad("the terms of the step law are between 0 and 3600 seconds");
    if (law.overhead + law.fixed <= 0) return bad("a step takes time: its fixed part is above 0");
    const auto is_count = [](int value, int least) { return value >= least && value <= kMaxCount; };
    if (!is_count(limits.max_sequences, 1) || !is_count(limits.max_batched_tokens, 1) || !is_count(limits.block_tokens, 1))
        return bad("max_sequences, max_batched_tokens and block_tokens are at least 1");
    if (limits.max_batched_tokens < limits.max_sequences) return bad("max_batched_tokens is at least max_sequences");
    if (!is_count(limits.kv_blocks, 0) || !is_count(limits.max_context, 0)) return bad("kv_blocks and max_context are not negative");
    if (options.replicas < 1 || options.replicas > kMaxSimReplicas)
        return bad(fmt::format("replicas is between 1 and {}", kMaxSimReplicas));
    if (!(options.jitter >= 0 && options.jitter < 1)) return bad("jitter is between 0 and 1");
    if (options.ingest.count() < 0 || options.ingest > std::chrono::minutes(1)) return bad("ingest is between 0 and 60 seconds");
    return {};
}

SimEngine::SimEngine(const SimEngineOptions& options) : options_(options) {
    for (int i = 0; i < options_.replicas; ++i) replicas_.emplace_back(options_.limits, options_.seed + static_cast<std::uint64_t>(i));
}

Result<void> SimEngine::submit(SimTime now, SimJob job) {
    Replica& replica = route(job);
    PLIMSOLL_TRY(replica.batch.check(job));
    if (replica.arrivals.size() + replica.batch.waiting() >= kMaxSimWaiting)
        return fail(ErrorCode::limit, fmt::format("{} requests wait already", kMaxSimWaiting));
    const SimTime arrival = now + job.delay;
    replica.arrivals.emplace(arrival, job);
    if (!replica.in_step) replica.due = std::min(replica.due, arrival + options_.ingest);
    return {};
}

SimEngine::Replica& SimEngine::route(const SimJob& job) {
    if (options_.routing == SimRouting::round_robin) return replicas_[turn_++ % replicas_.size()];
    if (options_.routing == SimRouting::session_hash && job.session != 0) return replicas_[job.session % replicas_.size()];
    return *std::ranges::min_element(replicas_, {}, &Replica::requests);
}

void SimEngine::leave(SimTime now, std::uint64_t id) {
    for (Replica& replica : replicas_) {
        std::erase_if(replica.arrivals, [&](const auto& arrival) { return arrival.second.id == id; });
        // The place that it leaves may be what the queue waited for.
        if (replica.batch.remove(id) && !replica.in_step && replica.batch.waiting() > 0) replica.due = now;
    }
}

std::optional<SimTime> SimEngine::next() const {
    const SimTime first = std::ranges::min_element(replicas_, {}, &Replica::due)->due;
    if (first == kNever) return std::nullopt;
    return first;
}

void SimEngine::advance(SimTime now, std::vector<SimEvent>& events) {
    for (;;) {
        Replica& first = *std::ranges::min_element(replicas_, {}, &Replica::due);
        if (first.due == kNever || first.due > now) return;
        advance(first, events);
    }
}

void SimEngine::advance(Replica& replica, std::vector<SimEvent>& events) {
    const SimTime at = replica.due;
    if (replica.in_step) {
        replica.in_step = false;
        replica.batch.end(at, events);
        const auto index = static_cast<std::uint64_t>(&replica - replicas_.data());
        events.push_back({.kind = SimEvent::Kind::step, .id = index, .at = at, .tokens = replica.step_tokens});
        take_arrivals(replica, at - options_.ingest);
    } else {
        take_arrivals(replica, at);
    }
    begin_step(replica, at, events);
}

void SimEngine::take_arrivals(Replica& replica, SimTime until) {
    const auto end = replica.arrivals.upper_bound(until);
    for (auto arrival = replica.arrivals.begin(); arrival != end; ++arrival) replica.batch.add(arrival->second);
    replica.arrivals.erase(replica.arrivals.begin(), end);
}

void SimEngine::begin_step(Replica& replica, SimTime at, std::vector<SimEvent>& events) {
    const auto step = replica.batch.begin(at, events);
    replica.due = kNever;
    if (!step) {
        if (!replica.arrivals.empty()) replica.due = std::max(at, replica.arrivals.begin()->first + options_.ingest);
        return;
    }
    double seconds = options_.law.seconds(*step);
    if (options_.jitter > 0) seconds *= replica.random.uniform(1 - options_.jitter, 1 + options_.jitter);
    replica.in_step = true;
    replica.due = at + SimTime(std::max<std::int64_t>(1, std::llround(seconds * 1e9)));
    ++replica.steps;
    replica.step_sequences += static_cast<std::uint64_t>(step->decodes + step->prompts);
    replica.step_tokens = step->tokens();
    replica.busy_seconds += seconds;
}

std::vector<SimLoad> SimEngine::load() const {
    std::vector<SimLoad> loads;
    for (const Replica& replica : replicas_)
        loads.push_back({.running = replica.batch.running(),
                         .waiting = replica.arrivals.size() + replica.batch.waiting(),
                         .kv_blocks = options_.limits.kv_blocks,
                         .kv_blocks_used = replica.batch.used_blocks(),
                         .preemptions = replica.batch.preemptions(),
                         .steps = replica.steps,
                         .step_sequences = replica.step_sequences,
                         .busy_seconds = replica.busy_seconds});
    return loads;
}

}  // namespace plimsoll::llm
