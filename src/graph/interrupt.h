// People in the loop: a node asks, the run ends, and goes on with the answer later, in this process or another one.
//
//   asio::awaitable<Result<Update<S>>> review(event::Context context, S state, StepInfo info) {
//       const json::value verdict = co_await graph::interrupt(info, {{"approve", state.draft}});
//       …
//
// The first time the node gets there, interrupt() ends it by throwing NodeInterrupted (do not swallow it with catch (...)),
// and the run, once the step's other tasks have ended, with the question in its result. Resuming the thread with an answer
// calls the node again from its start; interrupt() then returns the recorded answers in the order in which it was called. What a
// node does before it asks happens again, so it must be harmless.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace plimsoll::graph {

namespace asio = boost::asio;

struct StepInfo;

// A question that waits for its answer. The id (32 hex digits) is the same whenever the same task asks as its n-th question.
struct Interrupt {
    json::value value;
    std::string id;
};

using Answers = std::map<std::string, json::value, std::less<>>;  // by interrupt id

// Goes on where a thread stopped; LangGraph's null input and Command(resume=…).
struct Resume {
    std::optional<json::value> answer;  // to the one question that is pending
    Answers answers;                    // to several; those without one are asked again
};

// Asks once, from a coroutine node with a StepInfo. Without a saver the run ends with the question, too, but cannot go on.
asio::awaitable<json::value> interrupt(StepInfo info, json::value question);

// How interrupt() leaves a node. Not a std::exception: a handler for failures must not take a question for one.
struct NodeInterrupted {
    std::vector<Interrupt> interrupts;
    bool drained = false;  // no questions, because a graph inside the node was asked to stop between steps
};

json::value to_json(const std::vector<Interrupt>& interrupts);
// Errors: parse.
Result<std::vector<Interrupt>> interrupts_from_json(const json::value& value);

}  // namespace plimsoll::graph
