// The provider types a config can name under `llms:` and `embedders:`: openai, nim and local.
#pragma once

#include <memory>
#include <string>

#include "base/schema.h"
#include "llm/chat.h"
#include "llm/local_server.h"

namespace plimsoll::llm {

// Every provider type with its fields.
Catalogue llm_catalogue();

// Makes the client of one component from its settings; nothing is asked of a remote server yet. `local` starts its model
// server through `locals` and waits for it, so call these off the io threads; `locals` outlives what is made.
// An API key that is not in the settings is taken from the environment (OPENAI_API_KEY, NVIDIA_API_KEY).
// Errors: config (unknown type, wrong field, `thinking` for a model without it), unsupported (api_type responses), and for
// `local` those of LocalServer::start().
Result<std::unique_ptr<ChatModel>> make_chat_model(const std::string& name, const std::string& type, const json::object& settings,
                                                   LocalServers& locals);
Result<std::unique_ptr<EmbeddingModel>> make_embedding_model(const std::string& name, const std::string& type, const json::object& settings,
                                                             LocalServers& locals);

}  // namespace plimsoll::llm
