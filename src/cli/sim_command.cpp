#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/serving.h"
#include "cli/sim_flags.h"
#include "llm/sim_server.h"

namespace plimsoll::cli {
namespace {

struct ServeFlags {
    SimFlags sim;
    double slow_start = 5;  // seconds
    int retry_after = 1;    // seconds
    std::vector<std::string> faults;
    std::string script;
};

int serve(ServeFlags flags) {
    llm::SimOptions& options = flags.sim.options;
    options.slow_start = to_sim_delay(flags.slow_start);
    options.retry_after = std::chrono::seconds(flags.retry_after);
    options.script = flags.script;
    const auto rates = llm::parse_sim_fault_rates(fmt::format("{}", fmt::join(flags.faults, ",")));
    if (!rates) {
        log_error("--fault: {}", rates.error().message);
        return 2;
    }
    options.fault_rates = *rates;
    if (const auto applied = apply_sim_flags(flags.sim); !applied) {
        log_error("{}", applied.error().message);
        return 2;
    }
    net::IoPool pool(1);
    llm::SimServer server(pool.at(0).get_executor(), options);
    if (const auto port = server.listen(); !port) {
        log_error("{}", port.error().message);
        return port.error().code == ErrorCode::invalid_argument ? 2 : 1;
    }
    serve_until_signal(pool, server, fmt::format("http://{}:{}", options.host, server.port()));
    return 0;
}

}  // namespace

void add_sim_command(CLI::App& app, Run& run) {
    auto* sim = app.add_subcommand("sim", "simulated servers for load tests");
    sim->require_subcommand(1);
    auto* command = sim->add_subcommand("serve", "an OpenAI-compatible model server with set timing and faults, without a model");
    const auto flags = std::make_shared<ServeFlags>();
    llm::SimOptions& options = flags->sim.options;
    command->add_option("--host", options.host, "address to listen on")->capture_default_str();
    command->add_option("--port", options.port, "0 = any free one")->capture_default_str();
    command->add_option("--model", options.model, "name it lists")->capture_default_str();
    add_sim_flags(*command, flags->sim);
    command->add_option("--api_key,--api-key", options.api_key, "answer 401 to requests without this bearer token");
    command->add_option("--seed", options.seed, "of jitter and faults")->capture_default_str();
    command->add_option("--script", flags->script, "JSON file of scripted answers");
    command->add_option("--fault", flags->faults, fmt::format("NAME=RATE, may be repeated: {}", fmt::join(llm::sim_fault_names(), ", ")));
    command->add_option("--slow_start,--slow-start", flags->slow_start, "seconds before the first token, of the fault slow_start")
        ->capture_default_str()
        ->check(at_least_zero());
    command->add_option("--retry_after,--retry-after", flags->retry_after, "seconds that the fault 429 says")
        ->capture_default_str()
        ->check(at_least_zero());
    command->callback([&run, flags] { run = [flags] { return serve(*flags); }; });
    add_sim_play_command(*sim, run);
}

}  // namespace plimsoll::cli
