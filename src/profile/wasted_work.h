// Work whose result nobody used: branches that were cancelled, that never ended, or that went on after their caller.
//
// A branch is a call with everything it called; it is named after its top call and counted once, wherever else inside it
// something was cut off. Its time runs from its start to its end; a call without an END counts until its caller's, else its
// session's end. Tokens are those its LLM calls reported, at least the pieces that had been streamed.
#pragma once

#include <vector>

#include "profile/run_graph.h"

namespace plimsoll::profile {

enum class Waste : std::uint8_t {
    cancelled,   // its END carries the error code `cancelled`
    unfinished,  // no END: the session was cut off, or the recorder drops the ENDs of failed calls as NAT does
    outlived,    // it ended after its caller had ended
};
std::string_view to_string(Waste waste);

struct WasteRow {
    StepName step;
    Waste why = Waste::cancelled;
    std::size_t branches = 0;
    std::size_t llm_calls = 0;
    double seconds = 0;
    std::int64_t tokens = 0;
};

struct WastedWork {
    std::vector<WasteRow> rows;  // most seconds first
    std::size_t branches = 0;
    double seconds = 0;
    std::int64_t tokens = 0;
    double token_share = 0;  // of all tokens of the run; 0..1
};

WastedWork compute_wasted_work(const RunGraph& graph);
json::value to_json(const WastedWork& work);

}  // namespace plimsoll::profile
