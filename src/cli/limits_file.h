// The file that says what is known of model servers and tools:
//
//   model-a:                     # a model, as LLM steps name it
//     replicas: 2
//     routing: round_robin       # or least_loaded, random
//     max_num_seqs: 96           # `unknown` where nobody could say, `unlimited` where there is no limit
//     kv_tokens: unknown
//     max_batched_tokens: 4096
//     chunked_prefill: true
//     gpus_per_replica: 2
//   search:                      # a tool
//     servers: 12
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "forecast/limits.h"
#include "forecast/session_graph.h"

namespace plimsoll::cli {

// Errors: not_found, io, config (all problems at once, a line each, with their places; a name near a real one is suggested).
Result<forecast::Limits> load_limits(const std::filesystem::path& path, const forecast::ResourceNames& names);

}  // namespace plimsoll::cli
