// A graph's structure after compile(): nodes, channels and triggers by index, nothing left to look up by name except
// targets that nodes choose while running. Immutable and shared by all runs.
#pragma once

#include <any>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

#include "base/error.h"
#include "event/session.h"
#include "graph/channel.h"
#include "graph/run_options.h"
#include "graph/update.h"

namespace plimsoll::graph {

namespace asio = boost::asio;

// What a node's body is called with. `input` is the state's snapshot or a Send's argument, and outlives the call.
struct NodeCall {
    event::Context context;
    const void* input = nullptr;
    StepInfo info;
    const RunOptions* options = nullptr;
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
    const void* (*argument_of)(const std::any&) = nullptr;  // a Send's argument of input_type; null when it is another type
    bool defer = false;
    std::function<Result<UpdateData>(const NodeCall&)> call;                    // a plain function, or
    std::function<asio::awaitable<Result<UpdateData>>(const NodeCall&)> start;  // a coroutine

    // Filled in by ProgramBuilder.
    std::size_t branch = 0;             // the trigger that edges, targets and routers write
    std::vector<std::size_t> triggers;  // the branch, then the barriers
    std::vector<TriggerWrite> edges;    // written after each run
    std::vector<Router> routers;
};

struct Program {
    std::type_index state_type = typeid(void);
    std::function<std::shared_ptr<void>(const void*)> copy_state;
    std::vector<std::shared_ptr<const Channel>> channels;
    std::vector<Node> nodes;  // sorted by name
    std::vector<Trigger> triggers;
    Node entry;  // kStart: edges and routers, no body

    std::optional<std::size_t> find_node(std::string_view name) const;
    std::optional<std::size_t> find_channel(MemberKey member) const;
};

// Collects what StateGraph is told; build() checks it. May build more than once.
class ProgramBuilder {
  public:
    ProgramBuilder(std::type_index state_type, std::function<std::shared_ptr<void>(const void*)> copy_state);

    void add_channel(std::shared_ptr<const Channel> channel);
    void add_node(Node node);
    void add_edge(std::string from, std::string to);
    void add_barrier(std::vector<std::string> from, std::string to);
    void add_router(std::string from, Router router);

    Result<std::shared_ptr<const Program>> build() const;

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

    std::vector<std::string> find_problems() const;

    std::type_index state_type_;
    std::function<std::shared_ptr<void>(const void*)> copy_state_;
    std::vector<std::shared_ptr<const Channel>> channels_;
    std::vector<Node> nodes_;
    std::vector<Edge> edges_;
    std::vector<NamedRouter> routers_;
};

}  // namespace plimsoll::graph
