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
// Where this differs from LangGraph: docs/langgraph-differences.md. How a compiled graph is run: compiled_graph.h.
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
#include "graph/compiled_graph.h"
#include "graph/program.h"
#include "graph/run.h"
#include "graph/run_options.h"
#include "graph/update.h"

namespace plimsoll::graph {

struct NodeOptions {
    bool defer = false;              // run only once no other task remains
    std::string name;                // of its span in traces; the node's name when empty
    std::vector<RetryPolicy> retry;  // the first one that wants the failure counts; none: no second attempt
    Timeouts timeouts;
    std::optional<CachePolicy> cache;
};

namespace detail {

template <class T>
struct IsAwaitable : std::false_type {};
template <class T>
struct IsAwaitable<asio::awaitable<T>> : std::true_type {};

// Not inlined: the coroutine that waits for a node has a slot for every temporary of what is.
template <class S>
[[gnu::noinline]] Result<UpdateData> untyped(Result<Update<S>> update) {
    if (!update) return fail(std::move(update).error());
    return std::move(*update).take();
}

// What a node of a JsonState returns as JSON: an object of channels and values, or null.
template <class S>
    requires std::same_as<S, JsonState>
Result<UpdateData> untyped(Result<json::value> returned) {
    if (!returned) return fail(std::move(returned).error());
    Update<JsonState> update;
    if (const json::object* values = returned->if_object())
        for (const auto& [channel, value] : *values) update.set(channel, value);
    else if (!returned->is_null())
        return fail(ErrorCode::invalid_argument, "a node returns an object of channels and values, or null");
    return std::move(update).take();
}

template <class S, class R>
asio::awaitable<Result<UpdateData>> untyped_later(asio::awaitable<R> returned) {
    co_return untyped<S>(co_await std::move(returned));
}

// A graph as a node. `finish` makes the outer node's update of the inner graph's final state.
template <class S, class T, class Fn>
asio::awaitable<Result<UpdateData>> run_inner(const Program& program, const NodeCall& call, T state, Fn finish) {
    const RunScope scope = make_inner_scope(call, program);
    auto outcome = co_await run_program(program, call.context, &state, nullptr, scope);
    if (!outcome) co_return fail(std::move(outcome).error());
    if (outcome->ending != Ending::finished) throw NodeInterrupted{std::move(outcome->interrupts), outcome->ending == Ending::drained};
    if (!outcome->for_parent) co_return finish(state);
    UpdateData update = std::move(*outcome->for_parent);
    update.to_parent = false;  // it has arrived
    if (!std::is_same_v<S, T> && !update.writes.empty())
        co_return fail(ErrorCode::invalid_argument, "go_to_parent: only a graph with the outer graph's state can write to it");
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
class StateGraph {
  public:
    StateGraph() : builder_(make_state_type()) {}

    // Members without a channel keep their initial value, and are not part of checkpoints.
    template <class T>
    void channel(std::string name, T S::* member) {
        add_last_value(std::move(name), MemberSlot<S, T>{member}, Lifetime::kept);
    }
    template <class T>
    void channel(std::string name, T S::* member, AnyValue) {
        add_last_value(std::move(name), MemberSlot<S, T>{member}, Lifetime::kept, true);
    }
    template <class T>
    void channel(std::string name, T S::* member, Ephemeral) {
        add_last_value(std::move(name), MemberSlot<S, T>{member}, Lifetime::transient);
    }
    template <class T>
    void channel(std::string name, T S::* member, Untracked) {
        add_last_value(std::move(name), MemberSlot<S, T>{member}, Lifetime::untracked);
    }
    template <class T>
    void channel(std::string name, T S::* member, Reduce<T> how) {
        add_reduced(std::move(name), MemberSlot<S, T>{member}, std::move(how.function));
    }
    template <class T>
    void channel(std::string name, T S::* member, Append) {
        add_reduced(std::move(name), MemberSlot<S, T>{member}, append_both<T>);
    }
    template <class T>
    void channel(std::string name, T S::* member, Topic how) {
        builder_.add_channel(std::make_shared<TopicChannel<MemberSlot<S, T>>>(std::move(name), MemberSlot<S, T>{member}, how.accumulate));
    }

    // The same by name, for a JsonState.
    void channel(std::string name)
        requires std::same_as<S, JsonState>
    {
        add_last_value(name, JsonSlot{name}, Lifetime::kept);
    }
    void channel(std::string name, AnyValue)
        requires std::same_as<S, JsonState>
    {
        add_last_value(name, JsonSlot{name}, Lifetime::kept, true);
    }
    void channel(std::string name, Ephemeral)
        requires std::same_as<S, JsonState>
    {
        add_last_value(name, JsonSlot{name}, Lifetime::transient);
    }
    void channel(std::string name, Untracked)
        requires std::same_as<S, JsonState>
    {
        add_last_value(name, JsonSlot{name}, Lifetime::untracked);
    }
    void channel(std::string name, Reduce<json::value> how)
        requires std::same_as<S, JsonState>
    {
        add_reduced(name, JsonSlot{name}, std::move(how.function));
    }
    void channel(std::string name, Append)
        requires std::same_as<S, JsonState>
    {
        add_reduced(name, JsonSlot{name}, append_both<json::value>);
    }
    void channel(std::string name, Topic how)
        requires std::same_as<S, JsonState>
    {
        builder_.add_channel(std::make_shared<TopicChannel<JsonSlot>>(name, JsonSlot{name}, how.accumulate));
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

    // Runs `inner` on a copy of the state with the outer run's limits (counted anew). Its final values are the node's writes, so
    // a reducer of the outer graph sees the whole inner value.
    void add_node(std::string name, CompiledGraph<S> inner, NodeOptions options = {}) {
        Node node = make_node<S>(std::move(name), std::move(options));
        node.start = [program = inner.program()](const NodeCall& call) {
            const auto read_all = [program](const S& state) {
                UpdateData update;
                for (const auto& channel : program->channels)
                    if (channel->is_present(&state)) update.writes.push_back(channel->read(&state));
                return Result<UpdateData>(std::move(update));
            };
            return detail::run_inner<S, S>(*program, call, *static_cast<const S*>(call.input), read_all);
        };
        builder_.add_node(std::move(node));
    }

    // A graph with a state of its own: `enter` makes its initial state of ours (const S&) -> T, `leave` our update of its final
    // one (const T&) -> Update<S>.
    template <class T, class Enter, class Leave>
    void add_node(std::string name, CompiledGraph<T> inner, Enter enter, Leave leave, NodeOptions options = {}) {
        Node node = make_node<S>(std::move(name), std::move(options));
        node.start = [program = inner.program(), enter = std::move(enter), leave = std::move(leave)](const NodeCall& call) {
            const auto take = [leave](const T& state) { return Result<UpdateData>(Update<S>(leave(state)).take()); };
            return detail::run_inner<S, T>(*program, call, enter(*static_cast<const S*>(call.input)), take);
        };
        builder_.add_node(std::move(node));
    }

    // Called with (event::Context, const Input&, const Error&) when the node's last attempt has failed; its Result<Update<S>> takes
    // the place of the node's.
    template <class Input = S, class Fn>
    void on_error(std::string node, Fn fn) {
        builder_.add_error_handler(std::move(node), [fn = std::move(fn)](const NodeCall& call, const Error& error) {
            return detail::untyped<S>(fn(call.context, *static_cast<const Input*>(call.input), error));
        });
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
    // take a Send's argument, no entry; with a saver, what has no JSON conversion. Nodes that nothing leads to are allowed.
    Result<CompiledGraph<S>> compile(const CompileOptions& options = {}) const {
        auto program = builder_.build(options);
        if (!program) return fail(std::move(program).error());
        return CompiledGraph<S>(std::move(*program));
    }

  private:
    static StateType make_state_type() {
        StateType type;
        type.type = typeid(S);
        type.copy = [](const void* state) -> std::shared_ptr<void> { return std::make_shared<S>(*static_cast<const S*>(state)); };
        type.make = []() -> std::shared_ptr<void> { return std::make_shared<S>(); };
        type.assign = [](void* to, const void* from) { *static_cast<S*>(to) = *static_cast<const S*>(from); };
        type.ignores_unknown = std::is_same_v<S, JsonState>;
        return type;
    }

    template <class Slot>
    void add_last_value(std::string name, Slot slot, Lifetime lifetime, bool any = false) {
        builder_.add_channel(std::make_shared<LastValueChannel<Slot>>(std::move(name), std::move(slot), lifetime, any));
    }
    template <class Slot, class Fn>
    void add_reduced(std::string name, Slot slot, Fn function) {
        builder_.add_channel(std::make_shared<ReducedChannel<Slot>>(std::move(name), std::move(slot), std::move(function)));
    }
    template <class T>
    static T append_both(T all, T more) {
        append_to(all, std::move(more));
        return all;
    }

    template <class Input>
    static Node make_node(std::string name, NodeOptions options) {
        Node node;
        node.span_name = options.name.empty() ? name : std::move(options.name);
        node.name = std::move(name);
        node.input_type = typeid(Input);
        node.argument_of = [](const std::any& argument) -> const void* { return std::any_cast<Input>(&argument); };
        if constexpr (has_json<Input>()) {
            node.argument_to_json = [](const std::any& argument) { return json::value_from(*std::any_cast<Input>(&argument)); };
            node.argument_from_json = [](const json::value& value) -> Result<std::any> {
                auto argument = from_json<Input>(value, "argument");
                if (!argument) return fail(std::move(argument).error());
                return std::any(std::move(*argument));
            };
        }
        node.defer = options.defer;
        node.retry = std::move(options.retry);
        node.timeouts = options.timeouts;
        node.cache = options.cache;
        return node;
    }

    ProgramBuilder builder_;
};

}  // namespace plimsoll::graph
