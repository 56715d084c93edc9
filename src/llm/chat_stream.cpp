#include "llm/chat_stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace plimsoll::llm {
namespace {

std::int64_t count_of(const json::value& usage, std::string_view key) { return std::max<std::int64_t>(0, get_int(usage, key).value_or(0)); }

bool has_value(const json::value* value) { return value && !value->is_null(); }

}  // namespace

std::int64_t estimate_tokens(std::size_t characters) { return static_cast<std::int64_t>((characters + 3) / 4); }

ChatStream::ChatStream(OnDelta on_delta, OnPiece on_piece)
    : on_delta_(std::move(on_delta)),
      splitter_(std::move(on_piece)),
      parser_([this](std::string_view field, std::string_view value) { take_line(field, value); }) {}

Result<void> ChatStream::feed(std::string_view bytes) {
    if (error_) return fail(*error_);
    if (!saw_event_ && beginning_.size() <= kMaxQuotedBytes) beginning_ += bytes.substr(0, kMaxQuotedBytes + 1 - beginning_.size());
    if (const auto fed = parser_.feed(bytes); !fed && !error_) error_ = fed.error();
    if (error_) return fail(*error_);
    return {};
}

Result<ChatResult> ChatStream::finish() {
    if (!error_) parser_.finish();
    if (error_) return fail(*error_);
    if (!saw_event_) return fail(ErrorCode::bad_response, "the answer is no event stream: " + quote_text(beginning_));
    if (!complete()) return fail(ErrorCode::bad_response, fmt::format("the stream was cut after {} pieces", deltas_));
    return assemble();
}

Result<ChatResult> ChatStream::parse_whole(std::string_view body, OnPiece on_piece) {
    const auto value = parse_json(body);
    if (!value || !value->is_object()) return fail(ErrorCode::bad_response, "the answer is no JSON object: " + quote_text(body));
    ChatStream answer({}, std::move(on_piece));
    PLIMSOLL_TRY(answer.take_event(*value));
    auto result = answer.assemble();
    if (result && result->usage_estimated) {
        result->usage.completion_tokens = estimate_tokens(result->content.size() + result->reasoning.size());
    }
    return result;
}

void ChatStream::take_line(std::string_view field, std::string_view value) {
    if (error_ || done_) return;
    // Some servers report a failure as a bare JSON line or under a field of its own instead of as data.
    const bool failure = field == "error";
    if (field != "data" && field != "{" && !failure) return;
    saw_event_ = true;
    if (value == "[DONE]") {
        done_ = true;
        return;
    }
    const auto event = parse_json(value);
    if (!event) {
        error_ = Error{ErrorCode::bad_response, "malformed line in the stream: " + quote_text(value)};
        return;
    }
    if (failure && !find(*event, "error")) {
        error_ = embedded_error(*event);
    } else if (const auto taken = take_event(*event); !taken) {
        error_ = taken.error();
    }
}

Result<void> ChatStream::take_event(const json::value& event) {
    if (!event.is_object()) return fail(ErrorCode::bad_response, "no JSON object: " + quote_text(to_compact_json(event)));
    if (const auto* error = find(event, "error"); has_value(error)) return fail(embedded_error(*error));
    if (result_.model.empty()) result_.model = get_string(event, "model").value_or("");
    if (const auto* usage = find(event, "usage"); has_value(usage)) take_usage(*usage);
    const auto* choices = find(event, "choices");
    const auto* list = choices ? choices->if_array() : nullptr;
    if (!list) return {};
    for (const auto& choice : *list) {
        if (get_int(choice, "index").value_or(0) != 0) continue;
        const auto* message = find(choice, "delta");
        if (!message) message = find(choice, "message");
        if (has_value(message)) {
            saw_choice_ = true;
            PLIMSOLL_TRY(take_message(*message));
        }
        if (const auto reason = get_string(choice, "finish_reason"); reason && !reason->empty()) {
            saw_choice_ = true;
            result_.finish_reason = *reason;
        }
    }
    return {};
}

Result<void> ChatStream::take_message(const json::value& message) {
    // Servers name it one way or the other; those that send both send the same text twice.
    auto reasoning = get_string(message, "reasoning_content");
    if (!reasoning || reasoning->empty()) reasoning = get_string(message, "reasoning");
    if (reasoning && !reasoning->empty()) {
        ++deltas_;
        if (on_delta_) on_delta_(*reasoning);
        splitter_.feed_reasoning(*reasoning);
    }
    const auto* content = find(message, "content");
    if (!has_value(content)) return {};
    const auto* text = content->if_string();
    if (!text) return fail(ErrorCode::bad_response, "the content is no text: " + quote_text(to_compact_json(*content)));
    if (text->empty()) return {};
    ++deltas_;
    if (on_delta_) on_delta_(*text);
    splitter_.feed(*text);
    return {};
}

void ChatStream::take_usage(const json::value& usage) {
    auto& tokens = result_.usage;
    tokens.prompt_tokens = count_of(usage, "prompt_tokens");
    tokens.completion_tokens = count_of(usage, "completion_tokens");
    if (const auto* details = find(usage, "prompt_tokens_details")) tokens.cached_tokens = count_of(*details, "cached_tokens");
    if (const auto* details = find(usage, "completion_tokens_details")) tokens.reasoning_tokens = count_of(*details, "reasoning_tokens");
    tokens.total_tokens = count_of(usage, "total_tokens");
    if (tokens.total_tokens == 0) tokens.total_tokens = tokens.prompt_tokens + tokens.completion_tokens;
    saw_usage_ = true;
}

Result<ChatResult> ChatStream::assemble() {
    if (!saw_choice_) return fail(ErrorCode::bad_response, "the answer has no choices");
    splitter_.finish();
    result_.content = splitter_.answer();
    result_.reasoning = splitter_.reasoning();
    if (!saw_usage_) {
        result_.usage_estimated = true;
        result_.usage.completion_tokens = deltas_;
    }
    return result_;
}

}  // namespace plimsoll::llm
