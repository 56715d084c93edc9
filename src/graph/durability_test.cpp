// Kills a process that runs a graph on a SqliteSaver, again and again, at any moment, and starts it anew. However often it
// died, the graph ends with the result of one that never did, and no task whose writes were stored has run a second time.
//
// Each life is a forked child. Beside the saver's file it appends to a journal what happened, a line an event:
//   life        a process begins              stored L    on its start it found the result of task L
//   put ID      a put was answered            ran L       the body of task L began
//   end STATE   the graph reached its end
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "base/descriptor.h"
#include "base/random.h"
#include "graph/saver_conformance.h"
#include "graph/state_graph.h"

namespace plimsoll::graph {
namespace {

constexpr int kKills = 200;
constexpr int kSends = 4;
constexpr int kMaxLives = 2000;  // of the whole test; some end without being killed
constexpr std::uint64_t kSeed = 20261122;

// When a life ends by itself, or from outside: at whatever it does once the parent has heard of so many events.
// `after` counts from 1; 0 = never.
struct Death {
    enum class Where : std::uint8_t { before_call, after_call, node_start, node_end, outside };
    Where where = Where::before_call;
    int after = 0;
};

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    ::pause();
    ::_exit(1);
}

class Life {
  public:
    Life(const std::filesystem::path& journal, Death death, int parent)
        : death_(death), journal_(::open(journal.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)), parent_(parent) {}

