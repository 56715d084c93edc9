#include "record/atif.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <utility>

namespace plimsoll::record {
namespace {

using event::Category;
using event::Phase;

// Reads "2026-11-22T22:58:49.061702+00:00".
class IsoTime {
  public:
    explicit IsoTime(std::string_view text) : rest_(text) {}

    // Seconds since the epoch; nothing for a text of another shape.
    std::optional<double> read() {
        const auto year = number("", 4), month = number("-", 2), day = number("-", 2), hour = number("T", 2), minute = number(":", 2),
                   second = number(":", 2);
        if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
        const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                               std::chrono::day(static_cast<unsigned>(*day))};
        const double part = fraction();
        const auto ahead = offset_minutes();
        if (!date.ok() || !ahead) return std::nullopt;
        const std::chrono::sys_seconds time = std::chrono::sys_days(date) + std::chrono::hours(*hour) +
                                              std::chrono::minutes(*minute - *ahead) + std::chrono::seconds(*second);
        return static_cast<double>(time.time_since_epoch().count()) + part;
    }

  private:
    std::optional<int> number(std::string_view before, std::size_t digits) {
        if (!rest_.starts_with(before) || rest_.size() < before.size() + digits) return std::nullopt;
        const std::string_view text = rest_.substr(before.size(), digits);
        if (text.find_first_not_of(kDigits) != text.npos) return std::nullopt;
        rest_.remove_prefix(before.size() + digits);
        return std::stoi(std::string(text));
    }

    double fraction() {
        if (!rest_.starts_with('.')) return 0;
        const std::string_view digits = rest_.substr(0, rest_.find_first_not_of(kDigits, 1));
        double value = 0;
        std::from_chars(digits.begin(), digits.end(), value);
        rest_.remove_prefix(digits.size());
        return value;
    }

    std::optional<int> offset_minutes() {
        if (rest_ == "Z") return 0;
        const int sign = rest_.starts_with('-') ? -1 : 1;
        const auto hours = number(sign < 0 ? "-" : "+", 2), minutes = number(":", 2);
        if (!hours || !minutes || !rest_.empty()) return std::nullopt;
        return sign * (*hours * 60 + *minutes);
    }

    static constexpr std::string_view kDigits = "0123456789";
    std::string_view rest_;
};

const json::value& trajectory_of(const json::value& value) {
    const auto* inner = find(value, "trajectory");
    return inner ? *inner : value;
}

const json::value* find_path(const json::value& value, std::string_view outer, std::string_view inner) {
    const auto* member = find(value, outer);
    return member ? find(*member, inner) : nullptr;
}

// An element of a list that runs beside the tool calls; null without one.
json::value element_of(const json::value& step, std::string_view list, std::size_t at) {
    const auto* values = find_path(step, "extra", list);
    return values && values->is_array() && at < values->get_array().size() ? values->get_array()[at] : json::value();
}

std::optional<double> in_range(std::optional<double> time) { return time && std::abs(*time) <= event::kMaxTime ? time : std::nullopt; }

std::optional<double> iso_time(const json::value& of, std::string_view key) {
    const auto text = get_string(of, key);
    return text ? in_range(IsoTime(*text).read()) : std::nullopt;
}

std::optional<double> epoch_time(const json::value& of, std::string_view key) { return in_range(get_number(of, key)); }

event::InvocationNode ancestry_of(const json::value& ancestry) {
    event::InvocationNode node;
    node.function_id = get_string(ancestry, "function_id").value_or(node.function_id);
    node.function_name = get_string(ancestry, "function_name").value_or(node.function_name);
    node.parent_id = get_string(ancestry, "parent_id");
    node.parent_name = get_string(ancestry, "parent_name");
    return node;
}

event::UsageInfo usage_of(const json::value& metrics) {
    const auto count = [](const json::value& of, std::string_view key) {
        const std::int64_t number = get_int(of, key).value_or(0);
        return number >= 0 && number <= event::kMaxCount ? number : 0;
    };
    event::UsageInfo usage{.num_llm_calls = 1};
    event::TokenUsage& tokens = usage.token_usage;
    tokens.prompt_tokens = count(metrics, "prompt_tokens");
    tokens.completion_tokens = count(metrics, "completion_tokens");
    tokens.cached_tokens = count(metrics, "cached_tokens");
    if (const auto* extra = find(metrics, "extra")) tokens.reasoning_tokens = count(*extra, "reasoning_tokens");
    tokens.total_tokens = tokens.prompt_tokens + tokens.completion_tokens;
    return usage;
}

class Reader {
  public:
    Reader(std::int64_t number, event::SkipReport& skipped) : skipped_(skipped) { trace_.request_number = number; }

    void take(const json::value& step, bool is_last) {
        time_ = iso_time(step, "timestamp");
        place_ = fmt::format("session {} step {}", trace_.request_number, get_int(step, "step_id").value_or(0));
        const std::string source = get_string(step, "source").value_or("");
        const bool calls_a_model = get_string(step, "model_name").has_value() || find_object(step, "metrics");
        if (source == "user")
            take_user(step);
        else if (source == "agent" && calls_a_model)
            take_model_call(step);
        if (source == "agent") take_tool_calls(step);
        if (source == "agent" && !calls_a_model && is_last) take_answer(step);
    }

