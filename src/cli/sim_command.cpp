#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/serving.h"
#include "llm/sim_server.h"

namespace plimsoll::cli {
namespace {

struct SimFlags {
    llm::SimOptions options;
    double ttft = 0.1, itl = 0.01;  // seconds
    std::vector<std::string> faults;
    std::string script;
};

std::chrono::microseconds to_microseconds(double seconds) { return std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6)); }

int serve(SimFlags flags) {
    flags.options.ttft = to_microseconds(flags.ttft);
    flags.options.itl = to_microseconds(flags.itl);
    flags.options.script = flags.script;
    const auto rates = llm::parse_sim_fault_rates(fmt::format("{}", fmt::join(flags.faults, ",")));
    if (!rates) {
        log_error("--fault: {}", rates.error().message);
        return 2;
    }
    flags.options.fault_rates = *rates;
    net::IoPool pool(1);
    llm::SimServer server(pool.at(0).get_executor(), flags.options);
    if (const auto port = server.listen(); !port) {
        log_error("{}", port.error().message);
        return 1;
    }
    serve_until_signal(pool, server, fmt::format("http://{}:{}", flags.options.host, server.port()));
    return 0;
}

}  // namespace

void add_sim_command(CLI::App& app, Run& run) {
    auto* sim = app.add_subcommand("sim", "simulated servers for load tests");
    sim->require_subcommand(1);
    auto* command = sim->add_subcommand("serve", "an OpenAI-compatible model server with set timing and faults, without a model");
    const auto flags = std::make_shared<SimFlags>();
    llm::SimOptions& options = flags->options;
    command->add_option("--host", options.host, "address to listen on")->capture_default_str();
    command->add_option("--port", options.port, "0 = any free one")->capture_default_str();
    command->add_option("--model", options.model, "name it lists")->capture_default_str();
    command->add_option("--ttft", flags->ttft, "seconds to the first token")->capture_default_str()->check(CLI::NonNegativeNumber);
    command->add_option("--itl", flags->itl, "seconds between tokens")->capture_default_str()->check(CLI::NonNegativeNumber);
    command->add_option("--jitter", options.jitter, "both vary by this share")->capture_default_str()->check(CLI::Range(0.0, 1.0));
    command->add_option("--tokens", options.tokens, "length of an answer that nothing else sets")->capture_default_str();
    command->add_option("--max_concurrency,--max-concurrency", options.max_concurrency,
                        "requests worked on at once, others queue; 0 = no limit");
    command->add_option("--api_key,--api-key", options.api_key, "answer 401 to requests without this bearer token");
    command->add_option("--seed", options.seed, "of jitter and faults")->capture_default_str();
    command->add_option("--script", flags->script, "JSON file of scripted answers");
    command->add_option("--fault", flags->faults, fmt::format("NAME=RATE, may be repeated: {}", fmt::join(llm::sim_fault_names(), ", ")));
    command->callback([&run, flags] { run = [flags] { return serve(*flags); }; });
}

}  // namespace plimsoll::cli
