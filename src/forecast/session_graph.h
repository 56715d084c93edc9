// A recorded session as a fork-join graph: what must end before what begins, and how long each part needs by itself. A graph
// is played again at another load, where every part waits its turn.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "event/span.h"

namespace plimsoll::forecast {

enum class TaskKind : std::uint8_t {
    model,  // a call to a model server
    tool,   // a call to a tool
    pause,  // the client's own work, or a mere fork or join (0 s)
};

struct Task {
    TaskKind kind = TaskKind::pause;
    int resource = -1;       // index of the model endpoint or of the tool
    int prompt = 0;          // tokens to be computed: those found in a cache are left out
    int cached = 0;          // prompt tokens the server had already; they take memory but no time
    int output = 0;          // tokens, at least 1 for a model call
    double seconds = 0;      // of a tool or pause, without any queueing
    double gap = 0;          // from the end of the last predecessor to the start, spent in the client
    std::vector<int> after;  // predecessors, all with a smaller index
    std::size_t span = kNoSpan;

    static constexpr std::size_t kNoSpan = ~std::size_t{0};  // a fork or join stands for no span
};

struct SessionGraph {
    std::vector<Task> tasks;  // in topological order
};

// Names of model endpoints and tools; a task's resource is the index here.
struct ResourceNames {
    std::vector<std::string> models;
    std::vector<std::string> tools;
    static int index_of(std::vector<std::string>& names, const std::string& name);  // added when new
};

// Builds the graph of one session from its spans (event::pair_spans). Children of a span are put in order by their parent and
// their times:
//   - a child that starts while no sibling runs waits for all siblings that have ended (a join);
//   - one that starts while others run follows the sibling that ended last (a chain, or a free place in a pool);
//   - children that start together, with no end in between, share their predecessors (a fork).
// Ends may be seen up to kClockSlack late. Model and tool spans that have no model or tool span below them are work; so are
// functions without children (pauses); all others only hold their children together.
inline constexpr double kClockSlack = 0.02;  // seconds
SessionGraph make_session_graph(std::span<const event::Span> spans, ResourceNames& names);

// Marks every task below the spans named `name` (functions, tools or models) in `marks`, one a task, but for the first `keep` of these
// spans. Returns how many tasks lie below any of them.
int mark_named(const SessionGraph& graph, std::span<const event::Span> spans, const std::string& name, int keep, std::vector<char>& marks);

// The graph with the work of marked tasks taken out; no marks take nothing out.
SessionGraph without_marked(SessionGraph graph, std::span<const char> marks);

// Seconds of the longest path when every model call takes `model_seconds(task)` and nothing queues.
double critical_path(const SessionGraph& graph, std::span<const double> model_seconds);

}  // namespace plimsoll::forecast