    void passes(Death::Where where) {
        if (death_.where == where && death_.after > 0 && --death_.after == 0) die();
    }
    // In the file once this returns: what write(2) took outlives its process.
    void note(const std::string& line) {
        const std::string text = line + "\n";
        if (::write(journal_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(2);
        if (::write(parent_, "x", 1) != 1) ::_exit(2);
    }

  private:
    Death death_;
    int journal_;
    int parent_;  // a pipe
};

// Counts calls, notes what was answered, and dies between the two.
class MortalSaver final : public CheckpointSaver {
  public:
    MortalSaver(std::shared_ptr<CheckpointSaver> saver, Life& life) : saver_(std::move(saver)), life_(life) {}

    asio::awaitable<Result<void>> put(CheckpointKey key, Checkpoint checkpoint, CheckpointMetadata metadata,
                                      std::vector<std::string> changed) override {
        life_.passes(Death::Where::before_call);
        const std::string id = checkpoint.id;
        auto result = co_await saver_->put(std::move(key), std::move(checkpoint), std::move(metadata), std::move(changed));
        if (result) life_.note("put " + id);
        life_.passes(Death::Where::after_call);
        co_return result;
    }
    asio::awaitable<Result<void>> put_writes(CheckpointKey key, std::string task, std::vector<PendingWrite> writes) override {
        life_.passes(Death::Where::before_call);
        auto result = co_await saver_->put_writes(std::move(key), std::move(task), std::move(writes));
        life_.passes(Death::Where::after_call);
        co_return result;
    }
    asio::awaitable<Result<std::optional<StoredCheckpoint>>> get(CheckpointKey key) override {
        life_.passes(Death::Where::before_call);
        return saver_->get(std::move(key));
    }
    asio::awaitable<Result<std::vector<StoredCheckpoint>>> list(std::string thread, ListOptions options) override {
        return saver_->list(std::move(thread), std::move(options));
    }
    asio::awaitable<Result<void>> delete_thread(std::string thread) override { return saver_->delete_thread(std::move(thread)); }
    asio::awaitable<Result<void>> copy_thread(std::string from, std::string to) override {
        return saver_->copy_thread(std::move(from), std::move(to));
    }
    asio::awaitable<Result<void>> prune(std::vector<std::string> threads, Keep keep) override {
        return saver_->prune(std::move(threads), keep);
    }
    asio::awaitable<Result<void>> delete_runs(std::vector<std::string> runs) override { return saver_->delete_runs(std::move(runs)); }

  private:
    std::shared_ptr<CheckpointSaver> saver_;
    Life& life_;
};

struct State {
    std::vector<std::string> ran;  // labels of tasks, each brackets itself: "<a>"
    int sum = 0;
    std::string answer;
};

std::string to_line(const State& state) {
    std::string line;
    for (const std::string& label : state.ran) line += label;
    return line + " " + std::to_string(state.sum) + " " + state.answer;
}

// A node: begins, gives way to its neighbours a few times, and says that it ran.
asio::awaitable<Result<Update<State>>> work(Life& life, std::string name, int value) {
    const std::string label = "<" + name + ">";
    life.note("ran " + label);
    life.passes(Death::Where::node_start);
    for (int i = 0; i <= value % 3; ++i) co_await asio::post(asio::use_awaitable);
    life.passes(Death::Where::node_end);
    co_return Update<State>{}.set(&State::ran, {label}).set(&State::sum, value);
}

asio::awaitable<Result<Update<State>>> review(StepInfo info) {
    const json::value answer = co_await interrupt(info, "go on?");
    co_return Update<State>{}.set(&State::answer, std::string(answer.as_string())).set(&State::ran, {"<review>"});
}

// plan -> a, b, c side by side -> four Sends -> a question -> end
Result<CompiledGraph<State>> make_graph(Life& life, std::shared_ptr<CheckpointSaver> saver) {
    StateGraph<State> graph;
    graph.channel("ran", &State::ran, append());
    graph.channel("sum", &State::sum, reduce<int>(std::plus<>()));
    graph.channel("answer", &State::answer);
    const auto add = [&](const std::string& name, int value) {
        graph.add_node(name, [&life, name, value](event::Context, const State&) { return work(life, name, value); });
    };
    add("plan", 1);
    add("a", 10);
    add("b", 20);
    add("c", 30);
    add("join", 100);
    add("end", 1000);
    graph.add_node<int>("part", [&life](event::Context, int i) { return work(life, "part" + std::to_string(i), i); });
    graph.add_node("review", [](event::Context, const State&, StepInfo info) { return review(info); });
    graph.add_edge(kStart, "plan");
    for (const char* name : {"a", "b", "c"}) graph.add_edge("plan", name);
    graph.add_edge({"a", "b", "c"}, "join");
    graph.add_conditional_edges("join", [](const State&) {
        std::vector<Target> sends;
        for (int i = 1; i <= kSends; ++i) sends.push_back(send("part", i));
        return sends;
    });
    graph.add_edge("part", "review");
    graph.add_edge("review", "end");
    CompileOptions options;
    options.saver = std::move(saver);
    return graph.compile(options);
}

// Notes which tasks' results the saver has. False when it has lost or damaged something.
asio::awaitable<bool> take_stock(Life& life, std::shared_ptr<CheckpointSaver> saver, std::string thread, std::set<std::string> answered) {
    const auto stored = co_await saver->list(thread, {});
    if (!stored) co_return false;
    std::string text;
    for (const StoredCheckpoint& one : *stored) {
        answered.erase(one.checkpoint.id);
        for (const std::string& value : texts(one.checkpoint)) text += value;
        for (const std::string& write : texts(one.writes)) text += write;
    }
    for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1))
        life.note("stored " + text.substr(at, text.find('>', at) + 1 - at));
    co_return answered.empty();
}

asio::awaitable<int> live(Life& life, std::shared_ptr<CheckpointSaver> saver, RunOptions options, std::set<std::string> answered) {
    if (!co_await take_stock(life, saver, options.thread, std::move(answered))) co_return 10;
    const auto graph = make_graph(life, std::make_shared<MortalSaver>(saver, life));
    if (!graph) co_return 11;
    const auto known = co_await graph->get_state({options.thread, "", ""});
    if (!known) co_return 12;
    Input<State> input = known->key.id.empty() ? Input<State>(State{}) : Input<State>(Resume{});
    for (;;) {
        const auto result = co_await graph->run({}, std::move(input), options);
        if (!result) co_return 13;
        if (result->ending == Ending::finished) {
            life.note("end " + to_line(result->state));
            co_return 0;
        }
        input = Input<State>(Resume{.answer = "yes"});
    }
}

class DurabilityTest : public testing::Test {
  protected:
    // One process; true when it was killed.
    bool run_life(const std::string& thread, Durability durability, Death death) {
        const std::set<std::string> answered = noted(thread, "put");
        int pipe[2];
        if (::pipe(pipe) != 0) {
            ADD_FAILURE() << "pipe";
            return false;
        }
        const Descriptor heard(pipe[0]);
        Descriptor said(pipe[1]);
        const pid_t child = ::fork();
        if (child == 0) {
            Life life(journal(thread), death, said.get());
            life.note("life");
            const auto saver = SqliteSaver::open(folder_.path() / "state.db");
            if (!saver) ::_exit(20);
            RunOptions options;
            options.thread = thread;
            options.durability = durability;
            ::_exit(run_on_loop(live(life, *saver, options, answered)));
        }
        said.close();
        char event = 0;
        for (int events = 1; ::read(heard.get(), &event, 1) == 1; ++events)
            if (death.where == Death::Where::outside && events == death.after) ::kill(child, SIGKILL);
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        if (WIFSIGNALED(status)) {
            EXPECT_EQ(WTERMSIG(status), SIGKILL);
            return true;
        }
        EXPECT_EQ(WEXITSTATUS(status), 0) << "life of " << thread;
        return false;
    }

