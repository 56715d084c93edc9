// Beginnings that many prompts to a model share: what a prompt cache saves (NAT 1.9.0, prompt caching).
//
// Prompts are sorted and the branching points of their trie read off the common beginnings of neighbours, so that memory is
// that of the prompts and not a node a character.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "profile/python_text.h"
#include "profile/trace_view.h"

namespace plimsoll::profile {

struct CommonPrefix {
    std::string text;
    std::size_t length = 0;  // code points
    std::size_t calls = 0;   // that begin with it
    double share = 0;        // of total_calls
};

struct ModelPrefixes {
    std::size_t total_calls = 0;
    std::vector<CommonPrefix> prefixes;
    bool cut = false;  // kMaxPrefixes reached
};

// A model lists at most this many prefixes.
inline constexpr std::size_t kMaxPrefixes = 1000;

// By model, over LLM_STARTs. A prefix is listed when at least `min_frequency` of the calls, and two of them, begin with it and
// no longer prefix has as many: each branching point, those that save most characters (calls − 1) × length first.
std::map<std::string, ModelPrefixes> find_common_prefixes(const TraceView& view, double min_frequency);

// NAT's rule. Every row of its table counts as a call, so that the share of a prompt with a START and an END is halved and steps
// of other kinds are a model without a name; the longest prefixes come first, and one that occurs anywhere in a longer one
// that is listed is left out.
std::map<std::string, ModelPrefixes> find_nat_prefixes(const TraceView& view, double min_frequency);

json::object to_json(const std::map<std::string, ModelPrefixes>& models);

// The prefixes as a tree: below the root the models, below each its prefixes, a prefix below the longest other that it begins with.
struct PrefixNode {
    std::string text;       // what it adds to its parent's
    std::size_t count = 0;  // prompts that begin with it
    std::vector<PrefixNode> children;
};
PrefixNode make_prefix_tree(const std::map<std::string, ModelPrefixes>& models);

}  // namespace plimsoll::profile
