// NAT 1.9.0's own way to pair and nest steps, for ProfilerConfig::nat_compat: a NAT user can move over and compare number by
// number. Every rule here is one that the analyses do better by default (docs/nat-differences.md); nothing else of the
// profiler knows of them.
#pragma once

#include <vector>

#include "profile/call_tree.h"
#include "profile/simple_stack.h"

namespace plimsoll::profile {

// NAT's files list all UUIDs of all spikes. That is quadratic in the load, so the list ends here too.
inline constexpr std::size_t kMaxListedNatUuids = 4'000'000;

// Seconds. One remembered LLM_START a session: the next LLM_END takes it, whatever its UUID.
std::vector<double> compute_nat_latencies(const std::vector<event::SessionTrace>& sessions);

// Calls by a stack over time: a call's parent is whatever was open on top when it started, and a call that ends while another
// is on top stays on the stack for good. Functions bear the name of the function, spans that of the function around them.
struct NatCalls {
    std::vector<event::SpanList> spans;  // one list a session; every span counts as finished
    CallTree tree;                       // points into `spans`
};
NatCalls make_nat_calls(const std::vector<event::SessionTrace>& sessions, bool (*keep)(event::Category));

// For slack: the last START and the last END of each UUID in the order of recording, whatever lies between. One list a session.
std::vector<event::SpanList> make_nat_siblings(const std::vector<event::SessionTrace>& sessions);

// Groups by UUID over all sessions. Calls that meet end to start count as overlapping when the later one's UUID sorts first,
// and a call without length overlaps itself.
Operations collect_nat_operations(const std::vector<event::SessionTrace>& sessions);

}  // namespace plimsoll::profile
