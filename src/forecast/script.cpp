#include "forecast/script.h"

namespace plimsoll::forecast {

Script::Script(const SessionGraph& graph) {
    steps_.resize(graph.tasks.size());
    for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
        const Task& task = graph.tasks[i];
        Step& step = steps_[i];
        step.kind = task.kind;
        step.resource = task.resource;
        step.prompt = task.prompt;
        step.cached = task.cached;
        step.output = task.output;
        step.seconds = static_cast<float>(task.seconds);
        step.gap = static_cast<float>(task.gap);
        step.waits_for = static_cast<std::uint32_t>(task.after.size());
        for (const int before : task.after) ++steps_[static_cast<std::size_t>(before)].end_next;
    }
    std::uint32_t at = 0;
    for (Step& step : steps_) {
        step.first_next = at;
        at += step.end_next;
        step.end_next = step.first_next;
    }
    nexts_.resize(at);
    for (std::size_t i = 0; i < graph.tasks.size(); ++i)
        for (const int before : graph.tasks[i].after)
            nexts_[steps_[static_cast<std::size_t>(before)].end_next++] = static_cast<std::uint32_t>(i);
}

}  // namespace plimsoll::forecast
