// A graph of nodes over a typed state, run in supersteps (Pregel; LangGraph's semantics).
//
//   graph::StateGraph<ResearchState> graph;
//   graph.channel("topic", &ResearchState::topic);                        // one write a step
//   graph.channel("notes", &ResearchState::notes, graph::append());       // or reduce<T>(fn), ephemeral(), topic(accumulate)
//   graph.add_node("plan", plan);                                         // (event::Context, ResearchState)
//   graph.add_node<Search>("search", search);                             // (event::Context, Search), run by send("search", …)
//   graph.add_edge(graph::kStart, "plan");
//   graph.add_conditional_edges("plan", route);                           // (const ResearchState&) -> targets
//   graph.add_edge("search", graph::kEnd);
//   auto compiled = graph.compile();                                      // every structural error at once
//   Result<ResearchState> out = co_await compiled->invoke(context, initial);
//
// A step runs all its tasks side by side on the same snapshot of the state; their writes are applied together when the last
// one has ended, tasks in the order of node names, then Sends in the order they were sent. When a task fails, the others
// are cancelled and waited for, and nothing of the step is applied.
//
// A node is a function or a coroutine of (event::Context, Input) or (event::Context, Input, StepInfo) that returns
// Result<Update<S>>. It may take the input by const reference: the snapshot outlives the step. Its context is inside
// a FUNCTION span of its own when the caller's context has a session. A plain function runs at once on the session's
// thread; one that waits must be a coroutine. An exception becomes an `internal` error with its text.
//
// Where this differs from LangGraph on purpose: an unknown target of a Send or go_to is an error; a write to a member
// that has no channel is an error; a deferred node waits for pending Sends too.
//
// Ownership: a CompiledGraph is immutable, cheap to copy and may be used by many runs and threads at once. One run lives
// on one thread: the executor of the coroutine that awaits invoke() must be a single io thread or a strand.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "event/session.h"
#include "graph/channel.h"
#include "graph/program.h"
#include "graph/run.h"
#include "graph/run_options.h"
#include "graph/update.h"

namespace plimsoll::graph {

struct NodeOptions {
    bool defer = false;  // run only once no other task remains
    std::string name;    // of its span in traces; the node's name when empty
};

namespace detail {

template <class T>
struct IsAwaitable : std::false_type {};
template <class T>
struct IsAwaitable<asio::awaitable<T>> : std::true_type {};

template <class S>
Result<UpdateData> untyped(Result<Update<S>> update) {
    if (!update) return fail(std::move(update).error());
    return std::move(*update).take();
}

template <class S>
asio::awaitable<Result<UpdateData>> untyped_later(asio::awaitable<Result<Update<S>>> update) {
    co_return untyped(co_await std::move(update));
}

template <class S>
asio::awaitable<Result<S>> run_whole(std::shared_ptr<const Program> program, event::Context context, S state, RunOptions options) {
    auto outcome = co_await run_program(std::move(program), std::move(context), &state, std::move(options));
    if (!outcome) co_return fail(std::move(outcome).error());
    if (outcome->for_parent) co_return fail(ErrorCode::invalid_argument, "go_to_parent: this graph is not a node of another one");
    co_return state;
}

// A graph as a node: its final values are the node's writes, so a reducer of the outer graph sees the whole inner value.
template <class S>
asio::awaitable<Result<UpdateData>> run_inner(std::shared_ptr<const Program> program, event::Context context, S state, RunOptions options) {
    auto outcome = co_await run_program(program, std::move(context), &state, std::move(options));
    if (!outcome) co_return fail(std::move(outcome).error());
    UpdateData update;
    if (outcome->for_parent) {
        update = std::move(*outcome->for_parent);
        update.to_parent = false;  // it has arrived
        co_return update;
    }
    for (const auto& channel : program->channels) update.writes.push_back(channel->read(&state));
    co_return update;
}

// Calls fn with the third parameter when it takes one.
template <class Fn, class Input>
auto call_node(const Fn& fn, const NodeCall& call) {
    const Input& input = *static_cast<const Input*>(call.input);
    if constexpr (std::is_invocable_v<const Fn&, event::Context, const Input&, StepInfo>)
        return fn(call.context, input, call.info);
    else
        return fn(call.context, input);
}

}  // namespace detail

template <class S>
class CompiledGraph {
  public:
    explicit CompiledGraph(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

    // Runs to the end and returns the final state. `initial` is the state the first nodes see.
    // Errors: the first failing node's own; invalid_argument (channel conflicts, unknown targets, wrong options),
    // limit (recursion_limit, kMaxTasksPerStep), internal (exceptions), cancelled.
    // Cancelling the awaiting coroutine cancels the running tasks, waits for them and returns `cancelled`.
    asio::awaitable<Result<S>> invoke(event::Context context, S initial, RunOptions options = {}) const {
        return detail::run_whole<S>(program_, std::move(context), std::move(initial), std::move(options));
    }

    const std::shared_ptr<const Program>& program() const { return program_; }

  private:
    std::shared_ptr<const Program> program_;
};

template <class S>
class StateGraph {
  public:
    StateGraph() : builder_(typeid(S), [](const void* state) { return std::make_shared<S>(*static_cast<const S*>(state)); }) {}

