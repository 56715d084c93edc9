#include "cli/sim_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/flags.h"
#include "llm/sim_profile.h"

namespace plimsoll::cli {

std::chrono::microseconds to_sim_delay(double seconds) {
    const double most = 2 * std::chrono::duration<double>(llm::kMaxSimDelay).count();
    return std::chrono::microseconds(static_cast<std::int64_t>(std::min(seconds, most) * 1e6));
}

Result<void> apply_sim_flags(SimFlags& flags) {
    llm::SimOptions& options = flags.options;
    options.ttft = to_sim_delay(flags.ttft);
    options.itl = to_sim_delay(flags.itl);
    if (!flags.profile.empty()) {
        const auto profile = llm::load_sim_profile(flags.profile);
        if (!profile) return fail(profile.error().with_context("--profile"));
        auto& engine = options.engine.emplace(profile->engine);
        engine.replicas = flags.replicas;
        engine.routing = llm::parse_sim_routing(flags.routing).value_or(engine.routing);
        engine.limits.max_sequences = flags.max_sequences.value_or(engine.limits.max_sequences);
        engine.limits.max_batched_tokens = flags.max_batched_tokens.value_or(engine.limits.max_batched_tokens);
        engine.limits.kv_blocks = flags.kv_blocks.value_or(engine.limits.kv_blocks);
        options.headers_at_start = profile->headers_at_start;
        if (flags.jitter->count() == 0) options.jitter = profile->jitter;
    }
    return llm::check_sim_options(options);
}

void add_sim_flags(CLI::App& command, SimFlags& flags) {
    command.add_option("--ttft", flags.ttft, "seconds to the first token")->capture_default_str()->check(at_least_zero());
    command.add_option("--itl", flags.itl, "seconds between tokens")->capture_default_str()->check(at_least_zero());
    flags.jitter = command.add_option("--jitter", flags.options.jitter, "both, or a profile's step times, vary by this share")
                       ->capture_default_str()
                       ->check(CLI::Range(0.0, 1.0));
    command.add_option("--tokens", flags.options.tokens, "length of an answer that nothing else sets")->capture_default_str();
    command.add_option("--max_concurrency,--max-concurrency", flags.options.max_concurrency,
                       "requests worked on at once, others queue; 0 = no limit");
    auto* profile = command.add_option("--profile", flags.profile,
                                       fmt::format("continuous batching as this server does it, instead of --ttft and --itl: a file, or {}",
                                                   fmt::join(llm::sim_profile_names(), ", ")));
    command.add_option("--replicas", flags.replicas, "of the profile's server, behind one address")->capture_default_str()->needs(profile);
    command.add_option("--routing", flags.routing, "which replica gets a request")
        ->capture_default_str()
        ->needs(profile)
        ->check(CLI::IsMember(std::vector<std::string>(std::begin(llm::kSimRoutingNames), std::end(llm::kSimRoutingNames))));
    command.add_option("--max_num_seqs,--max-num-seqs", flags.max_sequences, "sequences in a batch, instead of the profile's")
        ->needs(profile);
    command
        .add_option("--max_num_batched_tokens,--max-num-batched-tokens", flags.max_batched_tokens,
                    "tokens in a step, instead of the profile's")
        ->needs(profile);
    command.add_option("--kv_blocks,--kv-blocks", flags.kv_blocks, "cache blocks, instead of the profile's; 0 = no limit")->needs(profile);
}

}  // namespace plimsoll::cli
