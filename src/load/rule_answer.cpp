#include <fmt/format.h>

#include <charconv>
#include <deque>

#include "base/json.h"
#include "load/answer.h"
#include "net/sse.h"

namespace plimsoll::load {
namespace {

// "a.0.b" inside a JSON value; null when there is no such place. Texts on the way that are JSON themselves are read into `inner`.
const json::value* at_path(const json::value& root, std::string_view path, std::deque<json::value>& inner) {
    const json::value* value = &root;
    while (!path.empty() && value) {
        if (const auto* text = value->if_string()) {
            auto parsed = parse_json(std::string_view(text->data(), text->size()));
            if (!parsed) return nullptr;
            value = &inner.emplace_back(std::move(*parsed));
        }
        const std::string_view key = path.substr(0, path.find('.'));
        path.remove_prefix(std::min(path.size(), key.size() + 1));
        if (const auto* list = value->if_array()) {
            std::size_t index = 0;
            const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
            value = error == std::errc() && end == key.data() + key.size() && index < list->size() ? &(*list)[index] : nullptr;
        } else {
            value = find(*value, key);
        }
    }
    return value;
}

bool says_something(const json::value& value) {
    if (value.is_null()) return false;
    if (const auto* text = value.if_string()) return !text->empty();
    if (const auto* list = value.if_array()) return !list->empty();
    if (const auto* object = value.if_object()) return !object->empty();
    if (const auto* flag = value.if_bool()) return *flag;
    return true;
}

class RuleReader : public AnswerReader {
  public:
    RuleReader(const AnswerRules& rules, Answer& answer, Captured* captured)
        : rules_(rules),
          answer_(answer),
          captured_(captured),
          parser_([this](std::string_view field, std::string_view value) { take_line(field, value); }) {}

    bool feed(std::string_view bytes, Clock::time_point now) override {
        now_ = now;
        bytes_ += bytes.size();
        if (bytes_ > kMaxAnswerBytes) {
            answer_.fail_with(ErrorCode::limit, fmt::format("the answer exceeds {} bytes", kMaxAnswerBytes));
            return false;
        }
        if (!rules_.sse) {
            data_ += bytes;
            has_data_ = true;
        } else if (const auto fed = parser_.feed(bytes); !fed) {
            answer_.fail_with(fed.error().code, fed.error().message);
            return false;
        }
        return true;
    }

    void finish() override {
        parser_.finish();
        end_event();
        if (answer_.error) return;
        if (!rules_.end.empty() && !ended_) return answer_.fail_with(ErrorCode::bad_response, "the stream was cut short");
        if (!rules_.token.empty() && !has_token_) return answer_.fail_with(ErrorCode::bad_response, "the answer ended without a result");
        for (const CaptureRule& rule : rules_.captures)
            if (captured_ && !captured_->contains(rule.name))
                return answer_.fail_with(ErrorCode::bad_response, fmt::format("the answer has no {}", rule.name));
    }

  private:
    void take_line(std::string_view field, std::string_view value) {
        if (field.empty()) return end_event();
        if (field == "event") {
            event_ = value;
        } else if (field == "data") {
            if (has_data_) data_ += '\n';
            data_ += value;
            has_data_ = true;
        } else {
            take("", field, value);
        }
    }

    void end_event() {
        if (has_data_) take(event_, "data", data_);
        event_.clear();
        data_.clear();
        has_data_ = false;
    }

    void take(std::string_view event, std::string_view field, std::string_view text) {
        std::string found;
        std::deque<json::value> inner;
        const json::value* place = nullptr;  // of what was found; null when it is the text itself
        const auto json_value = parse_json(text);
        const json::value* value = json_value ? &*json_value : nullptr;
        const auto matches = [&](const EventRule& rule) {
            if (rule.field != field || (!rule.event.empty() && rule.event != event)) return false;
            place = nullptr;
            if (rule.path.empty()) {
                found = text;
            } else {
                place = value ? at_path(*value, rule.path, inner) : nullptr;
                if (!place || !says_something(*place)) return false;
                found = to_text(*place);
            }
            return rule.equals.empty() ? !found.empty() : found == rule.equals;
        };
        for (const EventRule& rule : rules_.error)
            if (matches(rule)) return answer_.fail_with(ErrorCode::bad_response, found.substr(0, kMaxErrorText));
        for (const EventRule& rule : rules_.token) {
            if (!matches(rule)) continue;
            answer_.add_piece(found, now_);
            has_token_ = true;
            break;
        }
        if (captured_)
            for (const CaptureRule& rule : rules_.captures)
                if (rule.header.empty() && matches(rule.where)) (*captured_)[rule.name] = place ? *place : json::value(found);
        for (const EventRule& rule : rules_.end)
            if (matches(rule)) ended_ = true;
    }

    static constexpr std::size_t kMaxErrorText = 300;

    const AnswerRules& rules_;
    Answer& answer_;
    Captured* captured_;
    net::SseParser parser_;
    std::string event_, data_;
    bool has_data_ = false;
    bool ended_ = false;
    bool has_token_ = false;
    std::size_t bytes_ = 0;
    Clock::time_point now_;
};

}  // namespace

std::unique_ptr<AnswerReader> make_rule_reader(const AnswerRules& rules, Answer& answer, Captured* captured) {
    return std::make_unique<RuleReader>(rules, answer, captured);
}

const AnswerRules& nat_rules() {
    static const AnswerRules rules = {.token = {{.path = "value"}},
                                      .end = {},
                                      .error = {{.field = "{", .path = "message"}, {.path = "message"}, {.path = "error.message"}},
                                      .captures = {}};
    return rules;
}

}  // namespace plimsoll::load
