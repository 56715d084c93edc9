// When the sessions of an open loop start. The schedule is made from the plan and a seed alone, never from how the run goes, so a slow
// server cannot delay it.
//
// A rate that changes over time (stages) and the spread of the gaps are independent: gaps of mean 1 are drawn in "operational time", the
// integral of the rate, and mapped back to the clock (Cinlar 1975, time-change of a renewal process). Constant gaps, exponential
// ones (Poisson) and gamma ones with a chosen coefficient of variation all work with any stages.
#pragma once

#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "load/duration_text.h"

namespace plimsoll::load {

enum class Gaps : std::uint8_t { constant, exponential, gamma };

// The rate moves in a straight line from one value to the other.
struct RateStage {
    Nanoseconds span{0};
    double from = 0, to = 0;  // sessions a second
};

struct ArrivalPlan {
    Gaps gaps = Gaps::exponential;
    double cv = 1;                   // of gamma gaps: standard deviation over mean
    std::vector<RateStage> stages;   // one after the other
    std::vector<Nanoseconds> trace;  // recorded offsets, ascending; then the rest does not count
    std::uint64_t seed = 1;

    Nanoseconds length() const;  // until the last stage or the last recorded arrival ends
};

// Bounds of what a plan may ask for.
inline constexpr double kMaxRate = 1e6;  // a second
inline constexpr std::size_t kMaxTraceArrivals = 10'000'000;

// "30s:50,1m:50,10s:0": within 30 s to 50 a second, a minute at 50, within 10 s to 0. The first stage begins at `initial_rate`.
// Errors: invalid_argument.
Result<std::vector<RateStage>> parse_stages(std::string_view text, double initial_rate);

// One time in seconds a line (blank lines and lines that start with '#' are passed over), or a JSON array of them. Any epoch: the first
// becomes 0. `speed` 2 plays twice as fast. Errors: parse with the line, limit.
Result<std::vector<Nanoseconds>> parse_arrival_trace(std::string_view text, double speed);

class Arrivals {
  public:
    explicit Arrivals(const ArrivalPlan& plan);

    // Offset of the next start from the run's, never before the last one's; nothing after the end.
    std::optional<Nanoseconds> next();

  private:
    double draw_gap();

    const ArrivalPlan& plan_;
    Random random_;
    std::gamma_distribution<double> gamma_;
    std::size_t at_ = 0;           // stage or trace entry
    double stage_start_s_ = 0;     // clock
    double stage_start_area_ = 0;  // operational time
    double area_ = 0;              // of the last arrival
    bool first_ = true;
};

}  // namespace plimsoll::load
