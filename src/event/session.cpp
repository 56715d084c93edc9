#include "event/session.h"

#include <cmath>

namespace plimsoll::event {

Context Context::with_deadline(Deadline other) const {
    Context out = *this;
    out.deadline = deadline.earlier(other);
    return out;
}

void Context::write_stream(const json::value& event) const {
    if (session) session->write_stream(event);
}

std::shared_ptr<Session> Session::make(SessionInfo info, std::vector<StepSink*> sinks, WallClock clock, std::uint64_t seed,
                                       bool keep_steps) {
    return std::shared_ptr<Session>(new Session(std::move(info), std::move(sinks), std::move(clock), seed, keep_steps));
}

Session::Session(SessionInfo info, std::vector<StepSink*> sinks, WallClock clock, std::uint64_t seed, bool keep_steps)
    : info_(std::move(info)), sinks_(std::move(sinks)), clock_(std::move(clock)), random_(seed), keep_steps_(keep_steps) {
    if (info_.run_id.empty()) info_.run_id = random_.uuid();
    if (info_.trace_id.empty()) info_.trace_id = random_.hex(32);
}

Context Session::root() {
    Context context;
    context.session = shared_from_this();
    return context;
}

void Session::emit(Step step) {
    for (StepSink* sink : sinks_) sink->on_step(*this, step);
    if (keep_steps_) steps_.push_back(std::move(step));
}

void Session::finish(const Error* error) {
    if (std::exchange(finished_, true)) return;
    for (StepSink* sink : sinks_) sink->on_session_end(*this, error);
    writer_ = nullptr;
}

std::int64_t Session::note_llm_start(double now) {
    const double previous = std::exchange(last_llm_start_, now);
    return previous == 0 ? 0 : static_cast<std::int64_t>(std::floor(now - previous));
}

ScopedSpan::ScopedSpan(const Context& parent, Category category, std::string name, json::value input, Options options)
    : inner_(parent),
      ancestry_(parent.function),
      parent_id_(parent.span_id),
      category_(category),
      name_(std::move(name)),
      input_(std::move(input)),
      options_(std::move(options)) {
    if (!inner_.session) return;
    inner_.span_id = inner_.session->new_id();
    start_ = inner_.session->now();
    if (category_ == Category::function) {
        inner_.function = {inner_.span_id, name_, parent.function.function_id, parent.function.function_name};
        ancestry_ = inner_.function;
    }
    Step step = make_step(Phase::start);
    step.payload.event_timestamp = start_;
    step.payload.usage_info = options_.start_usage;
    inner_.session->emit(std::move(step));
}

ScopedSpan::~ScopedSpan() {
    if (ended_) return;
    const Error left = exception_.empty() ? Error{ErrorCode::cancelled, "left without a result"} : Error{ErrorCode::internal, exception_};
    emit_end(&left);
}

void ScopedSpan::chunk(json::value chunk) {
    if (!inner_.session || ended_) return;
    Step step = make_step(Phase::chunk);
    step.payload.event_timestamp = inner_.session->now();
    step.payload.data = StepData{.chunk = std::move(chunk)};
    inner_.session->emit(std::move(step));
}

void ScopedSpan::set_metadata(std::string_view key, json::value value) {
    if (!options_.metadata.is_object()) options_.metadata.emplace_object();
    options_.metadata.get_object()[key] = std::move(value);
}

void ScopedSpan::fail(const Error& error) { emit_end(&error); }

void ScopedSpan::end() { emit_end(nullptr); }

Step ScopedSpan::make_step(Phase phase) const {
    Step step;
    step.parent_id = parent_id_;
    step.function_ancestry = ancestry_;
    step.payload.event_type = {category_, phase};
    step.payload.name = name_;
    step.payload.framework = options_.framework;
    step.payload.uuid = inner_.span_id;
    if (phase != Phase::chunk) {
        step.payload.metadata = options_.metadata;
        step.payload.data = StepData{.input = input_};
    }
    return step;
}

void ScopedSpan::emit_end(const Error* error) {
    if (std::exchange(ended_, true) || !inner_.session) return;
    if (error) set_metadata("error", {{"code", to_string(error->code)}, {"message", error->message}});
    Step step = make_step(Phase::end);
    step.payload.event_timestamp = inner_.session->now();
    step.payload.span_event_timestamp = start_;
    step.payload.data->output = std::move(output_);
    step.payload.usage_info = usage_;
    inner_.session->emit(std::move(step));
}

}  // namespace plimsoll::event
