// The server's batch steps, seen from outside: every running sequence gets its token at the end of the same step, so the token
// times of all calls together fall into bunches, one a step.
#pragma once

#include <vector>

#include "forecast/recording.h"

namespace plimsoll::forecast {

struct BatchStep {
    double end = 0;      // seconds since the level's start
    double seconds = 0;  // since the step before
    int n = 0;           // sequences that got a token which was not their first
    double context = 0;  // tokens they attend to
    double prompt = 0;   // prompt tokens of calls that got their first token
    int prompts = 0;     // those calls
};

// Steps of one endpoint at one level; needs all token times and a single replica. Steps before which the server may have been
// idle are left out, and so is the tail of a level with sessions still open, whose calls are not in the record.
// `max_batched_tokens`: longer prompts are read over several steps; all of these are left out.
std::vector<BatchStep> rebuild_steps(const Level& level, int endpoint, double max_batched_tokens);

}  // namespace plimsoll::forecast
