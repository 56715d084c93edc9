// A function is anything a workflow can call by name: a tool, a sub-agent, the workflow itself.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/schema.h"
#include "config/config.h"
#include "event/session.h"
#include "llm/chat.h"
#include "llm/local_server.h"
#include "net/io_pool.h"

namespace plimsoll::functions {

namespace asio = boost::asio;

class Function {
  public:
    virtual ~Function() = default;
    // `input` is a string for most (NAT's input_message). Any error ends the session or is handled by the caller.
    virtual asio::awaitable<Result<json::value>> invoke(event::Context context, json::value input) = 0;
};

// Calls a function with its FUNCTION span recorded. An exception out of it becomes an `internal` error.
asio::awaitable<Result<json::value>> call_function(event::Context context, std::string name, Function& function, json::value input);

// One whole session: the WORKFLOW span, the entry function "<workflow>" inside it, and session->finish(). `type` is the
// workflow's `_type`, which names the WORKFLOW span as NAT does.
asio::awaitable<Result<json::value>> run_session(std::shared_ptr<event::Session> session, std::string type, Function& workflow,
                                                 json::value input, Deadline deadline);

class Builder;

struct FunctionType {
    ComponentInfo info;
    // Makes a function from its checked settings. Errors: config, not_found.
    std::function<Result<std::unique_ptr<Function>>(Builder&, const std::string& name, const json::object& settings)> make;
};

// Every known function type, assembled once in cli/ from functions::function_types() and research::function_types().
using FunctionTypes = std::vector<FunctionType>;
FunctionTypes function_types();

// Builds what a config names, each once, on demand, references first. Cycles are config errors. Owns everything built;
// outlives the sessions that use it. May start model servers and wait for them: call it off the io threads.
class Builder {
  public:
    // `log_folder` takes the logs of local model servers.
    Builder(const config::Config& config, FunctionTypes types, net::IoPool& pool, std::filesystem::path log_folder);
    ~Builder();

    Result<llm::ChatModel*> llm(const std::string& name);
    Result<llm::EmbeddingModel*> embedder(const std::string& name);
    Result<Function*> function(const std::string& name);
    Result<Function*> workflow();  // the `workflow:` section

    net::IoPool& pool() { return pool_; }
    const config::Config& config() const { return config_; }
    // Chat and embedding servers started for `_type: local`; empty when none is used.
    llm::LocalServers& local_servers();
    // The YAML key and the type of what workflow() builds: ("<workflow>", "deep_research").
    const std::string& workflow_type() const { return config_.workflow.type; }

  private:
    struct Impl;
    const config::Config& config_;
    net::IoPool& pool_;
    std::unique_ptr<Impl> impl_;
};

}  // namespace plimsoll::functions
