// Recordings and limits for tests, made in memory. Only tests include it.
#pragma once

#include <cmath>
#include <string>

#include "forecast/limits.h"
#include "forecast/recording.h"

namespace plimsoll::forecast {

inline Limits make_limits(const std::string& model, int replicas, int places, std::int64_t kv, int budget) {
    Limits limits;
    limits.endpoints[model] = {
        .replicas = replicas, .routing = Routing::round_robin, .max_num_seqs = places, .kv_tokens = kv, .max_batched_tokens = budget};
    return limits;
}

inline event::Step make_step(event::Category category, event::Phase phase, double time, const std::string& name, const std::string& id,
                             const std::string& parent) {
    event::Step step;
    step.parent_id = parent;
    step.payload.event_type = {category, phase};
    step.payload.event_timestamp = time;
    step.payload.name = name;
    step.payload.uuid = id;
    return step;
}

// A closed loop on a server that gives every call 10 ms a token whatever the load.
inline LevelTraces make_level(int concurrency, int rounds, int tokens = 50, double cached_share = 0) {
    LevelTraces level{concurrency, "level", {}};
    for (int round = 0; round < rounds; ++round)
        for (int user = 0; user < concurrency; ++user) {
            const double start = 1000 + round * 1.0 + user * 0.001, end = start + 0.01 * (tokens + round % 5);
            event::SessionTrace session;
            session.steps.push_back(make_step(event::Category::workflow, event::Phase::start, start, "agent", "w", "root"));
            session.steps.push_back(make_step(event::Category::llm, event::Phase::start, start, "m", "c", "w"));
            session.steps.push_back(make_step(event::Category::llm, event::Phase::chunk, start + 0.02 + 0.001 * (user % 3), "m", "c", "w"));
            auto done = make_step(event::Category::llm, event::Phase::end, end, "m", "c", "w");
            done.payload.usage_info.emplace();
            done.payload.usage_info->token_usage.prompt_tokens = 100 + 20 * (round % 7);
            auto& usage = done.payload.usage_info->token_usage;
            usage.cached_tokens = std::llround(cached_share * static_cast<double>(usage.prompt_tokens));
            usage.completion_tokens = tokens + round % 5;
            session.steps.push_back(done);
            session.steps.push_back(make_step(event::Category::workflow, event::Phase::end, end, "agent", "w", "root"));
            level.sessions.push_back(std::move(session));
        }
    return level;
}

}  // namespace plimsoll::forecast
