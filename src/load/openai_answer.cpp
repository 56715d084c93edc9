#include <fmt/format.h>

#include <array>

#include "base/json.h"
#include "load/answer.h"
#include "load/chunk_shape.h"
#include "net/sse.h"

namespace plimsoll::load {
namespace {

constexpr std::size_t kParseBytes = 4 << 10;  // of a chunk's JSON tree, on the stack; larger ones go to the heap

std::string_view text_of(const json::value* value) {
    if (!value || !value->is_string()) return {};
    const auto& text = value->get_string();
    return {text.data(), text.size()};
}

class OpenAiReader : public AnswerReader {
  public:
    OpenAiReader(bool stream, Answer& answer)
        : stream_(stream), answer_(answer), parser_([this](std::string_view field, std::string_view value) { take_line(field, value); }) {}

    bool feed(std::string_view bytes, Clock::time_point now) override {
        now_ = now;
        bytes_ += bytes.size();
        if (bytes_ > kMaxAnswerBytes) {
            answer_.fail_with(ErrorCode::limit, fmt::format("the answer exceeds {} bytes", kMaxAnswerBytes));
            return false;
        }
        if (!stream_) {
            body_ += bytes;
        } else if (const auto fed = parser_.feed(bytes); !fed) {
            answer_.fail_with(fed.error().code, fed.error().message);
        }
        return !answer_.error;
    }

    void finish() override {
        if (!stream_) {
            take_json(body_);
            if (!answer_.error && !saw_choice_) answer_.fail_with(ErrorCode::bad_response, "the answer has no choices");
            return;
        }
        parser_.finish();
        if (!done_) answer_.fail_with(ErrorCode::bad_response, saw_choice_ ? "the stream was cut short" : "the answer is no event stream");
    }

  private:
    void take_line(std::string_view field, std::string_view value) {
        if (field == "{") {
            take_json(value);
        } else if (field == "data") {
            if (value == "[DONE]")
                done_ = true;
            else
                take_chunk(value);
        }
    }

    void take_chunk(std::string_view chunk) {
        if (const auto text = shape_.text_of(chunk)) return take_piece(*text);
        piece_key_ = {};
        says_more_ = false;
        take_json(chunk);
        if (!done_ && !says_more_ && !piece_key_.empty() && !answer_.error) shape_.learn(chunk, piece_key_, piece_);
    }

    void take_json(std::string_view text) {
        std::array<unsigned char, kParseBytes> memory;
        json::monotonic_resource resource(memory.data(), memory.size());
        boost::system::error_code error;
        const json::value value = json::parse({text.data(), text.size()}, error, &resource);
        if (error) return answer_.fail_with(ErrorCode::bad_response, "the answer is not JSON");
        const auto* object = value.if_object();
        if (!object) return answer_.fail_with(ErrorCode::bad_response, "the answer is no JSON object");
        if (const auto* said = object->if_contains("error"); said && !said->is_null()) {
            const auto message = find(*said, "message");
            return answer_.fail_with(ErrorCode::bad_response, message ? to_text(*message) : to_text(*said));
        }
        if (const auto* choices = object->if_contains("choices"); choices && choices->is_array() && !choices->get_array().empty())
            take_choice(choices->get_array().front());
        if (const auto* usage = object->if_contains("usage"); usage && usage->is_object()) {
            says_more_ = true;
            answer_.prompt_tokens = get_int(*usage, "prompt_tokens").value_or(answer_.prompt_tokens);
            answer_.completion_tokens = get_int(*usage, "completion_tokens").value_or(answer_.completion_tokens);
        }
    }

    void take_choice(const json::value& choice) {
        saw_choice_ = true;
        if (!text_of(find(choice, "finish_reason")).empty()) done_ = true;
        if (!stream_) {
            const auto* message = find(choice, "message");
            if (answer_.keep_text) answer_.text = text_of(message ? find(*message, "content") : find(choice, "text"));
            return;
        }
        const auto* delta = find(choice, "delta");
        if (!delta) return take_member(choice, "text");
        take_member(*delta, "content");
        take_member(*delta, "reasoning_content");
    }

    void take_member(const json::value& object, std::string_view key) {
        const std::string_view text = text_of(find(object, key));
        if (text.empty()) return;
        says_more_ = says_more_ || !piece_key_.empty();
        piece_key_ = key;
        piece_ = text;
        take_piece(text);
    }

    void take_piece(std::string_view piece) {
        if (!piece.empty()) answer_.add_piece(piece, now_);
    }

    bool stream_;
    Answer& answer_;
    net::SseParser parser_;
    ChunkShape shape_;
    std::string_view piece_key_;  // of the chunk being read: the member its text came from
    std::string piece_;           // and the text
    bool says_more_ = false;      // it has more than that text
    std::string body_;
    std::size_t bytes_ = 0;
    Clock::time_point now_;
    bool done_ = false;
    bool saw_choice_ = false;
};

}  // namespace

std::unique_ptr<AnswerReader> make_openai_reader(bool stream, Answer& answer) { return std::make_unique<OpenAiReader>(stream, answer); }

}  // namespace plimsoll::load
