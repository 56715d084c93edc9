// What of a session is played: the graph with its edges turned round, so that what ends finds what may begin. Immutable and
// compact, since a play reads many of them in any order.
#pragma once

#include <cstdint>
#include <vector>

#include "forecast/session_graph.h"

namespace plimsoll::forecast {

class Script {
  public:
    explicit Script(const SessionGraph& graph);

    struct Step {
        TaskKind kind = TaskKind::pause;
        int resource = -1;
        int prompt = 0, cached = 0, output = 0;
        float seconds = 0, gap = 0;
        std::uint32_t first_next = 0, end_next = 0;  // range in nexts()
        std::uint32_t waits_for = 0;                 // predecessors
    };
    const std::vector<Step>& steps() const { return steps_; }
    const std::vector<std::uint32_t>& nexts() const { return nexts_; }

  private:
    std::vector<Step> steps_;
    std::vector<std::uint32_t> nexts_;
};

}  // namespace plimsoll::forecast
