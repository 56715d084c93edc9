// A graph's structure after compile(): nodes, channels and triggers by index, nothing left to look up by name except
// targets that nodes choose while running. Immutable and shared by all runs.
#pragma once

#include <any>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

#include "base/error.h"
#include "event/session.h"
#include "graph/channel.h"
#include "graph/checkpoint.h"
#include "graph/node_policy.h"
#include "graph/run_options.h"
#include "graph/update.h"

namespace plimsoll::graph {

struct RunScope;

// What a node's body is called with. `input` is the state's snapshot or a Send's argument, and outlives the call.
struct NodeCall {
    const event::Context& context;
    const void* input = nullptr;
    StepInfo info;
    const RunScope* scope = nullptr;
    bool resuming = false;  // a graph inside the node goes on where it stopped
};

using Router = std::function<std::vector<Target>(const void* state)>;

// A control channel: the branch of a node, which any one write fires, or a barrier, which fires when all its writers wrote.
struct Trigger {
    std::string name;         // "branch:to:c", "join:a+b:c"
    std::size_t node = 0;     // the node that it triggers
    std::size_t writers = 0;  // of a barrier; 0 = a branch
    bool deferred = false;    // fires only once no other task remains
};

struct TriggerWrite {
    std::size_t trigger = 0;
    std::size_t writer = 0;  // which of a barrier's writers
};

struct Node {
    std::string name;
    std::string span_name;
    std::type_index input_type = typeid(void);
    const void* (*argument_of)(const std::any&) = nullptr;       // a Send's argument of input_type; null when it is another type
    json::value (*argument_to_json)(const std::any&) = nullptr;  // null: input_type has no JSON conversion
    Result<std::any> (*argument_from_json)(const json::value&) = nullptr;
    bool defer = false;
    std::function<Result<UpdateData>(const NodeCall&)> call;                    // a plain function, or
    std::function<asio::awaitable<Result<UpdateData>>(const NodeCall&)> start;  // a coroutine
    std::function<Result<UpdateData>(const NodeCall&, const Error&)> handle_error;

    std::vector<RetryPolicy> retry;  // the first one that says yes counts
    Timeouts timeouts;
    std::optional<CachePolicy> cache;
    bool has_policy() const { return !retry.empty() || timeouts.run || timeouts.idle || cache || handle_error; }
    bool is_plain() const { return call && !has_policy(); }

    // Filled in by ProgramBuilder.
    std::size_t branch = 0;             // the trigger that edges, targets and routers write
    std::vector<std::size_t> triggers;  // the branch, then the barriers
    std::vector<TriggerWrite> edges;    // written after each run
    std::vector<Router> routers;
};

// Whether a graph that is a node of another one keeps checkpoints: in the outer graph's saver and for the one call, so that
// it can be interrupted; there and from call to call; not at all.
enum class InnerCheckpoints : std::uint8_t { inherit, own, none };

struct CompileOptions {
    std::shared_ptr<CheckpointSaver> saver;     // keeps threads; every channel and Send argument then needs a JSON conversion
    std::vector<std::string> interrupt_before;  // nodes; "*" = all
    std::vector<std::string> interrupt_after;
    std::shared_ptr<NodeCache> cache;          // of nodes with a CachePolicy
    std::vector<std::string> input_channels;   // what an input may write; empty = all
    std::vector<std::string> output_channels;  // what results and values events show; empty = all
    InnerCheckpoints as_inner = InnerCheckpoints::inherit;
};

// How the runtime handles a state whose type it does not know.
struct StateType {
    std::type_index type = typeid(void);
    std::shared_ptr<void> (*copy)(const void*) = nullptr;
    std::shared_ptr<void> (*make)() = nullptr;  // null: not default-constructible
    void (*assign)(void* to, const void* from) = nullptr;
    bool ignores_unknown = false;  // a write to a member without a channel is dropped instead of an error
};

struct Program {
    StateType state;
    std::vector<std::shared_ptr<const Channel>> channels;
    std::vector<Node> nodes;  // sorted by name
    std::vector<Trigger> triggers;
    Node entry;  // kStart: edges and routers, no body

    std::shared_ptr<CheckpointSaver> saver;
    std::shared_ptr<NodeCache> cache;
    InnerCheckpoints as_inner = InnerCheckpoints::inherit;
    std::vector<bool> interrupt_before;  // per node; empty = none
    std::vector<bool> interrupt_after;
    std::vector<bool> is_input;  // per channel; empty = all
    std::vector<bool> is_output;

    std::optional<std::size_t> find_node(std::string_view name) const;
    std::optional<std::size_t> find_channel(MemberKey member) const;
    std::optional<std::size_t> find_channel(std::string_view name) const;
    std::optional<std::size_t> find_trigger(std::string_view name) const;
    // The node, or kStart's.
    const Node* find_source(std::string_view name) const;
    bool shows(std::size_t channel) const { return is_output.empty() || is_output[channel]; }
};

// Collects what StateGraph is told; build() checks it. May build more than once.
class ProgramBuilder {
  public:
    explicit ProgramBuilder(StateType state) : state_(state) {}

    void add_channel(std::shared_ptr<const Channel> channel) { channels_.push_back(std::move(channel)); }
    void add_node(Node node) { nodes_.push_back(std::move(node)); }
    void add_edge(std::string from, std::string to) { edges_.push_back({{std::move(from)}, std::move(to), false}); }
    void add_barrier(std::vector<std::string> from, std::string to) { edges_.push_back({std::move(from), std::move(to), true}); }
    void add_router(std::string from, Router router) { routers_.push_back({std::move(from), std::move(router)}); }
    void add_error_handler(std::string node, decltype(Node::handle_error) handler) {
        error_handlers_.emplace_back(std::move(node), std::move(handler));
    }

    // Errors: invalid_argument, naming everything that is wrong.
    Result<std::shared_ptr<const Program>> build(const CompileOptions& options) const;

  private:
    struct Edge {
        std::vector<std::string> from;
        std::string to;
        bool barrier = false;
    };
    struct NamedRouter {
        std::string from;
        Router router;
    };

    void find_channel_problems(const CompileOptions& options, std::vector<std::string>& problems) const;
    void find_edge_problems(std::vector<std::string>& problems) const;
    void find_node_problems(const CompileOptions& options, std::vector<std::string>& problems) const;

    StateType state_;
    std::vector<std::shared_ptr<const Channel>> channels_;
    std::vector<Node> nodes_;
    std::vector<Edge> edges_;
    std::vector<NamedRouter> routers_;
    std::vector<std::pair<std::string, decltype(Node::handle_error)>> error_handlers_;
};

}  // namespace plimsoll::graph
