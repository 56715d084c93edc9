// NAT 1.9.0's token usage forecast: a random forest over the calls of a session. Features of a call are the last n calls up to it (whole
// seconds since the call before, prompt tokens, completion tokens; that of the call itself unknown, so 0), targets the same three numbers
// of the next n calls; n is the mean number of LLM calls of a session, rounded up, and what lies outside the session is 0. Three
// trees of depth 2, each of as many calls as there are, drawn with replacement; squared error summed over all targets.
//
// NAT seeds nothing, so its trees differ from run to run; here the seed is fixed. The file holds the trees as plain data (to_json),
// NAT's a Python object of its own classes.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "event/step.h"

namespace plimsoll::profile {

inline constexpr std::array<std::string_view, 3> kForestColumns = {"seconds_between_calls", "prompt_tokens", "completion_tokens"};
inline constexpr int kForestTrees = 3;
inline constexpr int kForestDepth = 2;
inline constexpr std::size_t kMaxForestWindow = 20;   // n at most
inline constexpr std::size_t kMaxForestRows = 5'000;  // calls trained on; of more every second, fourth, … is taken

struct TreeNode {
    std::size_t samples = 0;
    std::vector<double> value;  // mean of the targets
    int feature = -1;           // -1: a leaf; else x[feature] <= threshold goes left
    double threshold = 0;
    std::unique_ptr<TreeNode> left, right;
};

// Rows of equal length. Grows one tree as sklearn's DecisionTreeRegressor(max_depth) does; of equally good splits the first feature's.
TreeNode grow_tree(const std::vector<std::vector<double>>& features, const std::vector<std::vector<double>>& targets, int max_depth);

struct TokenForest {
    std::size_t window = 0;  // n
    std::size_t calls = 0;   // of the run
    std::size_t rows = 0;    // trained on
    std::vector<TreeNode> trees;
};

// NAT gives up on an LLM_END whose START is missing and on a session without LLM calls.
enum class ForestRules : std::uint8_t { nat, plimsoll };

// The rows that a forest learns from: add() the sessions of a run, then fit(). Errors: invalid_argument when nothing can be learnt.
class ForestRows {
  public:
    explicit ForestRows(ForestRules rules = ForestRules::plimsoll) : rules_(rules) {}

    Result<void> add(const std::vector<event::Step>& steps);  // of a session
    Result<TokenForest> fit() const;

  private:
    using Table = std::vector<std::vector<double>>;
    using Call = std::array<double, kForestColumns.size()>;

    Result<std::vector<Call>> read_calls(const std::vector<event::Step>& steps);
    void add_row(std::span<const Call> session, std::size_t at);
    void thin();

    ForestRules rules_;
    std::unordered_map<std::size_t, double> gaps_;  // by a hash of the UUID; in NAT of all sessions
    Table before_, after_;                          // kMaxForestWindow calls up to each call, and as many that follow it
    std::size_t stride_ = 1, calls_ = 0, sessions_ = 0;
};

// Mean of the trees.
std::vector<double> predict(const TokenForest& forest, const std::vector<double>& features);

json::value to_json(const TokenForest& forest);

}  // namespace plimsoll::profile
