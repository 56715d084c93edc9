#include "record/otlp_sessions.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "record/otlp_dialect.h"

namespace plimsoll::record {
namespace {

using event::Category;
using event::Phase;

struct Node {
    const ReadSpan* span = nullptr;
    Category category = Category::span;
    std::string name;
    Node* parent = nullptr;
    int depth = 0;
    event::InvocationNode function;
};

bool is_caller(Category category) { return category == Category::workflow || category == Category::function; }

// Spans of one session, later ones known by their parents.
class SessionBuilder {
  public:
    explicit SessionBuilder(const std::vector<const ReadSpan*>& spans) {
        nodes_.reserve(spans.size());
        for (const ReadSpan* span : spans) {
            const Category category = category_of(*span).value_or(Category::span);
            nodes_.push_back({.span = span, .category = category, .name = call_name_of(*span, category)});
        }
        link();
        set_root();
        order_by_depth();
        for (Node* node : by_depth_) set_function(*node);
    }

    std::vector<event::Step> make_steps() const {
        std::vector<Timed> timed;
        for (const Node* node : by_depth_) add_steps(*node, timed);
        std::ranges::stable_sort(timed, {}, &Timed::key);
        std::vector<event::Step> steps;
        steps.reserve(timed.size());
        for (Timed& entry : timed) steps.push_back(std::move(entry.step));
        return steps;
    }

  private:
    // At one time a call starts before what it calls and ends after it.
    struct Timed {
        std::tuple<double, int, int> key;
        event::Step step;
    };

    void link() {
        std::unordered_map<std::string_view, Node*> by_id;
        for (Node& node : nodes_) by_id.emplace(node.span->span_id, &node);
        for (Node& node : nodes_) {
            const auto found = by_id.find(node.span->parent_id);
            if (found != by_id.end() && found->second != &node) node.parent = found->second;
        }
        break_circles();
    }

    // Marks each chain with its own number; a chain that meets itself is a circle and is cut there.
    void break_circles() {
        std::unordered_map<const Node*, std::size_t> chain_of;
        for (std::size_t chain = 0; chain < nodes_.size(); ++chain)
            for (Node* node = &nodes_[chain]; node && chain_of.emplace(node, chain).second;) {
                const auto next = node->parent ? chain_of.find(node->parent) : chain_of.end();
                if (next != chain_of.end() && next->second == chain) node->parent = nullptr;
                node = node->parent;
            }
    }

    void set_root() {
        const auto is_root = [](const Node& node) { return node.parent == nullptr; };
        if (std::ranges::count_if(nodes_, is_root) != 1) return;
        Node& root = *std::ranges::find_if(nodes_, is_root);
        const bool calls = root.category == Category::function || root.category == Category::span;
        // NAT has workflow spans of its own: a root without is a trace whose beginning is missing.
        if (calls && !function_of(*root.span)) root.category = Category::workflow;
    }

    void order_by_depth() {
        std::unordered_map<const Node*, std::vector<Node*>> children;
        for (Node& node : nodes_) (node.parent ? children[node.parent] : by_depth_).push_back(&node);
        for (std::size_t i = 0; i < by_depth_.size(); ++i) {
            const auto found = children.find(by_depth_[i]);
            if (found == children.end()) continue;
            for (Node* child : found->second) {
                child->depth = by_depth_[i]->depth + 1;
                by_depth_.push_back(child);
            }
        }
    }

    // The parent's is set already.
    static void set_function(Node& node) {
        if (auto recorded = function_of(*node.span)) {
            node.function = std::move(*recorded);
            return;
        }
        if (node.parent) node.function = node.parent->function;
        if (node.category != Category::function) return;
        const event::InvocationNode outer = node.function;
        node.function = {node.span->span_id, node.name, outer.function_id, outer.function_name};
    }

    static event::Step make_step(const Node& node, Phase phase, double time) {
        event::Step step;
        step.parent_id = node.parent ? node.parent->span->span_id : "root";
        step.function_ancestry = node.function;
        step.payload.event_type = {node.category, phase};
        step.payload.event_timestamp = time;
        step.payload.framework = framework_of(*node.span);
        step.payload.name = node.name;
        step.payload.uuid = node.span->span_id;
        return step;
    }

    static void add_steps(const Node& node, std::vector<Timed>& out) {
        const ReadSpan& span = *node.span;
        event::Step start = make_step(node, Phase::start, span.start);
        if (json::value input = input_of(span); !input.is_null()) start.payload.data = event::StepData{.input = std::move(input)};
        out.push_back({{span.start, 0, node.depth}, std::move(start)});
        if (const auto first = node.category == Category::llm ? first_token_of(span) : std::nullopt) {
            event::Step token = make_step(node, Phase::chunk, *first);
            token.payload.data = event::StepData{.chunk = ""};
            out.push_back({{*first, 1, node.depth}, std::move(token)});
        }
        if (span.end <= 0) return;
        const double end = std::max(span.start, span.end);
        out.push_back({{end, 2, -node.depth}, make_end(node, end)});
    }

