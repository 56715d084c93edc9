#include <algorithm>
#include <cmath>

#include "forecast/law_fit.h"
#include "forecast/step_rebuild.h"

namespace plimsoll::forecast {
namespace {

// What one step, one call or one first token is expected to scatter by, apart from what the law explains.
constexpr double kStepSd = 0.25;
constexpr double kCallFloorSd = 0.02;
constexpr double kFirstTokenSd = 0.3;
// First tokens that arrive this close together came from the same step.
constexpr double kSameStepShare = 0.2;
// A call that finds this share of the places taken may have waited for one.
constexpr double kNearlyFull = 0.8;
constexpr double kClusterSeconds = 5;  // steps are drawn in stretches of time
constexpr int kMinDecodeTokens = 4;
// Prompts sent longer ago than this are read by now, or wait for a place themselves.
constexpr double kPromptsSpan = 0.5;

// Overlap of one call's decode window with the others, in means over the window.
struct Neighbours {
    double n = 0, context = 0;
};

double context_at(const ModelCall& call, double time) {
    const double span = call.decode_seconds();
    const double share = span > 0 ? std::clamp((time - call.first_token) / span, 0.0, 1.0) : 1;
    return call.prompt + share * call.output;
}

class CallObserver {
  public:
    CallObserver(const Level& level, int endpoint, const FitSettings& settings, int first_cluster, Observations& out)
        : settings_(settings), first_cluster_(first_cluster), out_(out) {
        for (const ModelCall& call : level.calls)
            if (call.endpoint == endpoint) calls_.push_back(&call);
        for (const ModelCall* call : calls_) longest_ = std::max(longest_, call->latency());
        for (const ModelCall* call : calls_)
            if (call->streamed) firsts_.push_back(call);
        std::ranges::sort(firsts_, {}, &ModelCall::first_token);
    }

    void run(bool decode_too) {
        for (std::size_t i = 0; i < calls_.size(); ++i) {
            const ModelCall& call = *calls_[i];
            if (!call.streamed) continue;
            observe_first_token(i);
            if (decode_too && call.output >= kMinDecodeTokens && call.decode_seconds() > 0) observe_decode(i);
        }
    }

  private:
    double share() const { return 1.0 / settings_.replicas; }

    // Calls sent so late that they cannot overlap [from, to] end the search; so do those sent a longest call before.
    template <class Visit>
    void for_each_near(double from, double to, Visit visit) const {
        const auto first = std::ranges::lower_bound(calls_, from - longest_, {}, [](const ModelCall* call) { return call->sent; });
        for (auto it = first; it != calls_.end() && (*it)->sent <= to; ++it) visit(**it);
    }

    Neighbours mean_neighbours(const ModelCall& own, double from, double to) const {
        Neighbours sum;
        for_each_near(from, to, [&](const ModelCall& other) {
            if (&other == &own) return;
            const double begin = std::max(from, other.first_token), end = std::min(to, other.ended);
            if (end <= begin) return;
            sum.n += end - begin;
            sum.context += (end - begin) * context_at(other, (begin + end) / 2);
        });
        const double span = std::max(to - from, 1e-9);
        return {sum.n / span * share(), sum.context / span * share()};
    }

    void observe_decode(std::size_t index) {
        const ModelCall& call = *calls_[index];
        Observation one;
        one.kind = Observation::Kind::decode;
        one.seconds = call.decode_seconds();
        one.tokens = call.output - 1;
        const Neighbours others = mean_neighbours(call, call.first_token, call.ended);
        one.n = 1 + others.n;
        one.context = call.prompt + call.output / 2.0 + others.context;
        one.share = share();
        one.sd = std::hypot(kCallFloorSd, kStepSd / std::sqrt(one.tokens));
        one.cluster = first_cluster_ + call.session;
        const double same_step = kSameStepShare * one.seconds / one.tokens;
        double group_end = -1;
        auto it = std::ranges::upper_bound(firsts_, call.first_token + same_step, {}, &ModelCall::first_token);
        for (; it != firsts_.end() && (*it)->first_token <= call.ended; ++it) {
            if (one.groups.empty() || (*it)->first_token > group_end + same_step) one.groups.push_back({});
            one.groups.back().tokens += (*it)->prompt;
            one.groups.back().prompts += 1;
            group_end = (*it)->first_token;
        }
        out_.peak_n = std::max(out_.peak_n, one.n);
        out_.peak_context = std::max(out_.peak_context, one.context);
        out_.list.push_back(std::move(one));
    }

