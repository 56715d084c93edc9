#include "profile/common_prefixes.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>

#include "profile/utf8.h"

namespace plimsoll::profile {
namespace {

using Prompt = CommonPrefixes::Prompt;

// A branching point or the end of a text: all texts from the `first` one on in the sorted order begin with the same `bytes` bytes.
struct Branch {
    std::size_t first = 0;
    std::size_t bytes = 0;
    std::size_t earliest = 0;      // of its texts
    std::size_t calls_before = 0;  // of the texts in front of it
    std::size_t calls = 0;
    std::vector<std::size_t> children;
};

std::size_t common_bytes(std::string_view a, std::string_view b) {
    const auto ends = std::ranges::mismatch(a, b);
    auto bytes = static_cast<std::size_t>(ends.in1 - a.begin());
    // Back to the first byte of a code point that differs in the middle.
    while (bytes > 0 && bytes < a.size() && (static_cast<unsigned char>(a[bytes]) & 0xc0) == 0x80) --bytes;
    return bytes;
}

// The compact trie of sorted texts, built with a stack of open branches (Kasai et al., longest common prefix intervals). The
// last branch is the root.
class BranchTree {
  public:
    explicit BranchTree(const std::vector<Prompt>& texts) : texts_(texts), order_(texts.size()) {
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        std::ranges::stable_sort(order_, {}, [&](std::size_t i) { return std::string_view(texts_[i].text); });
        open_.push_back({.earliest = std::numeric_limits<std::size_t>::max()});
        std::size_t calls = 0;
        for (std::size_t i = 0; i < order_.size(); ++i) {
            const std::size_t shared = i == 0 ? 0 : common_bytes(text(i - 1), text(i));
            close_below(shared, calls);
            const std::size_t earliest = texts_[order_[i]].earliest;
            if (text(i).size() > open_.back().bytes)
                open_.push_back({.first = i, .bytes = text(i).size(), .earliest = earliest, .calls_before = calls});
            else
                open_.back().earliest = std::min(open_.back().earliest, earliest);
            calls += texts_[order_[i]].calls;
        }
        close_below(0, calls);
        open_.front().calls = calls;
        branches_.push_back(std::move(open_.front()));
    }

    const std::vector<Branch>& branches() const { return branches_; }
    std::string_view prefix(const Branch& branch) const { return text(branch.first).substr(0, branch.bytes); }

    // A branch before its children, and of those the one first that came last: as NAT walks its trie.
    std::vector<std::size_t> latest_first() const {
        std::vector<std::size_t> walk, stack{branches_.size() - 1};
        while (!stack.empty()) {
            const std::size_t at = stack.back();
            stack.pop_back();
            walk.push_back(at);
            auto children = branches_[at].children;
            std::ranges::sort(children, {}, [&](std::size_t child) { return branches_[child].earliest; });
            stack.insert(stack.end(), children.begin(), children.end());
        }
        return walk;
    }

  private:
    std::string_view text(std::size_t i) const { return texts_[order_[i]].text; }

    // Closes what is longer than `shared`; `calls` are those of all texts until here.
    void close_below(std::size_t shared, std::size_t calls) {
        while (open_.back().bytes > shared) {
            Branch closed = std::move(open_.back());
            open_.pop_back();
            closed.calls = calls - closed.calls_before;
            if (open_.back().bytes < shared)
                open_.push_back({.first = closed.first, .bytes = shared, .earliest = closed.earliest, .calls_before = closed.calls_before});
            Branch& parent = open_.back();
            parent.earliest = std::min(parent.earliest, closed.earliest);
            parent.children.push_back(branches_.size());
            branches_.push_back(std::move(closed));
        }
    }

