// The calls of one session as trees: who called whom, and how much of a call's time was its own.
//
// A call's parent is the span its parent_id names; where that id leads nowhere, the span of the function it ran in. Never a
// stack over time: parallel calls are siblings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "event/span.h"
#include "profile/text_pool.h"

namespace plimsoll::profile {

inline constexpr std::uint32_t kNoCall = std::numeric_limits<std::uint32_t>::max();
inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// A span in a few words, so that those of a million sessions fit into memory. Names, texts and tokens are in the RunGraph.
struct Call {
    double start = 0, end = 0;      // seconds since the epoch; end >= start, = start when unfinished
    double first_token = kUnknown;  // seconds since the epoch
    double queued = kUnknown;       // seconds that it waited inside its client
    double self_time = 0;           // seconds not covered by any child
    double subtree_time = 0;        // self_time and the subtree_time of all children: more than duration() where they run in parallel
    TextPool::Id uuid = 0;
    std::uint32_t name = 0, function = 0;  // of the span, which may be empty; of the function it ran in
    std::uint32_t step = 0;                // what it is summed up under
    std::uint32_t usage = 0;
    std::uint32_t tokens = 0;          // LLM_NEW_TOKENs
    std::uint32_t extra_attempts = 0;  // that its END tells of
    std::uint32_t parent = kNoCall;    // index in the session's tree, smaller than the call's own
    std::uint32_t size = 1;            // of its subtree, itself included
    std::uint32_t depth = 0;
    event::Category category = event::Category::custom;
    bool finished = false;
    bool failed = false;  // it ended with an error, `cancelled` too
    bool cancelled = false;
    bool repeats = false;  // a failed sibling with the same step and input

    double duration() const { return end - start; }
    // Finished without an error: only these count in latencies.
    bool succeeded() const { return finished && !failed; }
};

// In preorder: a call before its children, siblings by start.
using CallTree = std::vector<Call>;

// SiblingCalls in a tree, in the order of their start: indices in the tree.
class SiblingCalls {
  public:
    SiblingCalls(std::span<const Call> tree, std::uint32_t first, std::uint32_t end) : tree_(tree), first_(first), end_(end) {}

    class Iterator {
      public:
        using value_type = std::uint32_t;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        Iterator(std::span<const Call> tree, std::uint32_t at) : tree_(tree), at_(at) {}
        std::uint32_t operator*() const { return at_; }
        Iterator& operator++() { return at_ += tree_[at_].size, *this; }
        Iterator operator++(int) {
            const Iterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const Iterator& other) const { return at_ == other.at_; }

      private:
        std::span<const Call> tree_;
        std::uint32_t at_ = 0;
    };
    Iterator begin() const { return {tree_, first_}; }
    Iterator end() const { return {tree_, end_}; }

  private:
    std::span<const Call> tree_;
    std::uint32_t first_, end_;
};
SiblingCalls roots_of(std::span<const Call> tree);
SiblingCalls children_of(std::span<const Call> tree, std::uint32_t call);

// The index of each span's parent, which is smaller than its own: only spans that started earlier are looked up, so that a trace whose ids
// form a circle still gives a tree. kNoCall at a root.
std::vector<std::uint32_t> find_parents(std::span<const event::Span> spans);

// The nodes in preorder: a node before its children, siblings in the order of their index. A parent's index is smaller than its child's.
std::vector<std::uint32_t> make_preorder(std::span<const std::uint32_t> parents);

// Fills depth, size, self_time and subtree_time of a tree whose parents are known.
void complete_tree(std::span<Call> tree);

// LLM, TOOL, FUNCTION and SPAN: the calls of NAT's nested analysis.
bool is_nested_call(event::Category category);
// LLM and TOOL.
bool is_operation(event::Category category);
// Everything but the workflow itself.
bool is_call(event::Category category);

}  // namespace plimsoll::profile
