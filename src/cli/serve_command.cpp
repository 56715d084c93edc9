#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/serving.h"
#include "cli/workflow_host.h"
#include "serve/front_end.h"
#include "serve/workflow_server.h"

namespace plimsoll::cli {
namespace {

constexpr const char* kDefaultHost = "127.0.0.1";
constexpr int kDefaultPort = 8000;

struct ServeFlags {
    ConfigFlags config;
    serve::WorkflowServerOptions server;
    serve::FrontEnd front_end;  // what the command line says; the file's holds where it says nothing
    std::string log_dir = ".plimsoll/logs";
};

Result<void> serve_workflow(ServeFlags flags) {
    const auto config = load_config(flags.config);
    if (!config) return fail(config.error());
    auto host = WorkflowHost::make(*config, 1, flags.log_dir);
    if (!host) return fail(host.error());
    const auto in_file = serve::parse_front_end(config->front_end.settings);
    if (!in_file) return fail(in_file.error().with_context("general.front_end"));
    net::ServerOptions& http = flags.server.http;
    http.host = flags.front_end.host.value_or(in_file->host.value_or(kDefaultHost));
    http.port = static_cast<std::uint16_t>(flags.front_end.port.value_or(in_file->port.value_or(kDefaultPort)));
    flags.server.workflow_type = (*host)->workflow_type();
    flags.server.sinks = (*host)->sinks();
    serve::WorkflowServer server((*host)->pool().at(0).get_executor(), (*host)->workflow(), flags.server);
    const auto port = server.listen();
    if (!port) return fail(port.error());
    serve_until_signal((*host)->pool(), server, fmt::format("http://{}:{}", http.host, *port));
    return {};
}

}  // namespace

void add_serve_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("serve", "the workflow over HTTP, on NAT's routes");
    const auto flags = std::make_shared<ServeFlags>();
    add_config_flags(*command, flags->config, true);
    command->add_option("--host", flags->front_end.host, "address to listen on, instead of general.front_end.host")
        ->default_str(kDefaultHost);
    command->add_option("--port", flags->front_end.port, "0 = any free one; instead of general.front_end.port")
        ->default_str(std::to_string(kDefaultPort))
        ->check(CLI::Range(0, 65535));
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
