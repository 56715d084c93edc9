#include "profile/common_prefixes.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>

#include "profile/utf8.h"

namespace plimsoll::profile {
namespace {

struct ModelTexts {
    std::size_t total_calls = 0;
    std::vector<std::string> texts;  // in the order of the calls; may be empty strings
};

// A branching point or the end of a text: all texts of [first, last) in the sorted order begin with the same `bytes` bytes.
struct Branch {
    std::size_t first = 0, last = 0;
    std::size_t bytes = 0;
    std::size_t earliest = 0;  // the first of its texts in the order of the calls
    std::vector<std::size_t> children;

    std::size_t calls() const { return last - first; }
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
    explicit BranchTree(const std::vector<std::string>& texts) : texts_(texts), order_(texts.size()) {
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        std::ranges::stable_sort(order_, {}, [&](std::size_t i) { return std::string_view(texts_[i]); });
        open_.push_back({.earliest = std::numeric_limits<std::size_t>::max()});
        for (std::size_t i = 0; i < order_.size(); ++i) {
            const std::size_t shared = i == 0 ? 0 : common_bytes(text(i - 1), text(i));
            close_below(shared, i);
            if (text(i).size() > open_.back().bytes)
                open_.push_back({.first = i, .bytes = text(i).size(), .earliest = order_[i]});
            else
                open_.back().earliest = std::min(open_.back().earliest, order_[i]);
        }
        close_below(0, order_.size());
        open_.front().last = order_.size();
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
    std::string_view text(std::size_t i) const { return texts_[order_[i]]; }

    // Closes what is longer than `shared`; texts from `end` on do not belong to it.
    void close_below(std::size_t shared, std::size_t end) {
        while (open_.back().bytes > shared) {
            Branch closed = std::move(open_.back());
            open_.pop_back();
            closed.last = end;
            if (open_.back().bytes < shared) open_.push_back({.first = closed.first, .bytes = shared, .earliest = closed.earliest});
            Branch& parent = open_.back();
            parent.earliest = std::min(parent.earliest, closed.earliest);
            parent.children.push_back(branches_.size());
            branches_.push_back(std::move(closed));
        }
    }

    const std::vector<std::string>& texts_;
    std::vector<std::size_t> order_;  // texts by their bytes
    std::vector<Branch> open_, branches_;
};

CommonPrefix make_prefix(const BranchTree& tree, const Branch& branch, std::size_t total_calls) {
    CommonPrefix prefix{.text = std::string(tree.prefix(branch)), .calls = branch.calls()};
    prefix.length = count_code_points(prefix.text);
    prefix.share = static_cast<double>(prefix.calls) / static_cast<double>(total_calls);
    return prefix;
}

std::vector<CommonPrefix> list_prefixes(const ModelTexts& model, double min_frequency, std::size_t min_calls) {
    const BranchTree tree(model.texts);
    std::vector<CommonPrefix> prefixes;
    for (const std::size_t i : tree.latest_first()) {
        const Branch& branch = tree.branches()[i];
        const double share = static_cast<double>(branch.calls()) / static_cast<double>(model.total_calls);
        if (branch.bytes > 0 && branch.calls() >= min_calls && share >= min_frequency)
            prefixes.push_back(make_prefix(tree, branch, model.total_calls));
    }
    return prefixes;
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
    ModelPrefixes model{total_calls, std::move(prefixes), false};
    model.cut = model.prefixes.size() > kMaxPrefixes;
    if (model.cut) model.prefixes.resize(kMaxPrefixes);
    return model;
}

bool is_llm_start(const event::Step& step) {
    return step.payload.event_type == event::EventType{event::Category::llm, event::Phase::start};
}

}  // namespace

std::map<std::string, ModelPrefixes> find_common_prefixes(const TraceView& view, double min_frequency) {
    std::map<std::string, ModelTexts> models;
    for (const auto& session : view.sessions)
        for (const auto& step : session.steps) {
            if (!is_llm_start(step)) continue;
            ModelTexts& model = models[step.payload.name.value_or("")];
            ++model.total_calls;
            model.texts.push_back(step.payload.data ? to_plain_text(step.payload.data->input) : "");
        }
    std::map<std::string, ModelPrefixes> found;
    for (const auto& [name, model] : models) {
        auto prefixes = list_prefixes(model, min_frequency, 2);
        std::ranges::stable_sort(prefixes, std::greater(), [](const CommonPrefix& prefix) { return (prefix.calls - 1) * prefix.length; });
        found[name] = limit(model.total_calls, std::move(prefixes));
    }
    return found;
}

std::map<std::string, ModelPrefixes> find_nat_prefixes(const TraceView& view, double min_frequency) {
    std::map<std::string, ModelTexts> models;
    for (const auto& session : view.sessions)
        for (const auto& step : session.steps) {
            const auto& payload = step.payload;
            const bool named = payload.event_type.category == event::Category::llm && payload.event_type.phase != event::Phase::chunk;
            ModelTexts& model = models[named ? payload.name.value_or("") : ""];
            ++model.total_calls;
            if (!is_llm_start(step) || !payload.data) continue;
            model.texts.push_back(to_python_text(payload.data->input));
        }
    std::map<std::string, ModelPrefixes> found;
    for (const auto& [name, model] : models) {
        auto prefixes = list_prefixes(model, min_frequency, 1);
        std::ranges::stable_sort(prefixes, [](const CommonPrefix& a, const CommonPrefix& b) {
            return a.length != b.length ? a.length > b.length : a.calls > b.calls;
        });
        found[name] = limit(model.total_calls, drop_contained(std::move(prefixes)));
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
        if (model.cut) entry["plimsoll"] = {{"cut_at_prefixes", kMaxPrefixes}};
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
