// Answers of the simulated model server as OpenAI's wire format has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/sim_answer.h"

namespace plimsoll::llm {

// The bytes of one answer's chunks or whole body. Chunks are complete "data: …" records with their blank line.
class SimWriter {
  public:
    // `tool` is SimAnswer::tool.
    SimWriter(SimRoute route, const std::string& id, std::int64_t created, std::string_view model, std::string_view tool = {});

    // The role, and the name of the tool that is called, which come with the first token; empty for completions, which have neither.
    std::string role_chunk() const;
    std::string token_chunk(std::string_view token) const;
    // finish_reason, then usage if asked for, then [DONE].
    std::string last_chunks(const SimAnswer& answer, bool include_usage) const;
    std::string body(const SimAnswer& answer) const;

  private:
    std::string chunk(std::string_view delta, std::string_view finish_reason) const;

    std::string tool_call(std::string_view arguments) const;

    SimRoute route_;
    std::string tool_;  // empty: no tool is called
    std::string call_id_;
    std::string head_;  // of a chunk, up to its choices
    std::string body_head_;
};

// {"error":{"message":…,"type":…,"code":…}}
std::string sim_error_body(int status, std::string_view message);

// Answer of /v1/embeddings; `base64` packs each vector as little-endian floats, as OpenAI's own client asks for.
std::string sim_embedding_body(std::string_view model, const std::vector<std::vector<float>>& vectors, int prompt_tokens, bool base64);

}  // namespace plimsoll::llm
