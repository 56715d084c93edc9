#include "forecast/step_rebuild.h"

#include <algorithm>

#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

// Tokens closer than this share of a short usual gap belong to one step. A busy client sees tokens of two steps at once now and then
// (a few in a hundred), so that the shortest gaps are those of its delays and not of steps.
constexpr double kBunchShare = 0.45;
constexpr double kShortGapPercentile = 20;
// Steps of few sequences may be shorter than that, but no call gets two tokens in a step. A client that sees both at once is another
// matter.
constexpr double kSecondTokenShare = 0.5;  // of the bunch's gap

struct Token {
    double time = 0;
    std::size_t call = 0;
    std::size_t index = 0;  // in its call
};

std::vector<Token> merge_tokens(const Level& level, int endpoint) {
    std::vector<Token> tokens;
    for (std::size_t i = 0; i < level.calls.size(); ++i) {
        const ModelCall& call = level.calls[i];
        if (call.endpoint != endpoint) continue;
        for (std::size_t k = 0; k < call.token_times.size(); ++k) tokens.push_back({call.token_times[k], i, k});
    }
    std::ranges::sort(tokens, {}, &Token::time);
    return tokens;
}

double bunch_gap(const Level& level, int endpoint) {
    std::vector<double> gaps;
    for (const ModelCall& call : level.calls) {
        if (call.endpoint != endpoint) continue;
        for (std::size_t k = 1; k < call.token_times.size(); ++k) gaps.push_back(call.token_times[k] - call.token_times[k - 1]);
    }
    return kBunchShare * percentile(std::move(gaps), kShortGapPercentile);
}

double end_of_use(const Level& level) {
    double longest = 0;
    for (const ModelCall& call : level.calls) longest = std::max(longest, call.latency());
    const bool open = std::ranges::any_of(level.sessions, [](const auto& session) { return !session.finished; });
    return open ? level.duration - longest : level.duration + 1;
}

}  // namespace

std::vector<BatchStep> rebuild_steps(const Level& level, int endpoint, double max_batched_tokens) {
    const std::vector<Token> tokens = merge_tokens(level, endpoint);
    const double gap = bunch_gap(level, endpoint);
    const double until = end_of_use(level);
    std::vector<BatchStep> steps;
    double previous_end = -1;
    const auto continues = [&](std::size_t first, std::size_t next) {
        const Token& token = tokens[next];
        if (token.time - tokens[next - 1].time > gap) return false;
        if (token.index == 0) return true;
        const double before = level.calls[token.call].token_times[token.index - 1];
        return before < tokens[first].time || token.time - before <= kSecondTokenShare * gap;
    };
    for (std::size_t at = 0; at < tokens.size();) {
        std::size_t stop = at + 1;
        while (stop < tokens.size() && continues(at, stop)) ++stop;
        BatchStep step;
        bool follows = false;  // some sequence got its token in the step before, so the server was not idle between
        for (std::size_t i = at; i < stop; ++i) {
            const ModelCall& call = level.calls[tokens[i].call];
            step.end += tokens[i].time / static_cast<double>(stop - at);
            if (tokens[i].index == 0) {
                step.prompt += call.prompt;
                ++step.prompts;
                continue;
            }
            ++step.n;
            step.context += call.prompt + static_cast<double>(tokens[i].index);
            follows = follows || call.token_times[tokens[i].index - 1] >= previous_end - gap;
        }
        step.seconds = step.end - previous_end;
        previous_end = step.end;
        at = stop;
        if (step.end > until) break;
        if (step.prompt + step.n > max_batched_tokens) {
            // The steps before this one carried the beginning of the prompt without showing it.
            for (double hidden = step.prompt; hidden > max_batched_tokens && !steps.empty(); hidden -= max_batched_tokens) steps.pop_back();
            continue;
        }
        if (follows && step.seconds > 0) steps.push_back(step);
    }
    return steps;
}

}  // namespace plimsoll::forecast