    // Members without a channel keep their initial value.
    template <class T>
    void channel(std::string name, T S::* member) {
        builder_.add_channel(std::make_shared<LastValueChannel<S, T>>(std::move(name), member, false));
    }
    template <class T>
    void channel(std::string name, T S::* member, Reduce<T> how) {
        builder_.add_channel(std::make_shared<ReducedChannel<S, T>>(std::move(name), member, std::move(how.function)));
    }
    template <class T>
    void channel(std::string name, T S::* member, Append) {
        channel(std::move(name), member, reduce<T>([](T all, T more) {
                    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
                    return all;
                }));
    }
    template <class T>
    void channel(std::string name, T S::* member, Ephemeral) {
        builder_.add_channel(std::make_shared<LastValueChannel<S, T>>(std::move(name), member, true));
    }
    template <class T>
    void channel(std::string name, T S::* member, Topic how) {
        builder_.add_channel(std::make_shared<TopicChannel<S, T>>(std::move(name), member, how.accumulate));
    }

    template <class Input = S, class Fn>
    void add_node(std::string name, Fn fn, NodeOptions options = {}) {
        using Returned = decltype(detail::call_node<Fn, Input>(fn, std::declval<const NodeCall&>()));
        Node node = make_node<Input>(std::move(name), std::move(options));
        if constexpr (detail::IsAwaitable<Returned>::value) {
            node.start = [fn = std::move(fn)](const NodeCall& call) {
                return detail::untyped_later<S>(detail::call_node<Fn, Input>(fn, call));
            };
        } else {
            node.call = [fn = std::move(fn)](const NodeCall& call) -> Result<UpdateData> {
                return detail::untyped<S>(detail::call_node<Fn, Input>(fn, call));
            };
        }
        builder_.add_node(std::move(node));
    }

    // Runs `inner` on a copy of the state with the outer run's limits (counted anew); its stream events stay inside.
    void add_node(std::string name, CompiledGraph<S> inner, NodeOptions options = {}) {
        Node node = make_node<S>(std::move(name), std::move(options));
        node.start = [program = inner.program()](const NodeCall& call) {
            RunOptions inner_options{.recursion_limit = call.options->recursion_limit, .max_concurrency = call.options->max_concurrency};
            return detail::run_inner<S>(program, call.context, *static_cast<const S*>(call.input), std::move(inner_options));
        };
        builder_.add_node(std::move(node));
    }

    // `to` runs in the step after `from`.
    void add_edge(std::string_view from, std::string_view to) { builder_.add_edge(std::string(from), std::string(to)); }
    // A barrier: `to` runs once all of `from` have run since it ran last.
    void add_edge(std::initializer_list<std::string_view> from, std::string_view to) {
        builder_.add_barrier({from.begin(), from.end()}, std::string(to));
    }
    void add_edge(std::vector<std::string> from, std::string_view to) { builder_.add_barrier(std::move(from), std::string(to)); }

    // `route` is called after each run of `from` with the state as this task alone would leave it. It returns a Target,
    // anything that converts to one, or a vector of them.
    template <class Fn>
    void add_conditional_edges(std::string_view from, Fn route) {
        builder_.add_router(std::string(from), [route = std::move(route)](const void* state) {
            auto next = route(*static_cast<const S*>(state));
            if constexpr (std::is_convertible_v<decltype(next), Target>) {
                std::vector<Target> targets;
                targets.push_back(std::move(next));
                return targets;
            } else {
                return std::vector<Target>(std::make_move_iterator(next.begin()), std::make_move_iterator(next.end()));
            }
        });
    }

    // Errors: invalid_argument, naming everything wrong: unknown, duplicate, reserved or empty names, edges into nodes that
    // take a Send's argument, no entry. Nodes that nothing leads to are allowed.
    Result<CompiledGraph<S>> compile() const {
        auto program = builder_.build();
        if (!program) return fail(std::move(program).error());
        return CompiledGraph<S>(std::move(*program));
    }

  private:
    template <class Input>
    static Node make_node(std::string name, NodeOptions options) {
        Node node;
        node.span_name = options.name.empty() ? name : std::move(options.name);
        node.name = std::move(name);
        node.input_type = typeid(Input);
        node.argument_of = [](const std::any& argument) -> const void* { return std::any_cast<Input>(&argument); };
        node.defer = options.defer;
        return node;
    }

    ProgramBuilder builder_;
};

}  // namespace plimsoll::graph