    void observe_first_token(std::size_t index) {
        const ModelCall& call = *calls_[index];
        Observation one;
        one.kind = Observation::Kind::first_token;
        one.seconds = call.first_token - call.sent;
        PromptGroup prompts{static_cast<double>(call.prompt), 1};
        double in_flight = 0;
        for_each_near(call.sent, call.first_token, [&](const ModelCall& other) {
            if (&other == &call) return;
            if (other.sent <= call.sent && other.ended > call.sent) in_flight += 1;
            if (other.first_token <= call.sent || other.first_token > call.first_token || other.sent > call.first_token) return;
            prompts.tokens += other.prompt * share();
            prompts.prompts += share();
        });
        if (in_flight * share() >= kNearlyFull * settings_.max_num_seqs) return;
        const Neighbours others = mean_neighbours(call, call.sent, call.first_token);
        one.n = others.n;
        one.context = others.context;
        one.share = share();
        one.busy = 1 - std::pow(1 - std::min(1.0, share()), in_flight);
        one.groups.push_back(prompts);
        one.sd = kFirstTokenSd;
        one.cluster = first_cluster_ + call.session;
        if (one.seconds > 0) out_.list.push_back(std::move(one));
    }

    const FitSettings& settings_;
    int first_cluster_;
    Observations& out_;
    std::vector<const ModelCall*> calls_;   // by sending
    std::vector<const ModelCall*> firsts_;  // by first token
    double longest_ = 0;
};

void observe_steps(const Level& level, int endpoint, const FitSettings& settings, Observations& out) {
    const int first = out.clusters;
    const std::vector<BatchStep> steps = rebuild_steps(level, endpoint, settings.max_batched_tokens);
    double total = 0;
    for (const BatchStep& step : steps) total += step.seconds;
    for (const BatchStep& step : steps) {
        Observation one;
        one.kind = Observation::Kind::step;
        one.seconds = step.seconds;
        one.n = step.n;
        one.context = step.context;
        if (step.prompts > 0) one.groups.push_back({step.prompt, static_cast<double>(step.prompts)});
        one.sd = kStepSd;
        one.typical = total / static_cast<double>(steps.size());
        one.cluster = first + static_cast<int>(step.end / kClusterSeconds);
        out.clusters = std::max(out.clusters, one.cluster + 1);
        out.peak_n = std::max(out.peak_n, one.n);
        out.peak_context = std::max(out.peak_context, one.context);
        out.list.push_back(std::move(one));
    }
}

}  // namespace

Observations observe(const Recording& recording, int endpoint, const FitSettings& settings) {
    Observations out;
    // Behind several replicas the tokens of different servers mix, and no steps can be told apart.
    out.steps_rebuilt = recording.all_tokens && settings.replicas == 1;
    for (const Level& level : recording.levels) {
        if (out.steps_rebuilt) observe_steps(level, endpoint, settings, out);
        CallObserver(level, endpoint, settings, out.clusters, out).run(!out.steps_rebuilt);
        out.clusters += static_cast<int>(level.sessions.size());
    }
    return out;
}

std::vector<std::vector<double>> unqueued_first_tokens(const Recording& recording, int endpoint, const StepLaw& law,
                                                       const FitSettings& settings) {
    std::vector<std::vector<double>> out;
    for (const Level& level : recording.levels) {
        auto& seconds = out.emplace_back(level.calls.size(), 0.0);
        for (std::size_t i = 0; i < level.calls.size(); ++i) {
            const ModelCall& call = level.calls[i];
            if (call.endpoint != endpoint || !call.streamed) continue;
            Observation one;
            one.kind = Observation::Kind::first_token;
            one.busy = 1;
            double tokens = call.prompt;
            for (std::size_t j = i; j-- > 0;) {
                const ModelCall& other = level.calls[j];
                if (call.sent - other.sent > kPromptsSpan) break;
                if (other.endpoint == endpoint && other.first_token > call.sent)
                    tokens += static_cast<double>(other.prompt) / settings.replicas;
            }
            one.groups.push_back({tokens, 1});
            seconds[i] = expected_seconds(law, one, settings);
        }
    }
    return out;
}

}  // namespace plimsoll::forecast
