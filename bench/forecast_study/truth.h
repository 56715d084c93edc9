// The truth that forecasts are compared with: a model server and its agents, simulated step by step and token by token, with
// noise, hiccups and everything a forecast must find out by itself. Shares no code with src/forecast.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "event/trace.h"

namespace study {

enum class Law { roofline, additive, staircase };
enum class Route { round_robin, least_loaded, random };

struct ServerTruth {
    int replicas = 1;
    Route route = Route::round_robin;
    int slots = 64;
    long kv_tokens = 1'000'000;
    int batch_tokens = 4096;
    bool chunked = true;
    Law law = Law::roofline;
    double a = 0.010, c = 2e-8, d = 9e-6;  // seconds a step, a context token, a token read or written
    double noise = 0.06;                   // of a step, lognormal
    double hiccup_chance = 0.002;          // of a step: 75 to 225 ms more
    int search_servers = 0;                // uses of the search tool at once; 0: no bound
};

enum class Shape { research, loop, map_reduce };

struct Op {
    bool model = true;
    int prompt = 0, output = 0;  // tokens
    double seconds = 0;          // of a search
};
using Branch = std::vector<Op>;  // one after the other
struct Stage {
    std::string name;
    std::vector<Branch> branches;  // at the same time
};
using Plan = std::vector<Stage>;  // one after the other

// The i-th session of a workload; the same for equal arguments.
Plan make_plan(Shape shape, double prompt_scale, std::uint64_t seed, int index);

struct Run {
    double p95 = 0;                                     // of sessions that started after the first `concurrency`, all of them ended
    std::vector<plimsoll::event::SessionTrace> traces;  // with those still open at the end; empty unless asked for
};
// A closed loop of `concurrency` users; stops when `sessions` have ended. `traces`: only the first token is shown.
Run run_truth(const ServerTruth& server, Shape shape, double prompt_scale, std::uint64_t seed, int concurrency, int sessions, bool traces);

}  // namespace study
