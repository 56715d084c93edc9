// Plays recorded sessions again at any number of users: a closed network (or an open one) of users, model servers with
// continuous batching, tool pools and the clients' own pauses. Discrete events, no real time, the same seed gives the same run.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "forecast/batch_server.h"
#include "forecast/limits.h"
#include "forecast/script.h"

namespace plimsoll::forecast {

struct EndpointModel {
    StepLaw law;
    ReplicaLimits limits;  // of each replica
    int replicas = 1;
    Routing routing = Routing::round_robin;
};

struct NetworkModel {
    std::vector<EndpointModel> endpoints;
    std::vector<int> tool_servers;  // uses at once of each tool; 0 = no bound
    double cache_hit_rate = 0;      // share of each prompt that need not be read
};

struct Load {
    std::vector<const Script*> order;  // sessions as they start; used again from the front when more are needed
    bool runs_out = false;             // they are not: the load ends with them, as that of a measurement does
    int users = 1;                     // closed: sessions in flight or thinking
    double think_time = 0;             // seconds between two sessions of a user
    std::optional<double> rate;        // open: sessions a second, exponential gaps; users is ignored
    double stagger = 0;                // seconds over which the first sessions start
    std::size_t warm_up = 0;           // sessions, by start, that are played but not counted
    std::size_t counted = 0;           // sessions after them that are; the load stays on until all have ended
    std::uint64_t seed = 1;
};

struct NetworkResult {
    std::vector<double> session_seconds;  // of counted sessions, in the order of their end
    std::vector<float> call_seconds;      // of their model calls
    double mean_first_token = 0;          // seconds from sending a call, over their calls
    double mean_token = 0;                // seconds between tokens, weighted by tokens
    double sessions_per_second = 0;       // while counted sessions ran
    struct Endpoint {
        double busy_share = 0;  // of replica time
        double mean_sequences = 0;
        std::size_t peak_sequences = 0;  // of one replica
        std::int64_t peak_tokens = 0;
        std::int64_t preemptions = 0;
        double full_slots_share = 0, full_memory_share = 0;  // of steps: calls waited for a place, or for memory
    };
    std::vector<Endpoint> endpoints;
    std::vector<double> tool_busy;  // mean uses at once
    std::vector<int> tool_peak;
    std::int64_t steps = 0;   // batch steps of all replicas
    bool overloaded = false;  // open: sessions pile up without end; what was counted is a lower bound

    double p95() const;
    double mean() const;
    double call_p95() const;
};

// Bounds of one run. More steps than this end it with a limit error; more open sessions than this are overload.
inline constexpr std::int64_t kMaxSimulatedSteps = 200'000'000;
inline constexpr std::size_t kMaxOpenSessions = 200'000;

// Errors: limit.
Result<NetworkResult> play(const NetworkModel& model, const Load& load);

}  // namespace plimsoll::forecast
