#include "llm/sim_rerank.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/json.h"
#include "llm/sim_embedding.h"

namespace plimsoll::llm {
namespace {

constexpr int kDimensions = 384;

std::unexpected<Error> bad(std::string what) { return fail(ErrorCode::invalid_argument, std::move(what)); }

// A text, or an object with one.
std::optional<std::string> read_text(const json::value* value) {
    if (!value) return std::nullopt;
    if (value->is_string()) return std::string(value->get_string());
    return get_string(*value, "text");
}

struct Scored {
    std::size_t index = 0;
    double cosine = 0;
};

std::vector<Scored> rank(const SimRerankRequest& request) {
    const auto query = compute_sim_embedding(request.query, kDimensions);
    std::vector<Scored> scored;
    for (std::size_t i = 0; i < request.passages.size(); ++i) {
        const auto vector = compute_sim_embedding(request.passages[i], kDimensions);
        scored.push_back({i, std::inner_product(query.begin(), query.end(), vector.begin(), 0.0)});
    }
    std::ranges::stable_sort(scored, std::greater(), &Scored::cosine);
    scored.resize(std::min(scored.size(), request.top_n));
    return scored;
}

// From [-1, 1] to (0, 1), never quite at the ends, so that its logit is a number.
double to_probability(double cosine) { return std::clamp((1 + cosine) / 2, 1e-6, 1 - 1e-6); }

}  // namespace

Result<SimRerankRequest> parse_sim_rerank_request(SimRerankApi api, std::string_view body) {
    const auto parsed = parse_json(body);
    if (!parsed) return fail(parsed.error());
    SimRerankRequest request{.api = api};
    const auto query = read_text(find(*parsed, "query"));
    if (!query) return bad("query is a text");
    request.query = *query;
    const auto* passages = find(*parsed, api == SimRerankApi::rerank ? "documents" : "passages");
    if (!passages || !passages->is_array()) return bad("documents, or NIM's passages, is a list");
    std::size_t bytes = request.query.size();
    for (const auto& passage : passages->get_array()) {
        auto text = read_text(&passage);
        if (!text) return bad("every document is a text or an object with one");
        bytes += text->size();
        request.passages.push_back(std::move(*text));
    }
    if (request.passages.empty() || request.passages.size() > kMaxSimPassages || bytes > kMaxSimPassageBytes)
        return bad(fmt::format("there are between 1 and {} documents of at most {} bytes in all", kMaxSimPassages, kMaxSimPassageBytes));
    const auto top_n = get_int(*parsed, "top_n").value_or(std::ssize(request.passages));
    if (top_n < 1) return bad("top_n is at least 1");
    request.top_n = static_cast<std::size_t>(top_n);
    request.model = get_string(*parsed, "model").value_or("");
    if (const auto* texts = find(*parsed, "return_documents")) request.with_texts = !texts->is_bool() || texts->get_bool();
    return request;
}

std::string sim_rerank_body(const SimRerankRequest& request, std::string_view id, std::string_view model, int tokens) {
    json::array entries;
    for (const auto& [index, cosine] : rank(request)) {
        const double probability = to_probability(cosine);
        if (request.api == SimRerankApi::ranking) {
            entries.push_back({{"index", index}, {"logit", std::log(probability / (1 - probability))}});
            continue;
        }
        json::object entry = {{"index", index}, {"relevance_score", probability}};
        if (request.with_texts) entry["document"] = {{"text", request.passages[index]}};
        entries.push_back(std::move(entry));
    }
    if (request.api == SimRerankApi::ranking) return to_compact_json(json::object{{"rankings", std::move(entries)}});
    return to_compact_json(json::object{{"id", json::string_view(id.data(), id.size())},
                                        {"model", json::string_view(model.data(), model.size())},
                                        {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}},
                                        {"results", std::move(entries)}});
}

}  // namespace plimsoll::llm
