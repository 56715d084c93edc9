// EmbeddingModel over the OpenAI wire format: POST {base_url}/embeddings, batch after batch.
//
// Thread: any number of io threads at once; a call stays on the thread that made it. The model outlives its calls.
// The TOOL span "embed" carries {"texts": n} in and {"vectors": n, "dimensions": d} out, never the texts themselves.
#pragma once

#include <string>
#include <vector>

#include "llm/chat.h"
#include "llm/openai_endpoint.h"

namespace plimsoll::llm {

struct EmbeddingDefaults {
    std::string model;
    int batch_size = 32;  // texts a request
    json::object extra;   // further body fields: truncate, dimensions, …
};

class OpenAiEmbedding final : public EmbeddingModel {
  public:
    OpenAiEmbedding(std::string name, Endpoint endpoint, EmbeddingDefaults defaults);

    const std::string& name() const override { return name_; }
    const std::string& model() const override { return defaults_.model; }
    // The endpoint's request_timeout holds for each batch. The first batch that fails fails the call.
    asio::awaitable<Result<std::vector<std::vector<float>>>> embed(event::Context context, std::vector<std::string> texts) override;

  private:
    using Vectors = std::vector<std::vector<float>>;
    asio::awaitable<Result<Vectors>> embed_all(event::ScopedSpan& span, const std::vector<std::string>& texts);
    asio::awaitable<Result<Vectors>> embed_batch(const json::value& body, std::size_t texts, Deadline deadline, Random& random,
                                                 int& retries);

    std::string name_;
    Endpoint endpoint_;
    EmbeddingDefaults defaults_;
};

// The vectors of an answer in the order of `index`, each scaled to length 1 (an all-zero one stays so).
// Errors: bad_response (no JSON, not `texts` vectors, an index twice or out of range, unequal or no dimensions), http_status.
Result<std::vector<std::vector<float>>> parse_embeddings(std::string_view body, std::size_t texts);

}  // namespace plimsoll::llm
