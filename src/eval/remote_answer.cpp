#include "eval/remote_answer.h"

#include <fmt/format.h>

#include <utility>

namespace plimsoll::eval {

RemoteAnswer::RemoteAnswer(OnStep on_step)
    : on_step_(std::move(on_step)), parser_([this](std::string_view field, std::string_view value) { take_line(field, value); }) {}

void RemoteAnswer::take_line(std::string_view field, std::string_view value) {
    bool good = true;
    if (field == "data") {
        good = value == "[DONE]" || take_value(value);
    } else if (field == "intermediate_data") {
        good = take_step(value);
    } else if (field == "{") {
        const auto error = parse_json(value);
        good = error && take_error(*error);
    }
    if (!good) ++skipped_;
}

bool RemoteAnswer::take_value(std::string_view text) {
    const auto record = parse_json(text);
    if (!record || !record->is_object()) return false;
    const auto* value = find(*record, "value");
    if (!value) return take_error(*record);
    if (!value->is_null()) values_.push_back(*value);
    return true;
}

bool RemoteAnswer::take_error(const json::value& value) {
    const auto message = get_string(value, "message");
    if (!message) return false;
    const std::string details = get_string(value, "details").value_or("");
    error_ = Error{ErrorCode::internal, details.empty() ? *message : fmt::format("{} ({})", *message, details)};
    return true;
}

bool RemoteAnswer::take_step(std::string_view text) {
    const auto record = parse_json(text);
    const auto payload_text = record ? get_string(*record, "payload") : std::nullopt;
    const auto payload_json = payload_text ? parse_json(*payload_text) : fail(ErrorCode::parse, "");
    auto payload = payload_json ? event::parse_payload(*payload_json) : fail(ErrorCode::parse, "");
    if (!payload) return false;
    event::Step step;
    step.payload = std::move(*payload);
    step.parent_id = get_string(*record, "parent_id").value_or("root");
    step.function_ancestry = function_of(step);
    on_step_(std::move(step));
    return true;
}

event::InvocationNode RemoteAnswer::function_of(const event::Step& step) {
    const event::Payload& payload = step.payload;
    if (payload.event_type.phase != event::Phase::start)
        if (const auto own = functions_.find(payload.uuid); own != functions_.end()) return own->second;
    event::InvocationNode node;
    if (const auto parent = functions_.find(step.parent_id); parent != functions_.end()) node = parent->second;
    if (payload.event_type == event::EventType{event::Category::function, event::Phase::start} && !payload.framework)
        node = {payload.uuid, payload.name.value_or("unknown"), node.function_id, node.function_name};
    if (payload.event_type.phase == event::Phase::start) functions_[payload.uuid] = node;
    return node;
}

SessionOutcome RemoteAnswer::finish() {
    parser_.finish();
    if (error_) return {{}, std::move(error_)};
    if (values_.empty()) return {{}, Error{ErrorCode::bad_response, "the answer ended without a result"}};
    if (values_.size() == 1) return {std::move(values_.front()), {}};
    std::string text;
    for (const auto& value : values_) text += to_text(value);
    return {json::value(text), {}};
}

}  // namespace plimsoll::eval
