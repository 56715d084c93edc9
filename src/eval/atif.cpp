#include "eval/atif.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "profile/python_text.h"

namespace plimsoll::eval {
namespace {

using event::Category;
using event::Phase;

constexpr const char* kCompleted = "completed";

json::value or_null(std::int64_t count) { return count > 0 ? json::value(count) : json::value(nullptr); }

json::value data_of(const event::Step& step, json::value event::StepData::* part) {
    return step.payload.data ? (*step.payload.data).*part : json::value(nullptr);
}

// "builtins.int:1", "builtins.str:'a'": what Python says of an id.
std::string session_id(const json::value& id) {
    const char* type = id.is_string() ? "str" : id.is_bool() ? "bool" : id.is_int64() ? "int" : id.is_double() ? "float" : "object";
    const std::string in_list = profile::to_python_text(json::array{id});
    return fmt::format("builtins.{}:{}", type, in_list.substr(1, in_list.size() - 2));
}

json::object ancestry_of(const event::Step& step) {
    const event::InvocationNode& node = step.function_ancestry;
    json::object out = {{"function_id", node.function_id}, {"function_name", node.function_name}};
    if (node.parent_id) out["parent_id"] = *node.parent_id;
    if (node.parent_name) out["parent_name"] = *node.parent_name;
    return out;
}

// `id` is of a tool call; the agent's own have none.
json::object invocation_of(const event::Step& step, const std::string& id = "") {
    json::object out;
    if (step.payload.span_event_timestamp) {
        out["start_timestamp"] = *step.payload.span_event_timestamp;
        out["end_timestamp"] = step.payload.event_timestamp;
    }
    if (!id.empty()) out["invocation_id"] = id;
    out["status"] = kCompleted;
    if (step.payload.framework) out["framework"] = *step.payload.framework;
    return out;
}

json::value metrics_of(const event::Step& step) {
    const event::TokenUsage tokens = step.payload.usage_info ? step.payload.usage_info->token_usage : event::TokenUsage{};
    if (tokens.prompt_tokens == 0 && tokens.completion_tokens == 0 && tokens.total_tokens == 0) return nullptr;
    return {{"prompt_tokens", or_null(tokens.prompt_tokens)},
            {"completion_tokens", or_null(tokens.completion_tokens)},
            {"cached_tokens", or_null(tokens.cached_tokens)},
            {"cost_usd", nullptr},
            {"prompt_token_ids", nullptr},
            {"completion_token_ids", nullptr},
            {"logprobs", nullptr},
            {"extra", tokens.reasoning_tokens > 0 ? json::value({{"reasoning_tokens", tokens.reasoning_tokens}}) : json::value(nullptr)}};
}

class Trajectory {
  public:
    explicit Trajectory(std::span<const event::Step> steps) {
        std::vector<const event::Step*> ordered;
        for (const event::Step& step : steps) ordered.push_back(&step);
        std::ranges::stable_sort(ordered, {}, [](const event::Step* step) { return step->payload.event_timestamp; });
        for (const event::Step* step : ordered) add(*step);
    }

    json::object take(const json::value& id) {
        json::object final_metrics = {{"total_prompt_tokens", or_null(tokens_.prompt_tokens)},
                                      {"total_completion_tokens", or_null(tokens_.completion_tokens)},
                                      {"total_cached_tokens", or_null(tokens_.cached_tokens)},
                                      {"total_cost_usd", nullptr},
                                      {"total_steps", agent_steps_},
                                      {"extra", nullptr}};
        json::object agent = {
            {"name", "nat-agent"}, {"version", "0.0.0"}, {"model_name", model_}, {"tool_definitions", nullptr}, {"extra", nullptr}};
        return {{"schema_version", "ATIF-v1.7"},
                {"session_id", session_id(id)},
                {"trajectory_id", nullptr},
                {"agent", std::move(agent)},
                {"steps", std::move(steps_)},
                {"notes", nullptr},
                {"final_metrics", std::move(final_metrics)},
                {"continued_trajectory_ref", nullptr},
                {"extra", nullptr},
                {"subagent_trajectories", nullptr}};
    }

