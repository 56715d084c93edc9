// Recording while a session runs. A Session is one user's run of a workflow; a Context says where in its call tree some
// code is; a ScopedSpan opens a call there and closes it whatever happens.
//
//   Context root = session->root();
//   ScopedSpan call(root, Category::tool, "web_search", input);
//   co_await search(call.context(), …);         // whatever starts inside becomes its child
//   call.set_output(result);                    // or call.fail(error); the destructor writes the END
//
// Parents are passed down, never looked up on a stack, so parallel branches nest rightly.
// Thread: a session lives on one io thread; none of this is safe to use from two threads at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "event/step.h"

namespace plimsoll::event {

struct SessionInfo {
    std::int64_t number = 0;  // index in the run, NAT's request_number
    std::string item_id;      // the dataset row's id, empty outside eval
    std::string run_id;       // uuid
    std::string trace_id;     // 32 hex digits
    std::string conversation_id;
    std::string user_id;
    std::string workflow_alias;                                // name of the workflow for exporters; empty: "<workflow>"
    std::vector<std::pair<std::string, std::string>> headers;  // of the request that started it, credentials left out
};

class Session;

// Receives every step as it happens, on the session's thread. Must neither block nor throw: what it cannot take it counts.
class StepSink {
  public:
    virtual ~StepSink() = default;
    virtual void on_step(const Session& session, const Step& step) = 0;
    // After the last step. `error` is null when the session succeeded.
    virtual void on_session_end(const Session& session, const Error* error) = 0;
};

// What a session tells its user while it runs: {"queries": …}, {"warning": …}; LangGraph's stream writer.
using StreamWriter = std::function<void(const json::value& event)>;

struct Context {
    std::shared_ptr<Session> session;
    std::string span_id = "root";
    InvocationNode function;
    Deadline deadline;

    // The same place with an earlier end.
    Context with_deadline(Deadline other) const;
    void write_stream(const json::value& event) const;
};

class Session : public std::enable_shared_from_this<Session> {
  public:
    // Empty ids in `info` are made up. `sinks` must outlive the session; `keep_steps` off saves memory when a sink has them.
    static std::shared_ptr<Session> make(SessionInfo info, std::vector<StepSink*> sinks, WallClock clock, std::uint64_t seed,
                                         bool keep_steps = true);

    Context root();
    const SessionInfo& info() const { return info_; }
    const std::vector<Step>& steps() const { return steps_; }
    std::vector<Step> take_steps() { return std::move(steps_); }
    double now() const { return clock_(); }
    std::string new_id() { return random_.uuid(); }
    Random& random() { return random_; }

    void set_stream_writer(StreamWriter writer) { writer_ = std::move(writer); }
    void write_stream(const json::value& event) {
        if (writer_) writer_(event);
    }

    void emit(Step step);
    void finish(const Error* error);  // once, after the last step

    // Whole seconds since the previous call of this function (0 at the first): NAT's seconds_between_calls.
    std::int64_t note_llm_start(double now);

  private:
    Session(SessionInfo info, std::vector<StepSink*> sinks, WallClock clock, std::uint64_t seed, bool keep_steps);

    SessionInfo info_;
    std::vector<StepSink*> sinks_;
    WallClock clock_;
    Random random_;
    bool keep_steps_;
    bool finished_ = false;
    double last_llm_start_ = 0;
    std::vector<Step> steps_;
    StreamWriter writer_;
};

// One open call. Emits START when made and END exactly once: at end(), fail() or destruction. A span destroyed without
// either was left by an exception or a cancelled coroutine: its END carries metadata.error with the code `cancelled`
// ("left without a result"), or `internal` and the exception's text when note_exception() was called.
class ScopedSpan {
  public:
    struct Options {
        json::value metadata;                  // on START and END
        std::optional<UsageInfo> start_usage;  // on START (LLM calls)
        std::optional<std::string> framework;
    };

    ScopedSpan(const Context& parent, Category category, std::string name, json::value input, Options options = {});
    ~ScopedSpan();
    ScopedSpan(const ScopedSpan&) = delete;
    ScopedSpan& operator=(const ScopedSpan&) = delete;

    // For what happens inside. A function span is also the new innermost function.
    const Context& context() const { return inner_; }
    const std::string& id() const { return inner_.span_id; }
    double start_time() const { return start_; }

    void chunk(json::value chunk);  // LLM_NEW_TOKEN, SPAN_CHUNK; emitted at once
    void set_output(json::value output) { output_ = std::move(output); }
    void set_usage(UsageInfo usage) { usage_ = usage; }
    void set_metadata(std::string_view key, json::value value);
    void fail(const Error& error);  // emits END
    void end();                     // emits END
    void note_exception(std::string what) { exception_ = std::move(what); }

  private:
    Step make_step(Phase phase) const;
    void emit_end(const Error* error);

    Context inner_;
    InvocationNode ancestry_;  // of this span's own steps
    std::string parent_id_;
    Category category_;
    std::string name_;
    json::value input_;
    json::value output_;
    Options options_;
    std::optional<UsageInfo> usage_;
    std::string exception_;
    double start_ = 0;
    bool ended_ = false;
};

}  // namespace plimsoll::event
