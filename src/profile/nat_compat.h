// NAT 1.9.0's own way to pair and nest steps, for ProfilerConfig::nat_compat: a NAT user can move over and compare number by
// number. Every rule here is one that the analyses do better by default (docs/nat-differences.md); nothing else of the
// profiler knows of them.
#pragma once

#include <vector>

#include "profile/simple_stack.h"

namespace plimsoll::profile {

// Seconds, of a session. One remembered LLM_START: the next LLM_END takes it, whatever its UUID.
std::vector<double> compute_nat_latencies(const std::vector<event::Step>& steps);

// Calls by a stack over time: a call's parent is whatever was open on top when it started, and a call that ends while another
// is on top stays on the stack for good. Functions bear the name of the function, spans that of the function around them. Every call
// counts as finished.
void add_nat_session(RunGraph& graph, const event::SessionTrace& session, bool (*keep)(event::Category));

// For slack: the last START and the last END of each UUID of a session in the order of recording, whatever lies between.
std::vector<event::Span> find_nat_siblings(const std::vector<event::Step>& steps);

// Groups by UUID over all sessions. Calls that meet end to start count as overlapping when the later one's UUID sorts first,
// and a call without length overlaps itself.
class NatOperations {
  public:
    void add(const std::vector<event::Step>& steps);  // of a session
    Operations collect() const;

  private:
    // The steps of one category with one UUID.
    struct Row {
        TextPool::Id uuid = 0;
        double first_time = 0;       // of the earliest of them
        std::size_t first_step = 0;  // its number in the run
        double start = kUnknown;     // of the earliest START
        double end = kUnknown;       // of the last END
        std::uint32_t name = 0;      // on the earliest step
        event::Category category = event::Category::custom;
    };
    std::vector<Row> merge() const;

    std::vector<Row> rows_;
    NamePool names_;
    TextPool uuids_;
    std::size_t steps_ = 0;
};

}  // namespace plimsoll::profile