  private:
    void add(const event::Step& step) {
        const event::EventType type = step.payload.event_type;
        const bool is_tool = type == event::EventType{Category::tool, Phase::end} ||
                             (type == event::EventType{Category::function, Phase::end} && step.payload.name != "<workflow>");
        if (type == event::EventType{Category::workflow, Phase::start}) {
            append(step, "user", data_of(step, &event::StepData::input));
        } else if (type == event::EventType{Category::llm, Phase::end}) {
            add_answer(step);
        } else if (is_tool) {
            add_tool(step);
        } else if (type == event::EventType{Category::workflow, Phase::end}) {
            const json::value output = data_of(step, &event::StepData::output);
            const bool adds = to_text(output) != last_message_ || step.payload.event_timestamp > last_time_;
            if (!output.is_null() && adds) append(step, "agent", output);
        }
    }

    json::object& append(const event::Step& step, const char* source, const json::value& message) {
        const bool is_agent = std::string_view(source) == "agent";
        agent_steps_ += is_agent ? 1 : 0;
        last_time_ = step.payload.event_timestamp;
        const std::string text = message.is_null() ? "" : to_text(message);
        if (is_agent) last_message_ = text;
        steps_.push_back({{"step_id", steps_.size() + 1},
                          {"timestamp", to_iso8601(step.payload.event_timestamp)},
                          {"source", source},
                          {"model_name", nullptr},
                          {"reasoning_effort", nullptr},
                          {"message", text},
                          {"reasoning_content", nullptr},
                          {"tool_calls", nullptr},
                          {"observation", nullptr},
                          {"metrics", nullptr},
                          {"is_copied_context", nullptr},
                          {"extra", {{"ancestry", ancestry_of(step)}, {"invocation", invocation_of(step)}}},
                          {"llm_call_count", nullptr}});
        return steps_.back().as_object();
    }

    void add_answer(const event::Step& step) {
        json::object& answer = append(step, "agent", data_of(step, &event::StepData::output));
        if (step.payload.name) answer["model_name"] = *step.payload.name;
        if (model_.is_null() && step.payload.name) model_ = *step.payload.name;
        answer["metrics"] = metrics_of(step);
        if (step.payload.usage_info) tokens_ += step.payload.usage_info->token_usage;
        answer["extra"].as_object()["tool_ancestry"] = json::array();
        has_pending_ = true;
    }

    // Joins the model call before it, or stands alone when there is none.
    void add_tool(const event::Step& step) {
        if (!has_pending_) append(step, "agent", nullptr);
        json::object& owner = steps_.back().as_object();
        const std::string id = "call_" + step.payload.uuid;
        json::value input = data_of(step, &event::StepData::input);
        if (!input.is_object()) input = {{"input", input.is_null() ? "" : to_text(input)}};
        const json::value output = data_of(step, &event::StepData::output);
        if (owner["tool_calls"].is_null()) {
            owner["tool_calls"] = json::array();
            owner["observation"] = {{"results", json::array()}};
        }
        owner["tool_calls"].as_array().push_back(
            {{"tool_call_id", id}, {"function_name", step.payload.name.value_or("")}, {"arguments", input}, {"extra", nullptr}});
        owner["observation"].at("results").as_array().push_back(
            {{"source_call_id", id}, {"content", output.is_null() ? "" : to_text(output)}});
        json::object& extra = owner["extra"].as_object();
        if (!extra.contains("tool_invocations")) extra["tool_invocations"] = json::array();
        if (!extra.contains("tool_ancestry")) extra["tool_ancestry"] = json::array();
        extra["tool_invocations"].as_array().push_back(invocation_of(step, id));
        extra["tool_ancestry"].as_array().push_back(ancestry_of(step));
    }

    json::array steps_;
    event::TokenUsage tokens_;
    json::value model_;
    std::int64_t agent_steps_ = 0;
    bool has_pending_ = false;  // the last step is a model call or waits for more tools
    std::string last_message_;
    double last_time_ = 0;
};

}  // namespace

json::value make_atif_output(std::span<const ItemResult> items) {
    json::array out;
    for (const ItemResult& item : items)
        out.push_back({{"item_id", item.item.id},
                       {"trajectory", Trajectory(item.steps).take(item.item.id)},
                       {"expected_output_obj", item.item.answer},
                       {"output_obj", item.output},
                       {"metadata", json::object()}});
    return out;
}

}  // namespace plimsoll::eval
