#include "llm/openai_embedding.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <cmath>

namespace plimsoll::llm {
namespace {

using Vectors = std::vector<std::vector<float>>;

// Far above any embedding, and the sum of its squares still fits.
constexpr double kMaxComponent = 1e30;

Result<std::vector<float>> parse_vector(const json::value* value) {
    const auto* list = value ? value->if_array() : nullptr;
    if (!list || list->empty()) return fail(ErrorCode::bad_response, "an embedding is no list of numbers");
    std::vector<float> vector;
    vector.reserve(list->size());
    for (const auto& item : *list) {
        const double number = item.is_number() ? item.to_number<double>() : HUGE_VAL;
        if (std::abs(number) > kMaxComponent) return fail(ErrorCode::bad_response, "an embedding holds something unusable");
        vector.push_back(static_cast<float>(number));
    }
    return vector;
}

void scale_to_unit(std::vector<float>& vector) {
    double squares = 0;
    for (const float x : vector) squares += static_cast<double>(x) * x;
    if (squares == 0) return;
    const double scale = 1 / std::sqrt(squares);
    for (float& x : vector) x = static_cast<float>(x * scale);
}

}  // namespace

Result<Vectors> parse_embeddings(std::string_view body, std::size_t texts) {
    const auto value = parse_json(body);
    if (!value || !value->is_object()) return fail(ErrorCode::bad_response, "the answer is no JSON object: " + quote_text(body));
    if (const auto* error = find(*value, "error"); error && !error->is_null()) return fail(embedded_error(*error));
    const auto* data = find(*value, "data");
    const auto* list = data ? data->if_array() : nullptr;
    if (!list || list->size() != texts)
        return fail(ErrorCode::bad_response, fmt::format("{} embeddings for {} texts", list ? list->size() : 0, texts));
    Vectors vectors(texts);
    for (std::size_t i = 0; i < texts; ++i) {
        const auto index = get_int((*list)[i], "index").value_or(static_cast<std::int64_t>(i));
        if (index < 0 || index >= static_cast<std::int64_t>(texts) || !vectors[index].empty())
            return fail(ErrorCode::bad_response, fmt::format("embedding index {} is out of range or there twice", index));
        auto vector = parse_vector(find((*list)[i], "embedding"));
        if (!vector) return fail(vector.error());
        scale_to_unit(*vector);
        vectors[index] = std::move(*vector);
    }
    for (const auto& vector : vectors)
        if (vector.size() != vectors.front().size())
            return fail(ErrorCode::bad_response,
                        fmt::format("embeddings of {} and of {} dimensions", vectors.front().size(), vector.size()));
    return vectors;
}

OpenAiEmbedding::OpenAiEmbedding(std::string name, Endpoint endpoint, EmbeddingDefaults defaults)
    : name_(std::move(name)), endpoint_(std::move(endpoint)), defaults_(std::move(defaults)) {}

asio::awaitable<Result<Vectors>> OpenAiEmbedding::embed(event::Context context, std::vector<std::string> texts) {
    event::ScopedSpan span(context, event::Category::tool, "embed", {{"texts", texts.size()}});
    span.set_metadata("model", json::value(defaults_.model));
    Result<Vectors> result = fail(ErrorCode::cancelled, "the call was cancelled");
    try {
        result = co_await embed_all(span, texts);
    } catch (const boost::system::system_error& error) {
        // Cancelling the coroutine arrives as this exception; the caller's next wait throws it again.
        if (error.code() != asio::error::operation_aborted) throw;
    }
    if (!result) {
        const Error error = without_secrets(endpoint_, result.error().with_context("embedders." + name_));
        span.fail(error);
        co_return fail(error);
    }
    span.set_output({{"vectors", result->size()}, {"dimensions", result->empty() ? 0 : result->front().size()}});
    span.end();
    co_return result;
}

asio::awaitable<Result<Vectors>> OpenAiEmbedding::embed_all(event::ScopedSpan& span, const std::vector<std::string>& texts) {
    Random jitter = make_jitter(span.context());
    const auto batch_size = static_cast<std::size_t>(std::max(1, defaults_.batch_size));
    Vectors all;
    all.reserve(texts.size());
    int retries = 0;
    for (std::size_t begin = 0; begin < texts.size(); begin += batch_size) {
        const std::size_t end = std::min(texts.size(), begin + batch_size);
        json::object body = defaults_.extra;
        body["model"] = defaults_.model;
        body["input"] = json::array(texts.begin() + begin, texts.begin() + end);
        const Deadline deadline = call_deadline(endpoint_, span.context().deadline);
        auto vectors = co_await embed_batch(json::value(std::move(body)), end - begin, deadline, jitter, retries);
        if (retries > 0) span.set_metadata("retries", retries);
        if (!vectors) co_return fail(vectors.error());
        if (!all.empty() && vectors->front().size() != all.front().size()) {
            co_return fail(ErrorCode::bad_response,
                           fmt::format("embeddings of {} and of {} dimensions", all.front().size(), vectors->front().size()));
        }
        std::ranges::move(*vectors, std::back_inserter(all));
    }
    co_return all;
}

asio::awaitable<Result<Vectors>> OpenAiEmbedding::embed_batch(const json::value& body, std::size_t texts, Deadline deadline, Random& random,
                                                              int& retries) {
    auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
    for (int attempt = 1;; ++attempt) {
        const auto response = co_await client.send(make_post(endpoint_, "embeddings", body, deadline));
        Result<Vectors> result;
        if (!response)
            result = fail(response.error());
        else if (response->status < 200 || response->status > 299)
            result = fail(status_error(*response));
        else
            result = parse_embeddings(response->body, texts);
        if (result) co_return result;
        const auto waited = co_await wait_to_retry(endpoint_, result.error(), attempt, deadline, random);
        if (!waited) co_return fail(waited.error());
        ++retries;
    }
}

}  // namespace plimsoll::llm
