#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/serving.h"
#include "cli/workflow_host.h"
#include "serve/workflow_server.h"

namespace plimsoll::cli {
namespace {

struct ServeFlags {
    ConfigFlags config;
    serve::WorkflowServerOptions server;
    std::string log_dir = ".plimsoll/logs";
};

Result<void> serve_workflow(ServeFlags flags) {
    const auto config = load_config(flags.config);
    if (!config) return fail(config.error());
    auto host = WorkflowHost::make(*config, 1, flags.log_dir);
    if (!host) return fail(host.error());
    flags.server.workflow_type = (*host)->workflow_type();
    flags.server.sinks = (*host)->sinks();
    serve::WorkflowServer server((*host)->pool().at(0).get_executor(), (*host)->workflow(), flags.server);
    const auto port = server.listen();
    if (!port) return fail(port.error());
    serve_until_signal((*host)->pool(), server, fmt::format("http://{}:{}", flags.server.http.host, *port));
    return {};
}

}  // namespace

void add_serve_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("serve", "the workflow over HTTP, on NAT's routes");
    const auto flags = std::make_shared<ServeFlags>();
    flags->server.http.port = 8000;
    add_config_flags(*command, flags->config, true);
    command->add_option("--host", flags->server.http.host, "address to listen on")->capture_default_str();
    command->add_option("--port", flags->server.http.port, "0 = any free one")->capture_default_str();
    command->add_option("--max_sessions,--max-sessions", flags->server.max_sessions, "in flight at once; more are answered 503")
        ->capture_default_str();
    command->add_option("--log_dir,--log-dir", flags->log_dir, "logs of local model servers")->capture_default_str();
    command->callback([&run, flags] {
        run = [flags] {
            const auto served = serve_workflow(*flags);
            if (!served) log_error("{}", served.error().message);
            return served ? 0 : 1;
        };
    });
}

}  // namespace plimsoll::cli
