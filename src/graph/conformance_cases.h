// For tests: what LangGraph did in each conformance case, and graphs that several cases use.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "graph/state_graph.h"
#include "graph/test_loop.h"

namespace plimsoll::graph {

using Names = std::vector<std::string>;

// What LangGraph 1.2.22 did in a case; null for one that the file does not have.
inline const json::value& observed(std::string_view id) {
    static const json::value oracle = [] {
        const auto text = load_file(PLIMSOLL_SOURCE_DIR "/tests/goldens/langgraph/conformance_oracle.json");
        return text ? parse_json(*text).value_or(json::value()) : json::value();
    }();
    static const json::value missing;
    const auto* found = find(oracle, id);
    const auto* result = found ? find(*found, "observed") : nullptr;
    return result ? *result : missing;
}
inline const json::value& observed(std::string_view id, std::string_view key) {
    static const json::value missing;
    const auto* found = find(observed(id), key);
    return found ? *found : missing;
}

// A state that is one list, to which each node adds its name.
struct Trail {
    Names out;
};

inline Result<Update<Trail>> leave(Names names) { return Update<Trail>{}.set(&Trail::out, std::move(names)); }

inline void add_named(StateGraph<Trail>& graph, const std::string& name, NodeOptions options = {}) {
    graph.add_node(name, [name](event::Context, const Trail&) { return leave({name}); }, std::move(options));
}

inline StateGraph<Trail> trail(const Names& nodes) {
    StateGraph<Trail> graph;
    graph.channel("out", &Trail::out, append());
    for (const auto& name : nodes) add_named(graph, name);
    return graph;
}

// kStart -> the first, each -> the next.
template <class S>
void add_chain(StateGraph<S>& graph, const Names& nodes) {
    std::string from(kStart);
    for (const std::string& node : nodes) {
        graph.add_edge(from, node);
        from = node;
    }
}

template <class S>
Result<S> invoke(const StateGraph<S>& graph, S initial, RunOptions options = {}) {
    const auto compiled = graph.compile();
    if (!compiled) return fail(compiled.error());
    return run_on_loop(compiled->invoke({}, std::move(initial), std::move(options)));
}

template <class S>
CompiledGraph<S> compiled(const StateGraph<S>& graph, const CompileOptions& options = {}) {
    auto result = graph.compile(options);
    PLIMSOLL_CHECK(result.has_value(), result ? std::string() : result.error().message);
    return std::move(*result);
}

template <class T>
ErrorCode code_of(const Result<T>& result) {
    EXPECT_FALSE(result);
    return result ? ErrorCode::internal : result.error().code;
}

// What a test expects to work; the error's text becomes the test's failure.
template <class T>
T value_of(Result<T> result) {
    PLIMSOLL_CHECK(result.has_value(), result ? std::string() : result.error().message);
    return std::move(*result);
}

// A thread of runs of one graph over one saver, each on a loop of its own.
template <class S>
class Thread {
  public:
    Thread(CompiledGraph<S> graph, RunOptions options = {}) : graph_(std::move(graph)), options_(std::move(options)) {
        if (options_.thread.empty()) options_.thread = "thread";
    }

    Result<RunResult<S>> try_run(Input<S> input, std::string checkpoint = {}) {
        RunOptions options = options_;
        options.checkpoint = std::move(checkpoint);
        return run_on_loop(graph_.run({}, std::move(input), std::move(options)));
    }
    RunResult<S> run(Input<S> input, std::string checkpoint = {}) { return value_of(try_run(std::move(input), std::move(checkpoint))); }
    StateSnapshot<S> state(std::string checkpoint = {}) {
        return value_of(run_on_loop(graph_.get_state({options_.thread, "", std::move(checkpoint)})));
    }
    std::vector<StateSnapshot<S>> history() { return value_of(run_on_loop(graph_.get_state_history(options_.thread))); }
    Result<std::string> update(Update<S> update, std::string as_node = {}) {
        return run_on_loop(graph_.update_state({options_.thread, "", ""}, std::move(update), std::move(as_node)));
    }
    // What a stream shows, as (mode, data), with the whole run as its last element's neighbour: the run's result goes to `end`.
    std::vector<StreamChunk> stream(Input<S> input, StreamMode modes, bool subgraphs = false) {
        RunOptions options = options_;
        options.modes = modes;
        options.subgraphs = subgraphs;
        return run_on_loop(read_all(graph_.stream({}, std::move(input), std::move(options))));
    }

    const CompiledGraph<S>& graph() const { return graph_; }

  private:
    static asio::awaitable<std::vector<StreamChunk>> read_all(Stream<RunResult<S>> stream) {
        std::vector<StreamChunk> chunks;
        while (auto chunk = co_await stream.next()) chunks.push_back(std::move(*chunk));
        const auto end = co_await stream.finish();
        EXPECT_TRUE(end) << end.error().message;
        co_return chunks;
    }

    CompiledGraph<S> graph_;
    RunOptions options_;
};

inline json::array data_of(const std::vector<StreamChunk>& chunks) {
    json::array all;
    for (const StreamChunk& chunk : chunks) all.push_back(chunk.data);
    return all;
}

// As the oracle shows questions: {"Interrupt": value}.
inline json::array shown(const std::vector<Interrupt>& interrupts) {
    json::array all;
    for (const Interrupt& interrupt : interrupts) all.push_back({{"Interrupt", interrupt.value}});
    return all;
}

}  // namespace plimsoll::graph
