// Every session of a run as its forks and joins: the calls with what they called, and the step each call is an instance of. What all
// analyses of times, tokens and failures are computed from: about 120 bytes and the UUID a call, whatever its prompts are.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "event/trace.h"
#include "profile/call_tree.h"

namespace plimsoll::profile {

// What calls are summed up under. An LLM or tool call is told apart by the function it ran in, since the same model plans in
// one place and writes in another.
struct StepName {
    event::Category category = event::Category::custom;
    std::string name;
    std::string function;  // empty: in any function, or the step is a function itself
    friend auto operator<=>(const StepName&, const StepName&) = default;
};
std::string to_string(const StepName& step);  // "LLM llama in write"

// START and END of neighbouring calls are stamped by different callbacks: a call that starts this many seconds before another
// one ends still counts as started after it.
inline constexpr double kJoinSlackSeconds = 10e-6;

// A session begins with its first step, or with the start that an END carries when that is earlier (the STARTs of a saved run may
// have been filtered out). NAT knows only the steps.
enum class SessionStart : std::uint8_t { step_or_span, step };

struct SessionRow {
    std::int64_t request_number = 0;
    std::size_t first_call = 0;  // in RunGraph::calls
    std::uint32_t calls = 0;
    std::uint32_t steps = 0;               // without any, its times mean nothing
    double first_step = 0, last_step = 0;  // seconds since the epoch
    double first_known = 0;                // first_step, or a start that an END carries when that is earlier
    double first_call_start = 0;           // first_step, or the start of a call when that is earlier

    double runtime() const { return last_step - first_call_start; }
    double runtime_from(SessionStart start) const { return last_step - (start == SessionStart::step ? first_step : first_known); }
};
// Without calls.
SessionRow make_session_row(const event::SessionTrace& session);

// Sessions of any kind of call tree. Not copied: it is as large as the run.
struct RunGraph {
    std::vector<SessionRow> sessions;
    std::vector<Call> calls;              // of every category, the workflow too; session by session, each in preorder
    std::vector<std::uint32_t> by_start;  // the calls of each session in the order of their start: indices in the session's tree
    std::vector<StepName> steps;
    std::vector<event::TokenUsage> usages = {{}};
    std::vector<float> token_gaps;  // seconds between neighbouring LLM_NEW_TOKENs; of a call tokens − 1, in the order of the calls
    NamePool names;
    TextPool uuids;
    std::size_t orphan_steps = 0;  // ENDs and CHUNKs without a START

    RunGraph() = default;
    RunGraph(RunGraph&&) = default;
    RunGraph(const RunGraph&) = delete;
    RunGraph& operator=(RunGraph&&) = default;
    RunGraph& operator=(const RunGraph&) = delete;

    std::span<const Call> calls_of(const SessionRow& session) const { return std::span(calls).subspan(session.first_call, session.calls); }
    std::span<const std::uint32_t> by_start_of(const SessionRow& session) const {
        return std::span(by_start).subspan(session.first_call, session.calls);
    }
    const std::string& name_of(const Call& call) const { return names[call.name]; }
    // The call's own name, else that of the function it ran in.
    const std::string& shown_name(const Call& call) const { return names[name_of(call).empty() ? call.function : call.name]; }
    const event::TokenUsage& usage_of(const Call& call) const { return usages[call.usage]; }

    // Calls of a session in the order of their start, each with its parent's index among them. Ends the session.
    struct NewCall {
        const event::Span* span = nullptr;
        std::uint32_t parent = kNoCall;
    };
    SessionRow& add(const event::SessionTrace& session, std::span<const NewCall> calls);

  private:
    Call make_call(const event::Span& span);
    std::map<std::tuple<event::Category, std::uint32_t, std::uint32_t>, std::uint32_t> step_numbers_;
};

// Seconds; 0 where the clock of a recorder ran backwards.
inline double latency(const event::Span& span) { return span.end > span.start ? span.duration() : 0; }

// The calls of a session as its parents' ids say, with what its steps tell of waiting, attempts and repetitions. `spans` are
// pair_spans() of its steps.
void add_session(RunGraph& graph, const event::SessionTrace& session, const event::SpanList& spans);

RunGraph make_run_graph(const std::vector<event::SessionTrace>& sessions);

// Calls that `keep` refuses are left out, and what they called moves up to the nearest call that is kept.
CallTree make_call_tree(const RunGraph& graph, const SessionRow& session, bool (*keep)(event::Category));

// Of every LLM call that succeeded, START and END paired by UUID.
std::vector<double> llm_latencies(const RunGraph& graph);

// Seconds of the sessions with steps.
std::vector<double> session_runtimes(const RunGraph& graph, SessionStart start = SessionStart::step_or_span);

}  // namespace plimsoll::profile
