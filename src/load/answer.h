// The answer to one call, read as it arrives: when the first token came, when each piece, how many, and whether it went well.
//
//   Answer answer; answer.start = Clock::now();
//   auto reader = make_openai_reader(true, answer);
//   reader->feed(bytes, Clock::now()); …; reader->finish();
//
// A reader never fails: what is wrong is in Answer::error. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "event/step.h"
#include "load/record.h"

namespace plimsoll::load {

// Beyond it an answer is cut off and fails with `limit`.
inline constexpr std::size_t kMaxAnswerBytes = 256u << 20;

struct Answer {
    Clock::time_point start;   // set by the caller, just before it sends
    bool keep_tokens = false;  // token_us is wanted
    bool keep_text = false;    // text is wanted

    std::optional<Clock::time_point> first;
    std::optional<Clock::time_point> end;  // when its last bytes arrived, where that is known better than when call() returned
    std::uint32_t pieces = 0;
    std::vector<std::uint32_t> token_us;  // microseconds from `start`
    std::int64_t prompt_tokens = -1, completion_tokens = -1;
    std::string text;
    std::vector<event::Step> steps;  // of an agent that ran in this process
    std::optional<Error> error;

    void add_piece(std::string_view piece, Clock::time_point now);
    // The first error stays.
    void fail_with(ErrorCode code, std::string message);
};

class AnswerReader {
  public:
    virtual ~AnswerReader() = default;
    // False: nothing more is of use.
    virtual bool feed(std::string_view bytes, Clock::time_point now) = 0;
    // The server ended the answer regularly.
    virtual void finish() = 0;
};

// OpenAI's chat completions and completions, streamed or whole. A streamed answer without [DONE] or finish_reason, a line that is no
// JSON and an {"error": …} event are errors.
std::unique_ptr<AnswerReader> make_openai_reader(bool stream, Answer& answer);

// A line or event of a stream that means something. With `field` "data" (the usual one) `event` is matched too.
struct EventRule {
    std::string field = "data";  // "{": a line of bare JSON, as NAT's server reports failures
    std::string event;           // of the event: line; empty: any
    // Dotted, into the value read as JSON ("choices.0.delta.content"), also where that has JSON in a text; empty: the text itself.
    std::string path;
    std::string equals;  // of what is there; empty: anything that is not empty, null or false
};

// A value of an answer that later requests need: the last one that a rule finds, or a header.
struct CaptureRule {
    std::string name;
    EventRule where;
    std::string header;  // of the response, instead
};
using Captured = std::map<std::string, json::value, std::less<>>;

struct AnswerRules {
    std::vector<EventRule> token;  // empty: nothing of this answer is one
    std::vector<EventRule> end;    // empty: the end of the stream is the end of the answer; else one must have come
    std::vector<EventRule> error;
    std::vector<CaptureRule> captures;
    bool sse = true;  // false: the whole body is one "data"
};

// `rules` and `captured` outlive the reader. An answer in which no token rule matched is an error, and so is one that lacks what is to be
// captured: into `captured`, where there is one.
std::unique_ptr<AnswerReader> make_rule_reader(const AnswerRules& rules, Answer& answer, Captured* captured = nullptr);

// How NAT's POST /generate/full answers: pieces of the result as data: {"value": …}, failures as bare {"message": …}.
const AnswerRules& nat_rules();

}  // namespace plimsoll::load
