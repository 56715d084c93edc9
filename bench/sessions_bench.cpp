// 1,000 sessions at once, each a chain of five steps that ask a model which answers in one second: what do the sessions add to the
// ideal of five seconds, and what do they weigh?
//
//   sessions_bench http://127.0.0.1:PORT/v1 [SESSIONS]     (the model: plimsoll sim serve --ttft 1 --itl 0 --tokens 16)
//
// Prints one line: sessions, failures, p50 and p95 in seconds, p95 over ideal, peak memory of this process, CPU per session.
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>

#include "base/files.h"
#include "base/stats.h"
#include "eval/runner.h"
#include "functions/function.h"
#include "graph/state_graph.h"
#include "llm/providers.h"

namespace plimsoll {
namespace {

namespace asio = boost::asio;

constexpr int kSteps = 5;
constexpr double kModelSeconds = 1;

struct State {
    std::string question;
    std::string answer;
};

using Update = graph::Update<State>;

asio::awaitable<Result<Update>> ask(llm::ChatModel& model, event::Context context, State state) {
    llm::ChatRequest request;
    request.messages = {{"user", state.question + state.answer}};
    request.stream = false;
    auto answer = co_await model.chat(std::move(context), std::move(request));
    if (!answer) co_return fail(answer.error());
    co_return Update().set(&State::answer, answer->content);
}

class FiveSteps : public functions::Function {
  public:
    explicit FiveSteps(llm::ChatModel& model) {
        graph::StateGraph<State> g;
        g.channel("question", &State::question);
        g.channel("answer", &State::answer);
        std::string previous(graph::kStart);
        for (int i = 1; i <= kSteps; ++i) {
            const std::string name = fmt::format("step_{}", i);
            g.add_node(name, [&model](event::Context context, State state) { return ask(model, std::move(context), std::move(state)); });
            g.add_edge(previous, name);
            previous = name;
        }
        graph_.emplace(std::move(*g.compile()));
    }

    asio::awaitable<Result<json::value>> invoke(event::Context context, json::value input) override {
        auto state = co_await graph_->invoke(std::move(context), State{to_text(input), ""});
        if (!state) co_return fail(state.error());
        co_return json::value(state->answer);
    }

  private:
    std::optional<graph::CompiledGraph<State>> graph_;
};

asio::awaitable<eval::SessionOutcome> run_item(std::shared_ptr<event::Session> session, functions::Function& workflow,
                                               json::value question) {
    auto output = co_await functions::run_session(std::move(session), "five_steps", workflow, std::move(question), {});
    if (!output) co_return eval::SessionOutcome{nullptr, output.error()};
    co_return eval::SessionOutcome{std::move(*output), std::nullopt};
}

int run(const std::string& url, int sessions) {
    TemporaryFolder folder;
    llm::LocalServers locals(folder.path());
    auto model = llm::make_chat_model("model", "openai", {{"model_name", "sim"}, {"base_url", url}, {"api_key", "none"}}, locals);
    if (!model) {
        fmt::print(stderr, "{}\n", model.error().message);
        return 1;
    }
    net::IoPool pool(2);
    FiveSteps workflow(**model);
    eval::RunOptions options;
    options.max_concurrency = 0;
    options.folder = folder.path();
    for (int i = 0; i < sessions; ++i) options.items.push_back({.id = i, .question = json::value(fmt::format("question {}", i))});
    const auto result = eval::run_sessions(
        pool,
        [&](std::shared_ptr<event::Session> session, eval::DatasetItem item) {
            return run_item(std::move(session), workflow, std::move(item.question));
        },
        options);
    if (!result) {
        fmt::print(stderr, "{}\n", result.error().message);
        return 1;
    }
    std::vector<double> seconds;
    for (const auto& item : result->items) seconds.push_back(item.end - item.intended_start);
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    const double p95 = percentile(seconds, 95);
    fmt::print("sessions {} failed {} p50 {:.2f} s p95 {:.2f} s = {:.3f} x ideal, peak memory {:.0f} MB, CPU {:.2f} ms a session\n",
               sessions, result->failed(), percentile(seconds, 50), p95, p95 / (kSteps * kModelSeconds),
               static_cast<double>(usage.ru_maxrss) / 1024, 1e3 * cpu / sessions);
    return result->failed() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
    if (argc < 2) {
        fmt::print(stderr, "usage: {} MODEL_URL [SESSIONS]\n", argv[0]);
        return 2;
    }
    constexpr int kDefaultSessions = 1000;
    return plimsoll::run(argv[1], argc > 2 ? std::atoi(argv[2]) : kDefaultSessions);
}
