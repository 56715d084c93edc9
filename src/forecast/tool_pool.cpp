#include "forecast/tool_pool.h"

#include <algorithm>
#include <cmath>

#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

constexpr std::size_t kMaxReference = 300;  // un-queued uses that describe the service times
constexpr std::size_t kMinReference = 30;   // below this, the next level's uses are taken too
constexpr double kOutlierDensity = 1e-4;    // of a service time that no reference is near
constexpr double kForgotten = 1e-3;         // sizes less probable than this are ruled out
// Before anything is seen: half for no bound at all, half for a bound of any order of magnitude up to the largest.
constexpr double kBoundPrior = 0.5, kLargestPool = 1e4;
// From this probability on, "no bound" is taken for sure: what is left are sizes near the peak at which hardly a use would
// have waited, and every pool leaves some of those.
constexpr double kSurelyNoBound = 0.75;

struct Use {
    double start = 0, end = 0;
    const ToolUse* use = nullptr;
};

std::vector<Use> uses_of(const Level& level, int tool) {
    std::vector<Use> uses;
    for (const ToolUse& use : level.tools)
        if (use.tool == tool) uses.push_back({use.start, use.end, &use});
    return uses;
}

// For each use, how many others were there when it came.
std::vector<std::size_t> others_present(const std::vector<Use>& uses, const std::vector<double>& ends) {
    std::vector<std::size_t> others(uses.size());
    for (std::size_t i = 0; i < uses.size(); ++i) {
        const auto gone = std::ranges::upper_bound(ends, uses[i].start) - ends.begin();
        others[i] = i - std::min(i, static_cast<std::size_t>(gone));
    }
    return others;
}

std::vector<double> sorted_ends(const std::vector<Use>& uses) {
    std::vector<double> ends;
    for (const Use& use : uses) ends.push_back(use.end);
    std::ranges::sort(ends);
    return ends;
}

// Seconds that use i was served in a pool of k; negative when k is impossible.
double served_seconds(const std::vector<Use>& uses, const std::vector<double>& ends, std::size_t i, std::size_t others, std::size_t k) {
    if (others < k) return uses[i].end - uses[i].start;
    const std::size_t gone = i - others;
    return uses[i].end - ends[gone + others - k];
}

// Density of service times: Gaussian kernels on their logarithms.
class ServiceDensity {
  public:
    explicit ServiceDensity(std::vector<double> seconds) {
        for (const double value : seconds) logs_.push_back(std::log(std::max(value, 1e-6)));
        constexpr double kSilverman = 1.06, kNarrowest = 0.02;
        width_ = std::max(kNarrowest, kSilverman * population_sd(logs_) * std::pow(static_cast<double>(logs_.size()), -0.2));
    }

    double log_density(double seconds) const {
        if (seconds <= 1e-6) return std::log(kOutlierDensity) - 1 / width_;
        const double x = std::log(seconds);
        double sum = 0;
        for (const double at : logs_) {
            const double z = (x - at) / width_;
            if (std::abs(z) < 6) sum += std::exp(-z * z / 2);
        }
        return std::log((sum / static_cast<double>(logs_.size()) / width_ / 2.5066 + kOutlierDensity) / seconds);
    }

  private:
    std::vector<double> logs_;
    double width_ = 1;
};

std::vector<double> reference_times(const Recording& recording, int tool) {
    std::vector<double> seconds;
    for (const Level& level : recording.levels) {
        for (const ToolUse& use : level.tools)
            if (use.tool == tool && seconds.size() < kMaxReference) seconds.push_back(use.end - use.start);
        if (seconds.size() >= kMinReference) break;
    }
    return seconds;
}

}  // namespace

ToolPoolFit fit_tool_pool(const Recording& recording, int tool) {
    ToolPoolFit fit;
    const std::vector<double> reference = reference_times(recording, tool);
    if (reference.empty()) {
        fit.sizes = {{0, 1}};
        return fit;
    }
    const ServiceDensity density(reference);
    // log likelihood of size k against no bound at all; index k
    std::vector<double> gain(1, 0);
    std::vector<int> waited(1, 0);
    for (const Level& level : recording.levels) {
        const auto uses = uses_of(level, tool);
        const auto ends = sorted_ends(uses);
        const auto others = others_present(uses, ends);
        fit.uses += static_cast<int>(uses.size());
        for (std::size_t i = 0; i < uses.size(); ++i) {
            if (gain.size() <= others[i]) {
                gain.resize(others[i] + 1, 0);
                waited.resize(others[i] + 1, 0);
            }
            fit.peak = std::max(fit.peak, static_cast<int>(others[i]) + 1);
            if (others[i] == 0) continue;
            const double unqueued = density.log_density(uses[i].end - uses[i].start);
            for (std::size_t k = 1; k <= others[i]; ++k) {
                gain[k] += density.log_density(served_seconds(uses, ends, i, others[i], k)) - unqueued;
                ++waited[k];
            }
        }
    }
    // Sizes at or above the peak differ from no bound only beyond what was measured.
    const double best = std::max(0.0, *std::ranges::max_element(gain));
    double below_peak = 0;
    for (std::size_t k = 1; k < gain.size(); ++k) {
        const double prior = kBoundPrior / (static_cast<double>(k) * std::log(kLargestPool));
        below_peak += prior;
        fit.sizes.push_back({static_cast<int>(k), prior * std::exp(gain[k] - best)});
    }
    fit.sizes.push_back({0, std::max(0.0, 1 - below_peak) * std::exp(-best)});
    double total = 0;
    for (const PoolSize& size : fit.sizes) total += size.probability;
    for (PoolSize& size : fit.sizes) size.probability /= total;
    std::erase_if(fit.sizes, [](const PoolSize& size) { return size.probability < kForgotten; });
    std::ranges::stable_sort(fit.sizes, std::greater<>{}, &PoolSize::probability);
    if (fit.sizes.front().servers == 0 && fit.sizes.front().probability > kSurelyNoBound) fit.sizes = {{0, 1}};
    if (const int servers = fit.sizes.front().servers; servers > 0) fit.waited = waited[static_cast<std::size_t>(servers)];
    return fit;
}

void remove_waits(Recording& recording, int tool, int servers) {
    if (servers <= 0) return;
    for (Level& level : recording.levels) {
        const auto uses = uses_of(level, tool);
        const auto ends = sorted_ends(uses);
        const auto others = others_present(uses, ends);
        for (std::size_t i = 0; i < uses.size(); ++i) {
            const ToolUse& use = *uses[i].use;
            RecordedSession& session = level.sessions[static_cast<std::size_t>(use.session)];
            if (use.task < 0 || !session.usable()) continue;
            Task& task = session.graph.tasks[static_cast<std::size_t>(use.task)];
            if (task.kind != TaskKind::tool) continue;
            task.seconds = std::max(0.0, served_seconds(uses, ends, i, others[i], static_cast<std::size_t>(servers)));
        }
    }
}

}  // namespace plimsoll::forecast
