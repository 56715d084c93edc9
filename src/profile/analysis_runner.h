// The one place every analysis goes through: off switch, isolation, timing. An analysis that fails or throws is noted by name
// and never costs another's output.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace plimsoll::profile {

class AnalysisRunner {
  public:
    // Does nothing when `on` is false. True when `body` ran and succeeded. An analysis that takes sessions one by one runs many times under
    // its name: its times add up, and once it has failed it does not run again.
    bool run(std::string_view name, bool on, const std::function<Result<void>()>& body);

    struct Timing {
        std::string name;
        double seconds = 0;
    };
    const std::vector<Timing>& timings() const { return timings_; }
    const std::vector<std::pair<std::string, Error>>& failures() const { return failures_; }

    const Error* find_failure(std::string_view name) const;  // null: it did not run or it succeeded

    // What a file has in the place of the analysis: `value`, or {"error": {"code", "message"}} when it failed.
    json::value in_place_of(std::string_view name, json::value value) const;

  private:
    Timing& timing_of(std::string_view name);

    std::vector<Timing> timings_;
    std::vector<std::pair<std::string, Error>> failures_;
};

}  // namespace plimsoll::profile
