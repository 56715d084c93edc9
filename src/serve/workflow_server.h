// The workflow over HTTP, on NAT's routes and wire shapes, so that `--endpoint` and NAT's own clients can drive it:
//
//   GET  /health                               {"status":"healthy"}
//   POST /generate, /v1/workflow               {"input_message": …} -> {"value": …}
//   POST /generate/full, /v1/workflow/full     the same with every step: SSE lines `intermediate_data:` and `data:`;
//                                              ?filter_steps=LLM_END,TOOL_END keeps those, =none keeps none
//   POST /v1/chat/completions                  {"messages": […]} -> chat.completion with the session's real token usage
//
// A workflow error is 422 {"code":"workflow_error","message","details"}; on /full it is that object on a line of its own under
// 200, as NAT sends it. A client that goes away cancels its session.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "functions/function.h"
#include "net/http_server.h"

namespace plimsoll::serve {

namespace asio = boost::asio;

struct WorkflowServerOptions {
    net::ServerOptions http;
    std::string workflow_type;
    std::vector<event::StepSink*> sinks;  // outlive the server
    std::chrono::seconds session_timeout{3600};
    int max_sessions = 1000;  // in flight; more are answered 503 with Retry-After
};

class WorkflowServer {
  public:
    WorkflowServer(asio::any_io_executor executor, functions::Function& workflow, WorkflowServerOptions options);
    ~WorkflowServer();

    Result<std::uint16_t> listen();
    asio::awaitable<void> run();
    void stop();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace plimsoll::serve
