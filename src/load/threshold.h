// What a run has to reach, as text:
//
//   threshold := measure op value
//   measure   := "p(" number ")" metric | ("avg" | "min" | "max") metric | share
//   metric    := "ttft" | "itl" | "latency" | "raw_latency" | "session" | "schedule_error"
//   share     := "error_rate" | "rate" | "token_rate" | "dropped" | "errors"
//   op        := "<" | "<=" | ">" | ">="
//   value     := number unit        durations need one: "2s", "150ms"; error_rate takes "1%" or "0.01"; rates "50/s" or "50"
//
// Latencies count from the intended start; raw_latency from the real one.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll::load {

enum class Metric : std::uint8_t { ttft, itl, latency, raw_latency, session, schedule_error };
enum class Share : std::uint8_t { error_rate, rate, token_rate, dropped, errors };
enum class Statistic : std::uint8_t { percentile, average, minimum, maximum };
enum class Comparison : std::uint8_t { less, less_equal, greater, greater_equal };

struct Threshold {
    std::string text;
    bool is_share = false;
    Statistic statistic = Statistic::percentile;  // of a metric
    double p = 0;                                 // of a percentile
    Metric metric = Metric::latency;
    Share share = Share::error_rate;
    Comparison comparison = Comparison::less;
    double limit = 0;  // seconds, a share of 1, a second, or a number

    bool holds(double value) const;
};

// Errors: invalid_argument with the column of what is wrong, counted from 1.
Result<Threshold> parse_threshold(std::string_view text);

}  // namespace plimsoll::load
