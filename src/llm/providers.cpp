#include "llm/providers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "llm/openai_chat.h"
#include "llm/openai_embedding.h"
#include "llm/remote_settings.h"

namespace plimsoll::llm {
namespace {

constexpr RemoteDefaults kOpenAi = {"https://api.openai.com/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL"};
constexpr RemoteDefaults kNim = {"https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", nullptr};

constexpr std::string_view kLocalChatModel = "SmolLM2-135M-Instruct.Q4_0.gguf";
constexpr std::string_view kLocalEmbeddingModel = "all-MiniLM-L6-v2.f16.gguf";

struct OpenAiLlm : RemoteSettings {
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::optional<int> max_tokens;
    std::optional<std::int64_t> seed;
    std::optional<bool> thinking;
    int max_retries = 10;
};

const Schema<OpenAiLlm>& openai_llm() {
    static const auto schema =
        with_remote_fields(Schema<OpenAiLlm>("llms", "openai", "OpenAI's API or any server that speaks it"))
            .field("temperature", &OpenAiLlm::temperature, "sampling temperature")
            .at_least(0)
            .field("top_p", &OpenAiLlm::top_p, "nucleus sampling mass")
            .range(0, 1)
            .field("max_tokens", &OpenAiLlm::max_tokens, "upper bound of an answer in tokens")
            .at_least(1)
            .field("seed", &OpenAiLlm::seed, "seed of the sampling")
            .field("thinking", &OpenAiLlm::thinking, "turns the reasoning of Nemotron models on or off")
            .field("max_retries", &OpenAiLlm::max_retries, "further attempts at most; num_retries holds when it is less")
            .at_least(0);
    return schema;
}

struct NimLlm : RemoteSettings {
    std::optional<double> temperature;
    std::optional<double> top_p;
    int max_tokens = 300;
    std::optional<bool> thinking;
};

const Schema<NimLlm>& nim_llm() {
    static const auto schema = with_remote_fields(Schema<NimLlm>("llms", "nim", "NVIDIA NIM, hosted or on premise"))
                                   .field("temperature", &NimLlm::temperature, "sampling temperature")
                                   .at_least(0)
                                   .field("top_p", &NimLlm::top_p, "nucleus sampling mass")
                                   .range(0, 1)
                                   .field("max_tokens", &NimLlm::max_tokens, "upper bound of an answer in tokens")
                                   .at_least(1)
                                   .field("thinking", &NimLlm::thinking, "turns the reasoning of Nemotron models on or off");
    return schema;
}

// Seconds. A call waits for a slot behind those of all other sessions, minutes when dozens of them share a small model; a server that
// hangs is found out by its supervisor long before.
constexpr double kLocalTimeout = 600;

struct LocalLlm {
    std::string model_name = "smollm2";
    std::optional<std::string> model_file;
    int slots = 4;
    int context_per_slot = 2048;
    int threads = 1;
    int max_tokens = 300;
    double temperature = 0;
    std::optional<double> top_p;
    std::optional<std::int64_t> seed;
    double request_timeout = kLocalTimeout;
};

const Schema<LocalLlm>& local_llm() {
    static const auto schema = Schema<LocalLlm>("llms", "local", "a small model on a server that this program starts itself")
                                   .field("model_name", &LocalLlm::model_name, "name the model answers to")
                                   .alias("model")
                                   .field("model_file", &LocalLlm::model_file, "GGUF file; the one that `make models` fetched when not set")
                                   .field("slots", &LocalLlm::slots, "answers generated at the same time")
                                   .at_least(1)
                                   .field("context_per_slot", &LocalLlm::context_per_slot, "tokens of prompt and answer together")
                                   .at_least(64)
                                   .field("threads", &LocalLlm::threads, "threads of the server")
                                   .at_least(1)
                                   .field("max_tokens", &LocalLlm::max_tokens, "upper bound of an answer in tokens")
                                   .at_least(1)
                                   .field("temperature", &LocalLlm::temperature, "sampling temperature")
                                   .at_least(0)
                                   .field("top_p", &LocalLlm::top_p, "nucleus sampling mass")
                                   .range(0, 1)
                                   .field("seed", &LocalLlm::seed, "seed of the sampling")
                                   .field("request_timeout", &LocalLlm::request_timeout, "seconds a call may take, retries included")
                                   .at_least(0.001);
    return schema;
}

struct OpenAiEmbedder : RemoteSettings {
    int batch_size = 32;
};

const Schema<OpenAiEmbedder>& openai_embedder() {
    static const auto schema =
        with_remote_fields(Schema<OpenAiEmbedder>("embedders", "openai", "OpenAI's API or any server that speaks it"))
            .field("batch_size", &OpenAiEmbedder::batch_size, "texts a request")
            .at_least(1);
    return schema;
}

struct NimEmbedder : RemoteSettings {
    std::string truncate = "NONE";
    std::optional<int> dimensions;
    std::string input_type = "passage";
    int batch_size = 32;
};

const Schema<NimEmbedder>& nim_embedder() {
    static const auto schema = with_remote_fields(Schema<NimEmbedder>("embedders", "nim", "NVIDIA NIM, hosted or on premise"))
                                   .field("truncate", &NimEmbedder::truncate, "which end of a text that is too long to drop")
                                   .one_of({"NONE", "START", "END"})
                                   .field("dimensions", &NimEmbedder::dimensions, "length of the vectors, for models that can choose")
                                   .at_least(1)
                                   .field("input_type", &NimEmbedder::input_type, "side of an asymmetric model to use")
                                   .one_of({"passage", "query"})
                                   .field("batch_size", &NimEmbedder::batch_size, "texts a request")
                                   .at_least(1);
    return schema;
}

struct LocalEmbedder {
    std::string model_name = "all-minilm-l6-v2";
    std::optional<std::string> model_file;
    int slots = 4;
    int context_per_slot = 512;
    int threads = 1;
    int batch_size = 32;
    double request_timeout = kLocalTimeout;
};

const Schema<LocalEmbedder>& local_embedder() {
    static const auto schema =
        Schema<LocalEmbedder>("embedders", "local", "a small model on a server that this program starts itself")
            .field("model_name", &LocalEmbedder::model_name, "name the model answers to")
            .alias("model")
            .field("model_file", &LocalEmbedder::model_file, "GGUF file; the one that `make models` fetched when not set")
            .field("slots", &LocalEmbedder::slots, "texts embedded at the same time")
            .at_least(1)
            .field("context_per_slot", &LocalEmbedder::context_per_slot, "tokens a text may have")
            .at_least(64)
            .field("threads", &LocalEmbedder::threads, "threads of the server")
            .at_least(1)
            .field("batch_size", &LocalEmbedder::batch_size, "texts a request")
            .at_least(1)
            .field("request_timeout", &LocalEmbedder::request_timeout, "seconds a request may take")
            .at_least(0.001);
    return schema;
}

// The line that switches a Nemotron model's reasoning: the Llama-based ones before 1.5 want a sentence, the others a slash
// command. Errors: config, for a model that has no such switch.
Result<std::string> thinking_line(const std::optional<bool>& thinking, std::string model) {
    if (!thinking) return std::string();
    std::ranges::transform(model, model.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!model.contains("nemotron")) return fail(ErrorCode::config, "thinking: only Nemotron models have this switch");
    const bool wants_sentence = model.contains("llama") && !model.contains("v1.5") && !model.contains("v1-5");
    if (wants_sentence) return std::string(*thinking ? "detailed thinking on" : "detailed thinking off");
    return std::string(*thinking ? "/think" : "/no_think");
}

template <class Config>
Result<std::unique_ptr<ChatModel>> make_remote_chat(const std::string& name, const Schema<Config>& schema, const json::object& settings,
                                                    const RemoteDefaults& defaults) {
    auto config = schema.parse(settings);
    if (!config) return fail(config.error());
    auto endpoint = make_endpoint(*config, defaults);
    if (!endpoint) return fail(endpoint.error());
    auto line = thinking_line(config->thinking, config->model_name);
    if (!line) return fail(line.error());

    ChatDefaults chat;
    chat.model = config->model_name;
    chat.temperature = config->temperature;
    chat.top_p = config->top_p;
    chat.max_tokens = config->max_tokens;
    if constexpr (std::is_same_v<Config, OpenAiLlm>) {
        chat.seed = config->seed;
        endpoint->retry.attempts = std::min(endpoint->retry.attempts - 1, config->max_retries) + 1;
    }
    chat.extra = unknown_settings(schema.info(), settings);
    chat.system_line = std::move(*line);
    return std::make_unique<OpenAiChat>(name, std::move(*endpoint), std::move(chat));
}

// Starts the server that a `local` component asks for, and the endpoint that follows it over restarts.
template <class Config>
Result<Endpoint> start_local(const Config& config, bool embeddings, LocalServers& locals) {
    const auto folder = find_models_folder();
    if (!folder) return fail(folder.error());
    LocalServerOptions options;
    options.server = *folder / "bin" / "llama-server";
    options.model_file = config.model_file ? std::filesystem::path(*config.model_file)
                                           : *folder / "models" / (embeddings ? kLocalEmbeddingModel : kLocalChatModel);
    options.alias = config.model_name;
    options.embeddings = embeddings;
    options.slots = config.slots;
    options.context_per_slot = config.context_per_slot;
    options.threads = config.threads;
    const auto server = locals.get(options);
    if (!server) return fail(server.error());

    Endpoint endpoint;
    endpoint.base_url = [running = *server] { return running->base_url(); };
    endpoint.request_timeout = to_timeout(config.request_timeout);
    return endpoint;
}

Result<std::unique_ptr<ChatModel>> make_local_chat(const std::string& name, const json::object& settings, LocalServers& locals) {
    const auto config = local_llm().parse(settings);
    if (!config) return fail(config.error());
    auto endpoint = start_local(*config, false, locals);
    if (!endpoint) return fail(endpoint.error());
    ChatDefaults chat;
    chat.model = config->model_name;
    chat.temperature = config->temperature;
    chat.top_p = config->top_p;
    chat.max_tokens = config->max_tokens;
    chat.seed = config->seed;
    chat.extra = unknown_settings(local_llm().info(), settings);
    return std::make_unique<OpenAiChat>(name, std::move(*endpoint), std::move(chat));
}

template <class Config>
Result<std::unique_ptr<EmbeddingModel>> make_remote_embedding(const std::string& name, const Schema<Config>& schema,
                                                              const json::object& settings, const RemoteDefaults& defaults) {
    const auto config = schema.parse(settings);
    if (!config) return fail(config.error());
    auto endpoint = make_endpoint(*config, defaults);
    if (!endpoint) return fail(endpoint.error());
    EmbeddingDefaults embedding{config->model_name, config->batch_size, unknown_settings(schema.info(), settings)};
    if constexpr (std::is_same_v<Config, NimEmbedder>) {
        embedding.extra["truncate"] = config->truncate;
        embedding.extra["input_type"] = config->input_type;
        if (config->dimensions) embedding.extra["dimensions"] = *config->dimensions;
    }
    return std::make_unique<OpenAiEmbedding>(name, std::move(*endpoint), std::move(embedding));
}

Result<std::unique_ptr<EmbeddingModel>> make_local_embedding(const std::string& name, const json::object& settings, LocalServers& locals) {
    const auto config = local_embedder().parse(settings);
    if (!config) return fail(config.error());
    auto endpoint = start_local(*config, true, locals);
    if (!endpoint) return fail(endpoint.error());
    EmbeddingDefaults embedding{config->model_name, config->batch_size, unknown_settings(local_embedder().info(), settings)};
    return std::make_unique<OpenAiEmbedding>(name, std::move(*endpoint), std::move(embedding));
}

std::unexpected<Error> unknown_type(const std::string& type) {
    return fail(ErrorCode::config, fmt::format("unknown _type \"{}\"; there are openai, nim and local", type));
}

}  // namespace

Catalogue llm_catalogue() {
    return {openai_llm().info(),      nim_llm().info(),      local_llm().info(),
            openai_embedder().info(), nim_embedder().info(), local_embedder().info()};
}

Result<std::unique_ptr<ChatModel>> make_chat_model(const std::string& name, const std::string& type, const json::object& settings,
                                                   LocalServers& locals) {
    if (type == "openai") return make_remote_chat(name, openai_llm(), settings, kOpenAi);
    if (type == "nim") return make_remote_chat(name, nim_llm(), settings, kNim);
    if (type == "local") return make_local_chat(name, settings, locals);
    return unknown_type(type);
}

Result<std::unique_ptr<EmbeddingModel>> make_embedding_model(const std::string& name, const std::string& type, const json::object& settings,
                                                             LocalServers& locals) {
    if (type == "openai") return make_remote_embedding(name, openai_embedder(), settings, kOpenAi);
    if (type == "nim") return make_remote_embedding(name, nim_embedder(), settings, kNim);
    if (type == "local") return make_local_embedding(name, settings, locals);
    return unknown_type(type);
}

}  // namespace plimsoll::llm
