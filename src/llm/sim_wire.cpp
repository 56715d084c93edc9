#include "llm/sim_wire.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace plimsoll::llm {
namespace {

std::string json_text(std::string_view text) { return json::serialize(json::string_view(text.data(), text.size())); }

std::string usage_json(const SimAnswer& answer) {
    return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})", answer.prompt_tokens, answer.size(),
                       static_cast<std::size_t>(answer.prompt_tokens) + answer.size());
}

std::string encode_base64(std::string_view bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
    }
    return text;
}

json::value vector_json(const std::vector<float>& vector, bool base64) {
    static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");
    if (!base64) return json::value_from(vector);
    return json::value(encode_base64({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)}));
}

}  // namespace

SimWriter::SimWriter(SimRoute route, const std::string& id, std::int64_t created, std::string_view model, std::string_view tool)
    : route_(route), tool_(tool), call_id_("call_" + id.substr(id.find('-') + 1)) {
    const bool chat = route == SimRoute::chat;
    const std::string common = fmt::format(R"("created":{},"model":{},)", created, json_text(model));
    head_ = fmt::format(R"(data: {{"id":"{}","object":"{}",{}"choices":[)", id, chat ? "chat.completion.chunk" : "text_completion", common);
    body_head_ = fmt::format(R"({{"id":"{}","object":"{}",{}"choices":[)", id, chat ? "chat.completion" : "text_completion", common);
}

std::string SimWriter::chunk(std::string_view delta, std::string_view finish_reason) const {
    const std::string reason = finish_reason.empty() ? "null" : fmt::format("\"{}\"", finish_reason);
    return fmt::format("{}{{\"index\":0,{},\"logprobs\":null,\"finish_reason\":{}}}]}}\n\n", head_, delta, reason);
}

std::string SimWriter::role_chunk() const {
    if (route_ == SimRoute::completion) return {};
    if (tool_.empty()) return chunk(R"("delta":{"role":"assistant","content":""})", "");
    return chunk(fmt::format(R"("delta":{{"role":"assistant","content":null,"tool_calls":[{}]}})", tool_call("")), "");
}

std::string SimWriter::token_chunk(std::string_view token) const {
    if (route_ == SimRoute::completion) return chunk(fmt::format(R"("text":{})", json_text(token)), "");
    if (tool_.empty()) return chunk(fmt::format(R"("delta":{{"content":{}}})", json_text(token)), "");
    return chunk(fmt::format(R"("delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":{}}}}}]}})", json_text(token)), "");
}

std::string SimWriter::last_chunks(const SimAnswer& answer, bool include_usage) const {
    std::string text = chunk(route_ == SimRoute::chat ? R"("delta":{})" : R"("text":"")", answer.finish_reason);
    if (include_usage) text += fmt::format("{}],\"usage\":{}}}\n\n", head_, usage_json(answer));
    return text + "data: [DONE]\n\n";
}

std::string SimWriter::tool_call(std::string_view arguments) const {
    return fmt::format(R"({{"index":0,"id":"{}","type":"function","function":{{"name":{},"arguments":{}}}}})", call_id_, json_text(tool_),
                       json_text(arguments));
}

std::string SimWriter::body(const SimAnswer& answer) const {
    std::string content;
    if (route_ == SimRoute::completion)
        content = fmt::format(R"("text":{})", json_text(answer.text));
    else if (tool_.empty())
        content = fmt::format(R"("message":{{"role":"assistant","content":{}}})", json_text(answer.text));
    else
        content = fmt::format(R"("message":{{"role":"assistant","content":null,"tool_calls":[{}]}})", tool_call(answer.text));
    return fmt::format(R"({}{{"index":0,{},"logprobs":null,"finish_reason":"{}"}}],"usage":{}}})", body_head_, content,
                       answer.finish_reason, usage_json(answer));
}

std::string sim_error_body(int status, std::string_view message) {
    const std::string_view type = status == 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error";
    return fmt::format(R"({{"error":{{"message":{},"type":"{}","code":{}}}}})", json_text(message), type, status);
}

std::string sim_embedding_body(std::string_view model, const std::vector<std::vector<float>>& vectors, int prompt_tokens, bool base64) {
    json::array data;
    for (std::size_t i = 0; i < vectors.size(); ++i)
        data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", vector_json(vectors[i], base64)}});
    const json::value body = {{"object", "list"},
                              {"data", std::move(data)},
                              {"model", json::string_view(model.data(), model.size())},
                              {"usage", {{"prompt_tokens", prompt_tokens}, {"total_tokens", prompt_tokens}}}};
    return json::serialize(body);
}

}  // namespace plimsoll::llm
