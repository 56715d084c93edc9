// The pictures of a sizing run: NAT's two (p95 over concurrency; the scatter with its fit), percentiles with intervals, throughput and its
// knee, and what the evaluators say.
#pragma once

#include <vector>

#include "forecast/sizing.h"
#include "report/picture.h"

namespace plimsoll::report {

inline constexpr std::size_t kMaxScorePlots = 6;

// concurrency_vs_p95_simple and concurrency_vs_p95_analysis as NAT names them, percentiles_over_users, throughput_over_users,
// scores_over_users; those for which nothing was measured are left out.
std::vector<Picture> make_sizing_pictures(const forecast::SizingResult& result);

}  // namespace plimsoll::report
