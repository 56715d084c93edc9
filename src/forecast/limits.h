// What is known of the servers behind a recording. Nothing here is a default: a value that nobody stated is unknown, and the
// forecast says so.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace plimsoll::forecast {

enum class Routing : std::uint8_t { round_robin, least_loaded, random };
std::string_view to_string(Routing routing);
std::optional<Routing> parse_routing(std::string_view name);  // "least_outstanding" and "least_requests" are least_loaded too

// Per replica. kUnlimited where somebody said that there is no limit.
inline constexpr std::int64_t kUnlimited = std::int64_t{1} << 40;
struct EndpointLimits {
    std::optional<int> replicas;
    std::optional<Routing> routing;
    std::optional<std::int64_t> max_num_seqs;        // sequences that run at once
    std::optional<std::int64_t> kv_tokens;           // tokens whose keys and values fit into memory
    std::optional<std::int64_t> max_batched_tokens;  // of one step, prompt and output together
    std::optional<int> gpus_per_replica;             // that it stands on
    std::optional<bool> chunked_prefill;             // prompts share a step with running sequences; unknown counts as yes
};

struct Limits {
    std::map<std::string, EndpointLimits> endpoints;  // by model name
    std::map<std::string, int> tool_servers;          // uses of a tool that run at once, by tool name
};

}  // namespace plimsoll::forecast
