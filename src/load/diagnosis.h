// What held the load back, told apart from the samples of a run. A pure function; every finding carries the figures it rests on.
//
// Three causes of "the processor is at 100 %" look alike on a dashboard and want opposite cures (kubernetes-mixin issue 108, kubernetes
// issue 67577): a limit that is too low (the control group is stopped by the scheduler while the machine has room, even at a low average),
// a machine that is busy (work waits for cores, nobody is stopped), and code that uses one core however many there are (Python's global
// lock). The model server and the load generator itself are the two other places to look. Where the target refuses or has gone, what the
// load generator measured of itself says nothing, and is not diagnosed.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "load/sample.h"
#include "load/stats.h"

namespace plimsoll::load {

enum class Cause : std::uint8_t {
    target_gone,
    target_refuses,
    cpu_limit_too_low,
    node_busy,
    cpu_bound_code,
    model_server_saturated,
    client_saturated,
};
std::string_view to_string(Cause cause);

struct Finding {
    Cause cause = Cause::node_busy;
    std::string text;  // a sentence with the figures and what to do
};

// How the target answered, as far as it tells whether there is one.
struct TargetFailures {
    std::uint64_t calls = 0;
    std::uint64_t refused = 0;  // answered with an HTTP status of an error
    std::string refusal;        // the most frequent: "http 429: too many requests"
    // Calls that could not connect after the last second in which one went well, and that second; < 0: there was none.
    std::uint64_t unreachable = 0;
    double last_good_s = -1;
    std::string connect_error;
};
TargetFailures find_failures(const LoadStats& stats);

struct DiagnosisInput {
    const std::deque<Sample>& samples;
    TargetFailures failures;
    double schedule_error_p99_s = 0;
    double schedule_error_limit_s = 0.01;
    int threads = 1;  // of the load generator
    bool open_loop = false;
    bool agent_in_process = false;  // what is measured runs in this process too, so that its use of the processor is the agent's
};

// The surest first. Empty: nothing stands out, or there are too few samples.
std::vector<Finding> diagnose(const DiagnosisInput& input);

}  // namespace plimsoll::load