    std::filesystem::path journal(const std::string& thread) const { return folder_.path() / (thread + ".journal"); }

    std::vector<std::pair<std::string, std::string>> events(const std::string& thread) const {
        std::vector<std::pair<std::string, std::string>> result;
        std::ifstream file(journal(thread));
        for (std::string line; std::getline(file, line);) {
            const std::size_t space = line.find(' ');
            result.emplace_back(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1));
        }
        return result;
    }
    std::set<std::string> noted(const std::string& thread, const std::string& kind) const {
        std::set<std::string> result;
        for (const auto& [name, what] : events(thread))
            if (name == kind) result.insert(what);
        return result;
    }

    TemporaryFolder folder_;
};

// A moment that is about as likely to be anywhere in a life.
Death random_death(Random& random) {
    Death death;
    death.where = static_cast<Death::Where>(random() % 5);
    death.after = 1 + static_cast<int>(random() % 9);
    return death;
}

TEST_F(DurabilityTest, killed_at_200_moments_it_ends_as_if_it_never_was) {
    ASSERT_FALSE(run_life("unkilled", Durability::sync, {}));
    const std::set<std::string> expected = noted("unkilled", "end");
    EXPECT_EQ(expected, (std::set<std::string>{"<plan><a><b><c><join><part1><part2><part3><part4><review><end> 1171 yes"}));
    EXPECT_EQ(noted("unkilled", "ran").size(), 6u + kSends);

    Random random(kSeed);
    int kills = 0;
    int lives = 0;
    int trials = 0;
    while (kills < kKills && lives < kMaxLives) {
        const std::string thread = "trial" + std::to_string(trials);
        const Durability durability = trials++ % 2 == 0 ? Durability::sync : Durability::async;
        bool killed = true;
        while (killed && !HasFailure() && lives < kMaxLives) {
            ++lives;
            killed = run_life(thread, durability, kills < kKills ? random_death(random) : Death{});
            kills += killed ? 1 : 0;
        }
        ASSERT_FALSE(HasFailure()) << "seed " << kSeed << ", " << thread << ", kill " << kills;
        EXPECT_EQ(noted(thread, "end"), expected);
        std::set<std::string> stored;
        for (const auto& [name, what] : events(thread)) {
            if (name == "stored") stored.insert(what);
            EXPECT_FALSE(name == "ran" && stored.contains(what)) << what << " of " << thread << " ran again";
        }
    }
    EXPECT_EQ(kills, kKills);
    RecordProperty("lives", lives);
    RecordProperty("trials", trials);
}

}  // namespace
}  // namespace plimsoll::graph
