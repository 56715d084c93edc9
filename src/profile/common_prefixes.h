// Beginnings that many prompts to a model share: what a prompt cache saves (NAT 1.9.0, prompt caching).
//
// Prompts are sorted and the branching points of their trie read off the common beginnings of neighbours, so that memory is
// that of the prompts and not a node a character. Once the prompts of a run take more than kMaxPromptBytes, each is cut to the longest
// beginning that at least some number of prompts share, and equal ones become one with a weight (lossy counting; Manku and Motwani,
// VLDB 2002): what many share keeps its exact count, and how many calls a long prefix may have been counted short by is said.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "event/trace.h"
#include "profile/python_text.h"

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
    bool cut = false;                   // kMaxPrefixes reached
    std::size_t missed_calls = 0;       // a prefix may have so many calls more than counted, and be left out for it
    std::size_t shortened_prompts = 0;  // kMaxPromptLength reached
};

// A model lists at most this many prefixes.
inline constexpr std::size_t kMaxPrefixes = 1000;
// Of the prompts of a run that are held at once, with what each takes beside its text.
inline constexpr std::size_t kMaxPromptBytes = std::size_t{256} << 20;
// Of a prompt no more bytes are looked at.
inline constexpr std::size_t kMaxPromptLength = std::size_t{1} << 20;

enum class PrefixRule : std::uint8_t {
    // Over LLM_STARTs. A prefix is listed when at least `min_frequency` of the calls, and two of them, begin with it and
    // no longer prefix has as many: each branching point, those that save most characters (calls − 1) × length first.
    calls,
    // NAT's. Every row of its table counts as a call, so that the share of a prompt with a START and an END is halved and steps
    // of other kinds are a model without a name; the longest prefixes come first, and one that occurs anywhere in a longer one
    // that is listed is left out.
    nat,
};

class CommonPrefixes {
  public:
    explicit CommonPrefixes(PrefixRule rule, std::size_t max_bytes = kMaxPromptBytes) : rule_(rule), max_bytes_(max_bytes) {}

    void add(const std::vector<event::Step>& steps);                        // of a session
    std::map<std::string, ModelPrefixes> find(double min_frequency) const;  // by model

    // A prompt, or what is left of several.
    struct Prompt {
        std::string text;  // may be empty
        std::size_t calls = 1;
        std::size_t earliest = 0;  // in the order of the model's calls
    };

  private:
    struct Model {
        std::size_t total_calls = 0, prompts_seen = 0, shortened = 0;
        std::vector<Prompt> prompts;
    };
    void add_prompt(Model& model, std::string text);
    void shorten();

    PrefixRule rule_;
    std::size_t max_bytes_;
    std::map<std::string, Model> models_;
    std::size_t bytes_ = 0;
    std::size_t missed_calls_ = 0;
};

json::object to_json(const std::map<std::string, ModelPrefixes>& models);

// The prefixes as a tree: below the root the models, below each its prefixes, a prefix below the longest other that it begins with.
struct PrefixNode {
    std::string text;       // what it adds to its parent's
    std::size_t count = 0;  // prompts that begin with it
    std::vector<PrefixNode> children;
};
PrefixNode make_prefix_tree(const std::map<std::string, ModelPrefixes>& models);

}  // namespace plimsoll::profile