    static event::Step make_end(const Node& node, double time) {
        const ReadSpan& span = *node.span;
        event::Step end = make_step(node, Phase::end, time);
        end.payload.span_event_timestamp = span.start;
        end.payload.metadata = metadata_of(span);
        if (json::value output = output_of(span); !output.is_null()) end.payload.data = event::StepData{.output = std::move(output)};
        if (node.category == Category::llm) end.payload.usage_info = usage_of(span);
        const auto error = error_of(span);
        // A foreign member of that name must not read as a failure.
        if (auto* metadata = end.payload.metadata.if_object(); metadata && !error) metadata->erase("error");
        if (error) {
            if (!end.payload.metadata.is_object()) end.payload.metadata = json::object();
            end.payload.metadata.get_object()["error"] = {{"code", to_string(error->code)}, {"message", error->message}};
        }
        return end;
    }

    std::vector<Node> nodes_;
    std::vector<Node*> by_depth_;  // parents before children
};

using Rows = std::span<const SpanRow>;
using Sessions = std::map<std::string, std::vector<SpanRow>>;  // by trace, run or conversation

std::vector<ReadSpan> read_again(Rows rows) {
    std::vector<ReadSpan> spans;
    spans.reserve(rows.size());
    for (const SpanRow& row : rows) spans.push_back(read_span(row.place));
    return spans;
}

// Spans without a run of their own belong to the nearest caller's, else to the trace's first.
void split_by_run(Rows rows, Sessions& out) {
    const auto spans = read_again(rows);
    std::unordered_map<std::string_view, const ReadSpan*> by_id;
    std::string first;
    for (const ReadSpan& span : spans) {
        by_id.emplace(span.span_id, &span);
        if (first.empty()) first = run_id_of(span);
    }
    for (std::size_t index = 0; index < spans.size(); ++index) {
        std::string run = run_id_of(spans[index]);
        const ReadSpan* at = &spans[index];
        // As many steps up as there are spans: ids may form a circle.
        for (std::size_t i = 0; run.empty() && i < spans.size(); ++i) {
            const auto found = by_id.find(at->parent_id);
            if (found == by_id.end()) break;
            at = found->second;
            run = run_id_of(*at);
        }
        out[spans.front().trace_id + "/" + (run.empty() ? first : run)].push_back(rows[index]);
    }
}

struct Trace {
    std::string id;
    std::string conversation;
    Rows rows;
};

void add_trace(const Trace& trace, Sessions& out) {
    std::set<std::size_t> runs;
    for (const SpanRow& row : trace.rows)
        if (row.run != 0) runs.insert(row.run);
    if (runs.size() > 1) return split_by_run(trace.rows, out);
    const bool by_trace = trace.conversation.empty() || std::ranges::any_of(trace.rows, &SpanRow::is_caller);
    auto& session = out[by_trace ? trace.id : "conversation " + trace.conversation];
    session.insert(session.end(), trace.rows.begin(), trace.rows.end());
}

Sessions group(std::vector<SpanRow> spans) {
    std::ranges::stable_sort(spans, {}, &SpanRow::trace);
    std::vector<Trace> traces;
    for (auto first = spans.begin(); first != spans.end();) {
        const auto last = std::find_if(first, spans.end(), [&](const SpanRow& row) { return row.trace != first->trace; });
        const ReadSpan front = read_span(first->place);
        traces.push_back({front.trace_id, conversation_of(front), Rows(first, last)});
        first = last;
    }
    std::ranges::sort(traces, {}, &Trace::id);
    Sessions sessions;
    for (const Trace& trace : traces) add_trace(trace, sessions);
    return sessions;
}

std::vector<SpanRow> remove_repeated(std::vector<SpanRow> spans, const SpanSessions& to) {
    std::unordered_set<std::size_t> seen;
    // Of a span that was exported while it ran and once more when it ended, the ended one stays.
    std::ranges::stable_partition(spans, &SpanRow::ended);
    std::erase_if(spans, [&](const SpanRow& row) {
        const bool repeated = !seen.insert(row.id).second;
        if (repeated) to.on_repeated(row, read_span(row.place).span_id);
        return repeated;
    });
    return spans;
}

std::size_t hash_of(const std::string& text) { return text.empty() ? 0 : std::hash<std::string>()(text); }

}  // namespace

SpanRow make_span_row(const ReadSpan& span, const SpanPlace& place) {
    return {.place = place,
            .start = span.start,
            .trace = hash_of(span.trace_id),
            .id = hash_of(span.trace_id + span.span_id),
            .run = hash_of(run_id_of(span)),
            .ended = span.end > 0,
            .is_caller = is_caller(category_of(span).value_or(Category::function))};
}

void make_sessions(std::vector<SpanRow> spans, const SpanSessions& to) {
    auto sessions = group(remove_repeated(std::move(spans), to));
    struct Session {
        double start;
        std::vector<SpanRow> rows;
    };
    std::vector<Session> in_order;
    in_order.reserve(sessions.size());
    for (auto& [key, rows] : sessions) in_order.push_back({std::ranges::min(rows, {}, &SpanRow::start).start, std::move(rows)});
    sessions.clear();
    std::ranges::stable_sort(in_order, {}, &Session::start);
    for (std::size_t i = 0; i < in_order.size(); ++i) {
        const auto read = read_again(in_order[i].rows);
        std::vector<const ReadSpan*> members;
        for (const ReadSpan& span : read) members.push_back(&span);
        to.on_session(in_order[i].rows.front(), {static_cast<std::int64_t>(i), SessionBuilder(members).make_steps()});
    }
}

}  // namespace plimsoll::record