    event::SessionTrace finish() {
        std::ranges::stable_sort(trace_.steps, {}, [](const event::Step& step) { return step.payload.event_timestamp; });
        return std::move(trace_);
    }

  private:
    struct Call {
        Category category = Category::llm;
        std::string uuid, name;
        event::InvocationNode function;
        std::optional<double> start;
        double end = 0;
    };

    static const json::value* find_object(const json::value& step, std::string_view key) {
        const auto* member = find(step, key);
        return member && member->is_object() ? member : nullptr;
    }

    event::Step& add(const Call& call, Phase phase, double time, json::value input, json::value output) {
        event::Step& step = trace_.steps.emplace_back();
        step.parent_id = call.category == Category::workflow ? "root" : kWorkflow;
        step.function_ancestry = call.function;
        step.payload.event_type = {call.category, phase};
        step.payload.event_timestamp = time;
        if (phase == Phase::end) step.payload.span_event_timestamp = call.start;
        step.payload.name = call.name;
        step.payload.uuid = call.uuid;
        step.payload.data = event::StepData{.input = std::move(input), .output = std::move(output)};
        return step;
    }

    void take_user(const json::value& step) {
        if (std::exchange(asked_, true) || !time_) return;
        const auto* message = find(step, "message");
        add({.category = Category::workflow, .uuid = kWorkflow, .name = "workflow"}, Phase::start, *time_, message ? *message : nullptr,
            nullptr);
    }

    void take_model_call(const json::value& step) {
        const auto* invocation = find_path(step, "extra", "invocation");
        const auto* extra = find(step, "extra");
        Call call{.uuid = place_, .name = get_string(step, "model_name").value_or("")};
        if (const auto* ancestry = find_path(step, "extra", "ancestry")) call.function = ancestry_of(*ancestry);
        call.start = invocation ? epoch_time(*invocation, "start_timestamp") : std::nullopt;
        if (!call.start && extra) call.start = iso_time(*extra, "span_event_timestamp");
        const auto end = invocation ? epoch_time(*invocation, "end_timestamp") : std::nullopt;
        if (!end && !time_) return skipped_.add("model call without a time", place_);
        call.end = end.value_or(time_.value_or(0));
        if (call.start) add(call, Phase::start, *call.start, nullptr, nullptr);
        const auto* message = find(step, "message");
        event::Step& ended = add(call, Phase::end, call.end, nullptr, message ? *message : nullptr);
        if (const auto* metrics = find_object(step, "metrics")) ended.payload.usage_info = usage_of(*metrics);
    }

    void take_tool_calls(const json::value& step) {
        const auto* list = find(step, "tool_calls");
        if (!list || !list->is_array()) return;
        for (std::size_t i = 0; i < list->get_array().size(); ++i) {
            const json::value& tool = list->get_array()[i];
            const json::value invocation = element_of(step, "tool_invocations", i);
            const auto start = epoch_time(invocation, "start_timestamp"), end = epoch_time(invocation, "end_timestamp");
            if (!start || !end) {
                skipped_.add("tool call without times", place_);
                continue;
            }
            const Call call{.category = Category::tool,
                            .uuid = get_string(tool, "tool_call_id").value_or(fmt::format("{} tool {}", place_, i)),
                            .name = get_string(tool, "function_name").value_or(""),
                            .function = ancestry_of(element_of(step, "tool_ancestry", i)),
                            .start = start,
                            .end = *end};
            const auto* arguments = find(tool, "arguments");
            add(call, Phase::start, *start, arguments ? *arguments : nullptr, nullptr);
            add(call, Phase::end, *end, nullptr, observation_of(step, call.uuid));
        }
    }

    static json::value observation_of(const json::value& step, const std::string& id) {
        const auto* results = find_path(step, "observation", "results");
        if (!results || !results->is_array()) return nullptr;
        for (const json::value& result : results->get_array())
            if (get_string(result, "source_call_id") == id)
                if (const auto* content = find(result, "content")) return *content;
        return nullptr;
    }

    void take_answer(const json::value& step) {
        if (!time_) return;
        const auto* message = find(step, "message");
        add({.category = Category::workflow, .uuid = kWorkflow, .name = "workflow"}, Phase::end, *time_, nullptr,
            message ? *message : nullptr);
    }

    static constexpr const char* kWorkflow = "workflow";

    event::SkipReport& skipped_;
    event::SessionTrace trace_;
    std::optional<double> time_;  // of the step at hand
    std::string place_;
    bool asked_ = false;
};

}  // namespace

bool is_atif(const json::value& value) { return get_string(trajectory_of(value), "schema_version").value_or("").starts_with("ATIF"); }

std::optional<event::SessionTrace> read_atif(const json::value& value, std::int64_t number, event::SkipReport& skipped) {
    const auto* steps = find(trajectory_of(value), "steps");
    if (!steps || !steps->is_array()) {
        skipped.add("a trajectory without steps", fmt::format("session {}", number));
        return std::nullopt;
    }
    Reader reader(number, skipped);
    for (const json::value& step : steps->get_array()) reader.take(step, &step == &steps->get_array().back());
    return reader.finish();
}

}  // namespace plimsoll::record
