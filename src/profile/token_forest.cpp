#include "profile/token_forest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "base/random.h"

namespace plimsoll::profile {
namespace {

using event::Category;
using event::Phase;

constexpr std::size_t kColumns = kForestColumns.size();
constexpr std::uint64_t kSeed = 1;

using Table = std::vector<std::vector<double>>;
using Call = std::array<double, kColumns>;

void append_call(std::vector<double>& row, const Call* call) {
    for (std::size_t column = 0; column < kColumns; ++column) row.push_back(call ? (*call)[column] : 0);
}

// Of the widest rows the `window` calls nearest to the call.
void cut_to(std::size_t window, Table& before, Table& after) {
    for (auto& row : before) row.erase(row.begin(), row.end() - static_cast<std::ptrdiff_t>(window * kColumns));
    for (auto& row : after) row.resize(window * kColumns);
}

// ---- trees ----

struct Split {
    int feature = -1;
    double threshold = 0;
    double score = 0;
};

class Grower {
  public:
    Grower(const Table& features, const Table& targets, int max_depth) : features_(features), targets_(targets), max_depth_(max_depth) {}

    TreeNode grow(std::vector<std::size_t> rows, int depth = 0) const {
        TreeNode node{.samples = rows.size(), .value = sums(rows)};
        for (double& sum : node.value) sum /= static_cast<double>(rows.size());
        if (depth == max_depth_ || is_pure(rows)) return node;
        const Split split = best_split(rows);
        if (split.feature < 0) return node;
        node.feature = split.feature;
        node.threshold = split.threshold;
        const auto right =
            std::ranges::stable_partition(rows, [&](std::size_t row) { return value(row, split.feature) <= split.threshold; });
        node.left = std::make_unique<TreeNode>(grow({rows.begin(), right.begin()}, depth + 1));
        node.right = std::make_unique<TreeNode>(grow({right.begin(), right.end()}, depth + 1));
        return node;
    }

  private:
    double value(std::size_t row, int feature) const { return features_[row][static_cast<std::size_t>(feature)]; }

    std::vector<double> sums(std::span<const std::size_t> rows) const {
        std::vector<double> out(targets_.front().size());
        for (const std::size_t row : rows)
            for (std::size_t t = 0; t < out.size(); ++t) out[t] += targets_[row][t];
        return out;
    }

    bool is_pure(std::span<const std::size_t> rows) const {
        return std::ranges::all_of(rows, [&](std::size_t row) { return targets_[row] == targets_[rows.front()]; });
    }

    Split best_split(const std::vector<std::size_t>& rows) const {
        Split best;
        const std::vector<double> all = sums(rows);
        for (int feature = 0; feature < static_cast<int>(features_.front().size()); ++feature) {
            const Split split = best_split(rows, all, feature);
            if (split.feature >= 0 && (best.feature < 0 || split.score > best.score)) best = split;
        }
        return best;
    }

    // Least squared error is the largest Σ sum² / n of both sides.
    Split best_split(std::vector<std::size_t> rows, const std::vector<double>& all, int feature) const {
        constexpr double kSameValue = 1e-7;
        std::ranges::stable_sort(rows, {}, [&](std::size_t row) { return value(row, feature); });
        Split best;
        std::vector<double> left(all.size());
        for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
            for (std::size_t t = 0; t < left.size(); ++t) left[t] += targets_[rows[i]][t];
            const double here = value(rows[i], feature), next = value(rows[i + 1], feature);
            if (next <= here + kSameValue) continue;
            const auto n_left = static_cast<double>(i + 1), n_right = static_cast<double>(rows.size() - i - 1);
            double score = 0;
            for (std::size_t t = 0; t < left.size(); ++t)
                score += left[t] * left[t] / n_left + (all[t] - left[t]) * (all[t] - left[t]) / n_right;
            if (best.feature < 0 || score > best.score) best = {feature, (here + next) / 2, score};
        }
        return best;
    }

    const Table& features_;
    const Table& targets_;
    int max_depth_;
};

std::vector<std::size_t> draw_rows(std::size_t count, Random& random) {
    std::vector<std::size_t> rows(count);
    for (std::size_t& row : rows) row = std::min(static_cast<std::size_t>(random.uniform() * static_cast<double>(count)), count - 1);
    return rows;
}

json::value to_json(const TreeNode& node) {
    if (node.feature < 0) return {{"samples", node.samples}, {"value", json::value_from(node.value)}};
    return {{"samples", node.samples},
            {"feature", node.feature},
            {"threshold", node.threshold},
            {"left", to_json(*node.left)},
            {"right", to_json(*node.right)}};
}

json::array names(std::string_view relative, std::size_t window, bool ahead) {
    json::array out;
    for (std::size_t i = 0; i < window; ++i)
        for (const std::string_view column : kForestColumns)
            out.push_back(json::value(fmt::format("{}[{}{}]", column, relative, ahead ? i + 1 : window - 1 - i)));
    return out;
}

}  // namespace

