#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/random.h"
#include "profile/research_trace.h"

namespace plimsoll::profile {
namespace {

using event::Category;
using event::Phase;

constexpr std::size_t kUsers = 16;
constexpr int kPromptWords = 40;
constexpr std::array<std::string_view, 16> kWords = {"alpha", "batch",  "cache", "delta", "edge",  "frame",  "graph", "index",
                                                     "join",  "kernel", "merge", "node",  "queue", "stream", "token", "vector"};

std::string make_words(Random& random, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
        if (i > 0) text += ' ';
        text += kWords[static_cast<std::size_t>(random.uniform(0, kWords.size()))];
    }
    return text;
}

class SessionMaker {
  public:
    SessionMaker(std::size_t number, double start, Random& random) : number_(number), now_(start), random_(random) {}

    event::SessionTrace make() {
        const double workflow_start = now_;
        add(Phase::start, Category::workflow, workflow_id_, "research", now_, "root");
        const double function_start = pass(1e-4);
        add(Phase::start, Category::function, function_id_, "<workflow>", now_, workflow_id_);
        pass(5e-4);
        call_llm("PLAN");
        search();
        for (const char* kind : {"WRITE", "REFLECT", "FINAL"}) call_llm(kind);
        add(Phase::end, Category::function, function_id_, "<workflow>", now_, workflow_id_, function_start);
        pass(1e-4);
        add(Phase::end, Category::workflow, workflow_id_, "research", now_, "root", workflow_start);
        return {static_cast<std::int64_t>(number_), std::move(steps_)};
    }

    double now() const { return now_; }

  private:
    double pass(double about) { return now_ += about * random_.uniform(0.5, 1.5); }

    event::Step& add(Phase phase, Category category, const std::string& uuid, std::string name, double time, const std::string& parent,
                     std::optional<double> start = std::nullopt) {
        event::Step& step = steps_.emplace_back();
        step.parent_id = parent;
        if (category != Category::workflow) step.function_ancestry = {function_id_, "<workflow>", "root", "root"};
        step.payload = {.event_type = {category, phase}, .event_timestamp = time, .span_event_timestamp = start, .name = std::move(name)};
        step.payload.data = event::StepData{};
        step.payload.uuid = uuid;
        return step;
    }

    void call_llm(std::string_view kind) {
        const std::string uuid = fmt::format("llm-{}-{}", number_, kind);
        const double start = now_;
        const std::string prompt = fmt::format("You are a careful research agent. Cite the sources you use. {} request {}: {}", kind,
                                               number_, make_words(random_, kPromptWords));
        add(Phase::start, Category::llm, uuid, "model-8b", now_, function_id_).payload.data->input = json::value(prompt);
        pass(0.2);
        const int answer = 8 + static_cast<int>(random_.uniform(0, 24));
        auto& end = add(Phase::end, Category::llm, uuid, "model-8b", now_, function_id_, start).payload;
        end.data->output = json::value(make_words(random_, answer));
        end.usage_info = event::UsageInfo{
            .token_usage = {.prompt_tokens = kPromptWords + 14, .completion_tokens = answer, .total_tokens = kPromptWords + 14 + answer}};
        pass(5e-4);
    }

    void search() {
        struct Event {
            double time, start;
            std::string_view name;
        };
        std::vector<Event> events;
        for (const std::string_view name : {"search_web", "search_wiki", "search_arxiv", "search_news"}) {
            const double start = pass(1e-5), end = start + random_.uniform(0.005, 0.12);
            events.push_back({start, start, name});
            events.push_back({end, start, name});
        }
        std::ranges::stable_sort(events, {}, &Event::time);
        for (const Event& event : events) {
            const bool starts = event.time == event.start;
            add(starts ? Phase::start : Phase::end, Category::tool, fmt::format("tool-{}-{}", number_, event.name), std::string(event.name),
                event.time, function_id_, starts ? std::nullopt : std::optional(event.start))
                .payload.data->input = json::value(make_words(random_, 6));
        }
        now_ = events.back().time;
        pass(5e-4);
    }

    std::size_t number_;
    double now_;
    Random& random_;
    std::string workflow_id_ = fmt::format("workflow-{}", number_);
    std::string function_id_ = fmt::format("function-{}", number_);
    std::vector<event::Step> steps_;
};

}  // namespace

void for_each_research_trace(std::size_t sessions, std::uint64_t seed, const std::function<void(const event::SessionTrace&)>& use) {
    Random random(seed);
    std::array<double, kUsers> free;
    free.fill(1.7e9);
    for (std::size_t i = 0; i < sessions; ++i) {
        double& user = free[i % kUsers];
        SessionMaker maker(i, user + random.uniform(0, 0.005), random);
        use(maker.make());
        user = maker.now();
    }
}

std::vector<event::SessionTrace> make_research_traces(std::size_t sessions, std::uint64_t seed) {
    std::vector<event::SessionTrace> traces;
    traces.reserve(sessions);
    for_each_research_trace(sessions, seed, [&](const event::SessionTrace& trace) { traces.push_back(trace); });
    return traces;
}

}  // namespace plimsoll::profile
