#include "graph/run_events.h"

namespace plimsoll::graph {

StreamEvent RunEvents::make(StreamEvent::Kind kind) const {
    StreamEvent event;
    event.kind = kind;
    event.space = space_;
    event.state_type = program_.state.type;
    event.program = &program_;
    return event;
}

StreamEvent RunEvents::make(StreamEvent::Kind kind, const Task& task) const {
    StreamEvent event = make(kind);
    event.task = task.id;
    event.node = task.node->name;
    event.source = &task;
    event.writes = task.writes;
    event.cached = task.cached;
    return event;
}

void RunEvents::values(const Progress& progress) const {
    if (!wants(StreamMode::values)) return;
    StreamEvent event = make(StreamEvent::Kind::values);
    event.task.step = progress.step;
    event.versions = progress.versions();
    event.state = progress.state();
    options_.on_event(event);
}

void RunEvents::task(const Task& task, const Progress& progress) const {
    if (!wants_tasks()) return;
    StreamEvent event = make(StreamEvent::Kind::task, task);
    event.state = progress.state();
    event.versions = progress.versions();
    const std::vector<std::string_view> triggers = progress.triggers_of(task);
    event.triggers = triggers;
    options_.on_event(event);
}

void RunEvents::update(const Task& task) const {
    if (wants(StreamMode::updates)) options_.on_event(make(StreamEvent::Kind::update, task));
}

void RunEvents::interrupts(const Task& task, const Progress& progress) const {
    if (!wants(StreamMode::updates | StreamMode::values)) return;
    StreamEvent event = make(StreamEvent::Kind::interrupt, task);
    event.interrupts = &task.interrupts;
    event.versions = progress.versions();
    event.state = progress.state();
    options_.on_event(event);
}

void RunEvents::stop() const {
    if (!wants(StreamMode::updates)) return;
    const std::vector<Interrupt> none;
    StreamEvent event = make(StreamEvent::Kind::interrupt);
    event.interrupts = &none;
    options_.on_event(event);
}

void RunEvents::task_result(const Task& task) const {
    if (wants_tasks()) options_.on_event(make(StreamEvent::Kind::task_result, task));
}

void RunEvents::node_event(StreamEvent::Kind kind, const Task& task, const json::value& data) const {
    if (!wants(kind == StreamEvent::Kind::custom ? StreamMode::custom : StreamMode::messages)) return;
    StreamEvent event = make(kind, task);
    event.data = &data;
    options_.on_event(event);
}

void RunEvents::checkpoint(const CheckpointLog& log, const Progress& progress, std::span<const Task> next) const {
    if (!wants(StreamMode::checkpoints | StreamMode::debug)) return;
    StreamEvent event = make(StreamEvent::Kind::checkpoint);
    event.task.step = log.metadata().step;
    event.state = progress.state();
    event.versions = progress.versions();
    event.log = &log;
    event.next = next;
    options_.on_event(event);
}

}  // namespace plimsoll::graph
