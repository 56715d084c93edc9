#include "load/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "event/span.h"

namespace plimsoll::load {
namespace {

using event::Category;
using event::Span;

// The session's spans as a tree, and what becomes of them.
class ScriptMaker {
  public:
    // What had to be made up is counted in `replay`.
    ScriptMaker(const event::SessionTrace& trace, const ReplayOptions& options, Replay& replay)
        : trace_(trace), options_(options), replay_(replay), spans_(event::pair_spans(trace.steps).spans) {
        std::map<std::string, int> by_id;
        for (std::size_t i = 0; i < spans_.size(); ++i) by_id[spans_[i].uuid] = static_cast<int>(i);
        children_.resize(spans_.size());
        for (std::size_t i = 0; i < spans_.size(); ++i) {
            const auto parent = by_id.find(spans_[i].parent_id);
            const bool is_root = parent == by_id.end() || parent->second == static_cast<int>(i);
            (is_root ? roots_ : children_[static_cast<std::size_t>(parent->second)]).push_back(static_cast<int>(i));
        }
    }

    // Nothing when there is no model call.
    std::optional<Script> make() {
        const bool any_call = std::ranges::any_of(spans_, [](const Span& span) { return span.category == Category::llm && span.finished; });
        if (!any_call || roots_.empty()) return std::nullopt;
        start_ = at(roots_.front()).start;
        for (const int root : roots_) start_ = std::min(start_, at(root).start);
        std::ignore = add_children(roots_, start_, {});
        return std::move(script_);
    }

    double start() const { return start_; }  // after make()

  private:
    // Steps to wait for, and the recorded time at which they were over.
    using Steps = std::vector<int>;

    // Steps after which all of `children` have ended; `before` are those that the first ones wait for, over at `start`.
    Steps add_children(const std::vector<int>& children, double start, const Steps& before) {
        std::vector<Steps> ends;
        Steps all;
        for (std::size_t i = 0; i < children.size(); ++i) {
            const Span& span = at(children[i]);
            Steps after;
            double ready = start;
            for (std::size_t j = 0; j < i; ++j) {
                const double end = at(children[j]).end;
                if (end > span.start) continue;
                ready = std::max(ready, end);
                after.insert(after.end(), ends[j].begin(), ends[j].end());
            }
            if (after.empty()) after = before;
            ends.push_back(add_span(children[i], after, span.start - ready));
            all.insert(all.end(), ends.back().begin(), ends.back().end());
        }
        return all;
    }

    Steps add_span(int index, const Steps& after, double gap) {
        const Span& span = at(index);
        if (span.category == Category::llm) return {add_call(span, after, gap)};
        if (!contains_call(index)) return {add_wait(span.name, after, gap, span.duration())};
        Steps inside = after;
        if (gap > 0) inside = {add_wait(span.name, after, gap, 0)};
        const auto& children = children_[static_cast<std::size_t>(index)];
        Steps ends = add_children(children, span.start, inside);
        double last = span.start;
        for (const int child : children) last = std::max(last, at(child).end);
        return {add_wait(span.name, ends, span.end - last, 0)};
    }

    int add_call(const Span& span, const Steps& after, double gap) {
        ScriptStep step = make_step(span.name, after, gap);
        const event::Payload& start = trace_.steps[span.start_step].payload;
        if (start.data) step.messages = read_messages(start.data->input);
        if (step.messages.empty()) {
            ++replay_.made_up;
            if (span.usage.prompt_tokens <= 0) ++replay_.unknown_length;
            step.made_up_tokens = span.usage.prompt_tokens > 0 ? span.usage.prompt_tokens : options_.unknown_prompt;
        }
        step.max_tokens =
            span.usage.completion_tokens > 0 ? span.usage.completion_tokens : static_cast<std::int64_t>(span.token_times.size());
        step.exact_tokens = step.max_tokens > 0;
        return add(std::move(step));
    }

    int add_wait(const std::string& name, const Steps& after, double gap, double duration) {
        ScriptStep step = make_step(name, after, gap);
        step.kind = ScriptStep::Kind::wait;
        step.duration = scaled(duration);
        return add(std::move(step));
    }

    ScriptStep make_step(const std::string& name, Steps after, double gap) const {
        ScriptStep step;
        step.name = name;
        std::ranges::sort(after);
        after.erase(std::ranges::unique(after).begin(), after.end());
        step.after = std::move(after);
        step.delay = scaled(gap);
        return step;
    }

    int add(ScriptStep step) {
        script_.steps.push_back(std::move(step));
        return static_cast<int>(script_.steps.size()) - 1;
    }

    // NAT records a prompt as text or as a list of {role, content} or {type, content}. Empty: nothing is recorded.
    static std::vector<Message> read_messages(const json::value& input) {
        std::vector<Message> out;
        if (const auto* list = input.if_array())
            for (const auto& entry : *list)
                if (const auto content = get_string(entry, "content")) out.push_back({read_role(entry), *content});
        if (!out.empty() || input.is_null()) return out;
        if (std::string text = to_text(input); !text.empty()) out.push_back({"user", std::move(text)});
        return out;
    }

    static std::string read_role(const json::value& message) {
        std::string role = get_string(message, "role").value_or(get_string(message, "type").value_or("user"));
        if (role == "system" || role == "assistant") return role;
        return role == "ai" ? "assistant" : "user";
    }

    bool contains_call(int index) const {
        return std::ranges::any_of(children_[static_cast<std::size_t>(index)],
                                   [this](int child) { return at(child).category == Category::llm || contains_call(child); });
    }

    Nanoseconds scaled(double seconds) const {
        const double longest = std::chrono::duration<double>(kMaxDuration).count();
        return from_seconds(std::clamp(seconds / options_.speed, 0.0, longest));
    }

    const Span& at(int index) const { return spans_[static_cast<std::size_t>(index)]; }

    const event::SessionTrace& trace_;
    const ReplayOptions& options_;
    Replay& replay_;
    std::vector<Span> spans_;
    double start_ = 0;
    std::vector<std::vector<int>> children_;  // in the order of their start
    std::vector<int> roots_;
    Script script_;
};

}  // namespace

void ReplayMaker::add(const event::SessionTrace& trace) {
    ScriptMaker maker(trace, options_, replay_);
    auto script = maker.make();
    if (!script) {
        ++replay_.without_call;
        return;
    }
    replay_.book.push_back(std::move(*script));
    starts_.push_back(maker.start());
}

Result<Replay> ReplayMaker::finish() {
    PLIMSOLL_CHECK(options_.speed > 0, fmt::format("speed {}", options_.speed));
    if (replay_.book.empty()) return fail(ErrorCode::not_found, "no recorded session has a model call");
    std::vector<std::size_t> order(starts_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [this](std::size_t i) { return starts_[i]; });
    const double first = starts_[order.front()];
    ScriptBook book;
    for (const std::size_t i : order) {
        book.push_back(std::move(replay_.book[i]));
        const double longest = std::chrono::duration<double>(kMaxDuration).count();
        replay_.starts.push_back(from_seconds(std::min(longest, (starts_[i] - first) / options_.speed)));
    }
    replay_.book = std::move(book);
    return std::move(replay_);
}

}  // namespace plimsoll::load
