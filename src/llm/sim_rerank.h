// Reranking without a model: passages are scored by their vector's cosine with the query's (see sim_embedding.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plimsoll::llm {

enum class SimRerankApi : std::uint8_t {
    rerank,   // POST /v1/rerank, as Cohere, Jina and vLLM have it: documents, top_n -> results with relevance_score in [0, 1]
    ranking,  // POST /v1/ranking, NIM's: query.text, passages[].text -> rankings with a logit
};

struct SimRerankRequest {
    SimRerankApi api = SimRerankApi::rerank;
    std::string model;
    std::string query;
    std::vector<std::string> passages;
    std::size_t top_n = 0;  // of the answer's entries
    bool with_texts = true;
};

inline constexpr std::size_t kMaxSimPassages = 1000;
inline constexpr std::size_t kMaxSimPassageBytes = 1 << 20;  // of them all

// Errors: invalid_argument (what the client sees as a 400), parse.
Result<SimRerankRequest> parse_sim_rerank_request(SimRerankApi api, std::string_view body);

// Best first; of equal scores the first passage.
std::string sim_rerank_body(const SimRerankRequest& request, std::string_view id, std::string_view model, int tokens);

}  // namespace plimsoll::llm