    const std::vector<Prompt>& texts_;
    std::vector<std::size_t> order_;  // texts by their bytes
    std::vector<Branch> open_, branches_;
};

CommonPrefix make_prefix(const BranchTree& tree, const Branch& branch, std::size_t total_calls) {
    CommonPrefix prefix{.text = std::string(tree.prefix(branch)), .calls = branch.calls};
    prefix.length = count_code_points(prefix.text);
    prefix.share = static_cast<double>(prefix.calls) / static_cast<double>(total_calls);
    return prefix;
}

std::vector<CommonPrefix> list_prefixes(const std::vector<Prompt>& prompts, std::size_t total_calls, double min_frequency,
                                        std::size_t min_calls) {
    const BranchTree tree(prompts);
    std::vector<CommonPrefix> prefixes;
    for (const std::size_t i : tree.latest_first()) {
        const Branch& branch = tree.branches()[i];
        const double share = static_cast<double>(branch.calls) / static_cast<double>(total_calls);
        if (branch.bytes > 0 && branch.calls >= min_calls && share >= min_frequency)
            prefixes.push_back(make_prefix(tree, branch, total_calls));
    }
    return prefixes;
}

// Each prompt cut to its longest beginning that `min_calls` calls share, equal ones as one.
std::vector<Prompt> shorten_prompts(const std::vector<Prompt>& prompts, std::size_t min_calls) {
    const BranchTree tree(prompts);
    std::vector<Prompt> out;
    std::vector<std::size_t> stack{tree.branches().size() - 1};
    while (!stack.empty()) {
        const Branch& branch = tree.branches()[stack.back()];
        stack.pop_back();
        std::size_t calls = branch.calls;
        for (const std::size_t child : branch.children) {
            if (tree.branches()[child].calls < min_calls) continue;
            calls -= tree.branches()[child].calls;
            stack.push_back(child);
        }
        if (calls > 0) out.push_back({std::string(tree.prefix(branch)), calls, branch.earliest});
    }
    return out;
}

std::size_t bytes_of(std::span<const Prompt> prompts) {
    // A string's block and its place in the list, and in the tree of branches while that exists.
    constexpr std::size_t kBesideText = 160;
    std::size_t bytes = 0;
    for (const Prompt& prompt : prompts) bytes += prompt.text.size() + kBesideText;
    return bytes;
}

std::vector<CommonPrefix> drop_contained(std::vector<CommonPrefix> candidates) {
    std::vector<CommonPrefix> kept;
    for (auto& candidate : candidates) {
        if (kept.size() > kMaxPrefixes) break;
        const auto contains = [&](const CommonPrefix& longer) { return longer.text.contains(candidate.text); };
        if (std::ranges::none_of(kept, contains)) kept.push_back(std::move(candidate));
    }
    return kept;
}

ModelPrefixes limit(std::size_t total_calls, std::vector<CommonPrefix> prefixes) {
    ModelPrefixes model{.total_calls = total_calls, .prefixes = std::move(prefixes)};
    model.cut = model.prefixes.size() > kMaxPrefixes;
    if (model.cut) model.prefixes.resize(kMaxPrefixes);
    return model;
}

bool is_llm_start(const event::Step& step) {
    return step.payload.event_type == event::EventType{event::Category::llm, event::Phase::start};
}

}  // namespace

void CommonPrefixes::add(const std::vector<event::Step>& steps) {
    for (const auto& step : steps) {
        const auto& payload = step.payload;
        if (rule_ == PrefixRule::calls) {
            if (!is_llm_start(step)) continue;
            Model& model = models_[payload.name.value_or("")];
            ++model.total_calls;
            add_prompt(model, payload.data ? to_plain_text(payload.data->input) : "");
        } else {
            const bool named = payload.event_type.category == event::Category::llm && payload.event_type.phase != event::Phase::chunk;
            Model& model = models_[named ? payload.name.value_or("") : ""];
            ++model.total_calls;
            if (is_llm_start(step) && payload.data) add_prompt(model, to_python_text(payload.data->input));
        }
    }
}

void CommonPrefixes::add_prompt(Model& model, std::string text) {
    if (text.size() > kMaxPromptLength) {
        std::size_t end = kMaxPromptLength;
        while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a code point
        text.resize(end);
        ++model.shortened;
    }
    model.prompts.push_back({std::move(text), 1, model.prompts_seen++});
    bytes_ += bytes_of({&model.prompts.back(), 1});
    if (bytes_ > max_bytes_) shorten();
}

void CommonPrefixes::shorten() {
    for (std::size_t min_calls = 2; bytes_ > max_bytes_ / 2; min_calls *= 2) {
        bytes_ = 0;
        for (auto& [name, model] : models_) {
            model.prompts = shorten_prompts(model.prompts, min_calls);
            bytes_ += bytes_of(model.prompts);
        }
        missed_calls_ += min_calls - 1;
    }
}

std::map<std::string, ModelPrefixes> CommonPrefixes::find(double min_frequency) const {
    std::map<std::string, ModelPrefixes> found;
    for (const auto& [name, model] : models_) {
        auto prefixes = list_prefixes(model.prompts, model.total_calls, min_frequency, rule_ == PrefixRule::calls ? 2 : 1);
        if (rule_ == PrefixRule::calls) {
            const auto saved = [](const CommonPrefix& prefix) { return (prefix.calls - 1) * prefix.length; };
            std::ranges::stable_sort(prefixes, std::greater(), saved);
        } else {
            std::ranges::stable_sort(prefixes, [](const CommonPrefix& a, const CommonPrefix& b) {
                return a.length != b.length ? a.length > b.length : a.calls > b.calls;
            });
            prefixes = drop_contained(std::move(prefixes));
        }
        ModelPrefixes& out = found[name] = limit(model.total_calls, std::move(prefixes));
        out.missed_calls = missed_calls_;
        out.shortened_prompts = model.shortened;
    }
    return found;
}

json::object to_json(const std::map<std::string, ModelPrefixes>& models) {
    json::object out;
    for (const auto& [name, model] : models) {
        json::array prefixes;
        for (const auto& prefix : model.prefixes)
            prefixes.push_back({{"prefix", prefix.text},
                                {"prefix_length", prefix.length},
                                {"calls_count", prefix.calls},
                                {"calls_percentage", prefix.share}});
        json::object entry = {{"total_calls", model.total_calls}, {"prefix_info", std::move(prefixes)}};
        json::object cuts;
        if (model.cut) cuts["cut_at_prefixes"] = kMaxPrefixes;
        if (model.missed_calls > 0) cuts["calls_missed_at_most"] = model.missed_calls;
        if (model.shortened_prompts > 0) cuts["prompts_cut_at_bytes"] = kMaxPromptLength;
        if (!cuts.empty()) entry["plimsoll"] = std::move(cuts);
        out[name] = std::move(entry);
    }
    return out;
}

namespace {

// `sorted` by text, so that a prefix stands before everything that begins with it.
std::vector<PrefixNode> take_children(std::span<const CommonPrefix* const> sorted, std::size_t& next, std::string_view parent) {
    std::vector<PrefixNode> children;
    while (next < sorted.size() && sorted[next]->text.starts_with(parent)) {
        const CommonPrefix& prefix = *sorted[next++];
        PrefixNode& node = children.emplace_back(prefix.text.substr(parent.size()), prefix.calls);
        node.children = take_children(sorted, next, prefix.text);
    }
    return children;
}

}  // namespace

PrefixNode make_prefix_tree(const std::map<std::string, ModelPrefixes>& models) {
    PrefixNode root{.text = "all prompts"};
    for (const auto& [model, prefixes] : models) {
        std::vector<const CommonPrefix*> sorted;
        for (const CommonPrefix& prefix : prefixes.prefixes) sorted.push_back(&prefix);
        std::ranges::sort(sorted, {}, &CommonPrefix::text);
        std::size_t next = 0;
        root.children.push_back({model, prefixes.total_calls, take_children(sorted, next, "")});
        root.count += prefixes.total_calls;
    }
    return root;
}

}  // namespace plimsoll::profile