TreeNode grow_tree(const Table& features, const Table& targets, int max_depth) {
    std::vector<std::size_t> rows(features.size());
    std::iota(rows.begin(), rows.end(), 0);
    return Grower(features, targets, max_depth).grow(std::move(rows));
}

Result<std::vector<Call>> ForestRows::read_calls(const std::vector<event::Step>& steps) {
    if (rules_ == ForestRules::plimsoll) gaps_.clear();
    std::vector<Call> calls;
    for (const event::Step& step : steps) {
        const event::Payload& payload = step.payload;
        if (payload.event_type.category != Category::llm) continue;
        const event::UsageInfo usage = payload.usage_info.value_or(event::UsageInfo{});
        const std::size_t id = std::hash<std::string>()(payload.uuid);
        if (payload.event_type.phase == Phase::start) gaps_[id] = static_cast<double>(usage.seconds_between_calls);
        if (payload.event_type.phase != Phase::end) continue;
        const auto gap = gaps_.find(id);
        if (gap == gaps_.end() && rules_ == ForestRules::nat)
            return fail(ErrorCode::invalid_argument, fmt::format("LLM_END {} has no LLM_START", payload.uuid));
        calls.push_back({gap == gaps_.end() ? 0 : gap->second, static_cast<double>(usage.token_usage.prompt_tokens),
                         static_cast<double>(usage.token_usage.completion_tokens)});
    }
    return calls;
}

void ForestRows::add_row(std::span<const Call> session, std::size_t at) {
    if (calls_++ % stride_ != 0) return;
    if (before_.size() == kMaxForestRows) thin();
    std::vector<double> features, targets;
    for (std::size_t back = kMaxForestWindow; back-- > 0;) append_call(features, at >= back ? &session[at - back] : nullptr);
    features.back() = 0;  // its own completion is what nobody knows
    for (std::size_t next = at + 1; next <= at + kMaxForestWindow; ++next)
        append_call(targets, next < session.size() ? &session[next] : nullptr);
    before_.push_back(std::move(features));
    after_.push_back(std::move(targets));
}

// Evenly over the run, whose length shows only at its end.
void ForestRows::thin() {
    for (Table* table : {&before_, &after_}) {
        for (std::size_t i = 0; 2 * i < table->size(); ++i) std::swap((*table)[i], (*table)[2 * i]);
        table->resize((table->size() + 1) / 2);
    }
    stride_ *= 2;
}

Result<void> ForestRows::add(const std::vector<event::Step>& steps) {
    ++sessions_;
    const auto calls = read_calls(steps);
    if (!calls) return fail(calls.error());
    if (calls->empty() && rules_ == ForestRules::nat) return fail(ErrorCode::invalid_argument, "a session has no LLM call");
    for (std::size_t i = 0; i < calls->size(); ++i) add_row(*calls, i);
    return {};
}

Result<TokenForest> ForestRows::fit() const {
    if (calls_ == 0) return fail(ErrorCode::invalid_argument, "no LLM call has ended");
    TokenForest forest{.window = std::min((calls_ + sessions_ - 1) / sessions_, kMaxForestWindow), .calls = calls_, .rows = before_.size()};
    Table before = before_, after = after_;
    cut_to(forest.window, before, after);
    Random random(kSeed);
    const Grower grower(before, after, kForestDepth);
    for (int tree = 0; tree < kForestTrees; ++tree) forest.trees.push_back(grower.grow(draw_rows(before.size(), random)));
    return forest;
}

std::vector<double> predict(const TokenForest& forest, const std::vector<double>& features) {
    std::vector<double> out(forest.window * kColumns);
    for (const TreeNode& tree : forest.trees) {
        const TreeNode* node = &tree;
        while (node->feature >= 0)
            node = features[static_cast<std::size_t>(node->feature)] <= node->threshold ? node->left.get() : node->right.get();
        for (std::size_t i = 0; i < out.size(); ++i) out[i] += node->value[i] / static_cast<double>(forest.trees.size());
    }
    return out;
}

json::value to_json(const TokenForest& forest) {
    json::array trees;
    for (const TreeNode& tree : forest.trees) trees.push_back(to_json(tree));
    return {{"format", "plimsoll token forest"},
            {"version", 1},
            {"n_estimators", kForestTrees},
            {"max_depth", kForestDepth},
            {"matrix_length", forest.window},
            {"features", names("-", forest.window, false)},
            {"targets", names("+", forest.window, true)},
            {"calls", forest.calls},
            {"rows", forest.rows},
            {"trees", std::move(trees)}};
}

}  // namespace plimsoll::profile
