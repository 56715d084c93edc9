// Hand-made traces and recorded ones for the tests of this folder.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "event/trace.h"
#include "profile/analysis_output.h"
#include "profile/prediction_trie.h"

namespace plimsoll::profile {

struct StepSpec {
    std::string type;  // "LLM_START"
    double time = 0;
    std::string uuid;
    std::string name;
    std::string parent = "root";
    std::string function = "agent";
    json::value input;
    std::int64_t prompt_tokens = 0, completion_tokens = 0;
};

event::Step make_step(const StepSpec& spec);
event::SessionTrace make_session(const std::vector<StepSpec>& specs);

// A START and an END.
std::vector<StepSpec> make_call(const std::string& category, const std::string& uuid, double start, double end,
                                const std::string& name = "m", const std::string& parent = "root");

// The steps of several calls in the order of time.
std::vector<StepSpec> join_calls(const std::vector<std::vector<StepSpec>>& calls);

// What an analysis wrote.
struct Written {
    json::object metrics;
    std::string report;
};
Written collect_output(const std::function<void(const AnalysisOutput&)>& analyse);

TrieNode build_prediction_trie(const std::vector<event::SessionTrace>& sessions, const PredictionTrieSettings& settings,
                               CallStarts starts = CallStarts::paired);

// Makes the step's END carry a failure, as the recorder writes it.
void set_error(event::SessionTrace& session, const std::string& uuid, ErrorCode code);
void set_metadata(event::SessionTrace& session, const std::string& uuid, event::Phase phase, const json::value& metadata);

// Full path of tests/goldens/<file>.
std::string golden_path(const std::string& file);
// tests/goldens/<file>, or what <file>.gz there holds; empty when there is neither.
std::string load_golden(const std::string& file);
std::vector<event::SessionTrace> load_golden_traces(const std::string& file);

// Empty when `actual` is `expected` but for numbers that differ by less than 1e-9 relative; else the first difference.
// Members of `actual` that `expected` lacks are differences too.
std::string find_difference(const json::value& expected, const json::value& actual, const std::string& place = "$");

}  // namespace plimsoll::profile
