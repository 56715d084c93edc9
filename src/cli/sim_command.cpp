#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/serving.h"
#include "llm/sim_profile.h"
#include "llm/sim_server.h"

namespace plimsoll::cli {
namespace {

struct SimFlags {
    llm::SimOptions options;
    double ttft = 0.1, itl = 0.01;  // seconds
    double slow_start = 5;          // seconds
    int retry_after = 1;            // seconds
    std::vector<std::string> faults;
    std::string script;
    std::string profile;  // empty: fixed delays
    int replicas = 1;
    std::string routing = "round_robin";
    std::optional<int> max_sequences, max_batched_tokens, kv_blocks;  // instead of the profile's
};

// What is longer than any delay may be stays so, and is refused with the other options.
std::chrono::microseconds to_microseconds(double seconds) {
    const double most = 2 * std::chrono::duration<double>(llm::kMaxSimDelay).count();
    return std::chrono::microseconds(static_cast<std::int64_t>(std::min(seconds, most) * 1e6));
}

// A profile's numbers, with what the flags say instead.
Result<void> apply_profile(const SimFlags& flags, bool jitter_is_given, llm::SimOptions& options) {
    if (flags.profile.empty()) return {};
    const auto profile = llm::load_sim_profile(flags.profile);
    if (!profile) return fail(profile.error());
    auto& engine = options.engine.emplace(profile->engine);
    engine.replicas = flags.replicas;
    engine.routing = llm::parse_sim_routing(flags.routing).value_or(engine.routing);
    engine.limits.max_sequences = flags.max_sequences.value_or(engine.limits.max_sequences);
    engine.limits.max_batched_tokens = flags.max_batched_tokens.value_or(engine.limits.max_batched_tokens);
    engine.limits.kv_blocks = flags.kv_blocks.value_or(engine.limits.kv_blocks);
    options.headers_at_start = profile->headers_at_start;
    if (!jitter_is_given) options.jitter = profile->jitter;
    return {};
}

int serve(SimFlags flags, bool jitter_is_given) {
    flags.options.ttft = to_microseconds(flags.ttft);
    flags.options.itl = to_microseconds(flags.itl);
    flags.options.slow_start = to_microseconds(flags.slow_start);
    flags.options.retry_after = std::chrono::seconds(flags.retry_after);
    flags.options.script = flags.script;
    const auto rates = llm::parse_sim_fault_rates(fmt::format("{}", fmt::join(flags.faults, ",")));
    if (!rates) {
        log_error("--fault: {}", rates.error().message);
        return 2;
    }
    flags.options.fault_rates = *rates;
    if (const auto applied = apply_profile(flags, jitter_is_given, flags.options); !applied) {
        log_error("--profile: {}", applied.error().message);
        return 2;
    }
    net::IoPool pool(1);
    llm::SimServer server(pool.at(0).get_executor(), flags.options);
    if (const auto port = server.listen(); !port) {
        log_error("{}", port.error().message);
        return port.error().code == ErrorCode::invalid_argument ? 2 : 1;
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
    command->add_option("--ttft", flags->ttft, "seconds to the first token")->capture_default_str()->check(at_least_zero());
    command->add_option("--itl", flags->itl, "seconds between tokens")->capture_default_str()->check(at_least_zero());
    auto* jitter = command->add_option("--jitter", options.jitter, "both, or a profile's step times, vary by this share")
                       ->capture_default_str()
                       ->check(CLI::Range(0.0, 1.0));
    command->add_option("--tokens", options.tokens, "length of an answer that nothing else sets")->capture_default_str();
    command->add_option("--max_concurrency,--max-concurrency", options.max_concurrency,
                        "requests worked on at once, others queue; 0 = no limit");
    auto* profile =
        command->add_option("--profile", flags->profile,
                            fmt::format("continuous batching as this server does it, instead of --ttft and --itl: a file, or {}",
                                        fmt::join(llm::sim_profile_names(), ", ")));
    command->add_option("--replicas", flags->replicas, "of the profile's server, behind one address")
        ->capture_default_str()
        ->needs(profile);
    command->add_option("--routing", flags->routing, "which replica gets a request")
        ->capture_default_str()
        ->needs(profile)
        ->check(CLI::IsMember(std::vector<std::string>(std::begin(llm::kSimRoutingNames), std::end(llm::kSimRoutingNames))));
    command->add_option("--max_num_seqs,--max-num-seqs", flags->max_sequences, "sequences in a batch, instead of the profile's")
        ->needs(profile);
    command
        ->add_option("--max_num_batched_tokens,--max-num-batched-tokens", flags->max_batched_tokens,
                     "tokens in a step, instead of the profile's")
        ->needs(profile);
    command->add_option("--kv_blocks,--kv-blocks", flags->kv_blocks, "cache blocks, instead of the profile's; 0 = no limit")
        ->needs(profile);
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
    command->callback(
        [&run, flags, jitter] { run = [flags, jitter_is_given = jitter->count() > 0] { return serve(*flags, jitter_is_given); }; });
}

}  // namespace plimsoll::cli
