// What the recording itself says about the limits of a model server, and where that contradicts what is claimed.
#pragma once

#include <string>
#include <vector>

#include "forecast/limits.h"
#include "forecast/recording.h"

namespace plimsoll::forecast {

struct ServerEvidence {
    double peak_sequences = 0;  // calls between their first and last token, all replicas together
    double peak_tokens = 0;     // their context, all replicas together
    int waiting_calls = 0;      // got their first token much later than their prompts explain, while the peak was reached
    bool places_seen = false;   // so many waited that the peak is the number of places
};

// `unqueued_first_token`: expected seconds of each of the endpoint's streamed calls without waiting for a place, by level and call index.
ServerEvidence weigh_evidence(const Recording& recording, int endpoint, const std::vector<std::vector<double>>& unqueued_first_token);

// Limits of one endpoint after the check. A claim that the recording contradicts is dropped and said in `warnings`; what
// nobody knows keeps the bounds between which it must lie.
struct ResolvedLimits {
    int replicas = 1;
    std::vector<Routing> routings;  // one, or all that are possible
    std::vector<double> batch_budgets;
    double places_low = 0, places_high = 0;  // a replica; equal when known
    double memory_low = 0, memory_high = 0;
    double places_reached = 0, memory_reached = 0;  // in the measurement, the mean over replicas: the limits are no lower
    bool chunked_prefill = true;
    std::vector<std::string> unknown;  // names of limits nobody stated
    std::vector<std::string> warnings;

    bool places_known() const { return places_low == places_high; }
    bool memory_known() const { return memory_low == memory_high; }
};
ResolvedLimits resolve_limits(const std::string& endpoint, const EndpointLimits& claimed, const ServerEvidence& evidence);

}  // namespace plimsoll::forecast
