#include "truth.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <numbers>
#include <queue>
#include <random>

#include <fmt/format.h>

#include "base/stats.h"

namespace study {
namespace {

using plimsoll::event::Category;
using plimsoll::event::Phase;
using plimsoll::event::SessionTrace;
using plimsoll::event::Step;

constexpr int kBlock = 16;  // tokens of a KV block
constexpr double kEpoch = 1.79e9;

// The library's own distributions take long logarithms, most of the time of a run.
double uniform(std::mt19937_64& engine) { return static_cast<double>(engine() >> 11) * 0x1p-53; }

class Clock {
  public:
    double now = 0;
    void at(double time, std::function<void()> what) {
        queue_.push_back({time, count_++, std::move(what)});
        std::push_heap(queue_.begin(), queue_.end());
    }
    bool step() {
        if (queue_.empty()) return false;
        std::pop_heap(queue_.begin(), queue_.end());
        Item item = std::move(queue_.back());
        queue_.pop_back();
        now = item.time;
        item.what();
        return true;
    }

  private:
    struct Item {
        double time;
        std::uint64_t order;
        std::function<void()> what;
        bool operator<(const Item& other) const { return time != other.time ? time > other.time : order > other.order; }
    };
    std::vector<Item> queue_;  // a heap
    std::uint64_t count_ = 0;
};

struct Sequence {
    int to_read = 0;  // prompt tokens still to be computed
    int written = 0, wanted = 0;
    int prompt = 0;
    bool first_sent = false;
    std::function<void()> on_first, on_end;
    long tokens() const { return prompt - to_read + written; }
    long blocks() const { return (prompt + written + kBlock) / kBlock; }
};
using SequencePtr = std::shared_ptr<Sequence>;

class Replica {
  public:
    Replica(Clock& clock, const ServerTruth& truth, std::uint64_t seed) : clock_(clock), truth_(truth), engine_(seed) {}

    void add(SequencePtr sequence) {
        waiting_.push_back(std::move(sequence));
        if (stepping_) return;
        stepping_ = true;
        // Scheduling takes a moment, in which further arrivals join.
        clock_.at(clock_.now + 1e-3, [this] { step(); });
    }
    std::size_t load() const { return waiting_.size() + active_.size(); }

  private:
    long blocks_in_use() const {
        long sum = 0;
        for (const auto& one : active_) sum += one->blocks();
        return sum;
    }

    void make_room() {
        const long all = truth_.kv_tokens / kBlock;
        long used = blocks_in_use();
        while (used + std::ssize(active_) / kBlock > all && active_.size() > 1) {
            SequencePtr victim = active_.back();
            active_.pop_back();
            used -= victim->blocks();
            victim->to_read = victim->prompt + victim->written;
            waiting_.push_front(std::move(victim));
        }
        while (!waiting_.empty() && static_cast<int>(active_.size()) < truth_.slots) {
            const long need = waiting_.front()->blocks();
            if (used + need > all && !active_.empty()) break;
            used += need;
            active_.push_back(waiting_.front());
            waiting_.pop_front();
        }
    }

    double law(double n, double context, double read) const {
        switch (truth_.law) {
            case Law::roofline: return std::max(truth_.a + truth_.c * context, truth_.d * (n + read));
            case Law::additive: return truth_.a + truth_.d * 4 * n + truth_.c * context + truth_.d * read;
            case Law::staircase: return truth_.a * (1 + 0.06 * std::ceil(n / 8)) + truth_.c * context + truth_.d * read;
        }
        return 0;
    }

    void step() {
        make_room();
        if (active_.empty()) {
            stepping_ = false;
            return;
        }
        const bool any_reading = std::ranges::any_of(active_, [](const auto& one) { return one->to_read > 0; });
        const bool decode = truth_.chunked || !any_reading;
        double n = 0, context = 0, read = 0;
        int budget = truth_.batch_tokens;
        std::vector<std::pair<SequencePtr, int>> work;  // tokens read, or 0 for one written
        if (decode)
            for (const auto& one : active_)
                if (one->to_read == 0) {
                    n += 1;
                    context += static_cast<double>(one->tokens());
                    --budget;
                    work.emplace_back(one, 0);
                }
        for (const auto& one : active_) {
            if (one->to_read == 0 || budget <= 0) continue;
            if (!truth_.chunked && read > 0 && one->to_read > budget) break;
            const int chunk = truth_.chunked ? std::min(budget, one->to_read) : one->to_read;
            budget -= chunk;
            read += chunk;
            work.emplace_back(one, chunk);
        }
        double seconds = law(n, context, read) * std::exp(truth_.noise * normal() - truth_.noise * truth_.noise / 2);
        if (uniform(engine_) < truth_.hiccup_chance) seconds += 0.075 + 0.15 * uniform(engine_);
        clock_.at(clock_.now + seconds, [this, work = std::move(work)] { end_step(work); });
    }

    void end_step(const std::vector<std::pair<SequencePtr, int>>& work) {
        for (const auto& [one, chunk] : work) {
            one->to_read -= chunk;
            if (one->to_read > 0) continue;
            ++one->written;
            if (!one->first_sent) {
                one->first_sent = true;
                one->on_first();
            }
            if (one->written >= one->wanted) {
                std::erase(active_, one);
                one->on_end();
            }
        }
        step();
    }

    Clock& clock_;
    const ServerTruth& truth_;
    double normal() { return std::sqrt(-2 * std::log(1 - uniform(engine_))) * std::cos(2 * std::numbers::pi * uniform(engine_)); }

    std::mt19937_64 engine_;
    std::deque<SequencePtr> waiting_;
    std::vector<SequencePtr> active_;
    bool stepping_ = false;
};

class Search {
  public:
    Search(Clock& clock, int servers) : clock_(clock), servers_(servers) {}
    void use(double seconds, std::function<void()> then) {
        if (servers_ > 0 && busy_ >= servers_) {
            queue_.emplace_back(seconds, std::move(then));
            return;
        }
        ++busy_;
        clock_.at(clock_.now + seconds, [this, then = std::move(then)] {
            --busy_;
            if (!queue_.empty()) {
                auto [seconds, next] = std::move(queue_.front());
                queue_.pop_front();
                use(seconds, std::move(next));
            }
            then();
        });
    }

  private:
    Clock& clock_;
    int servers_, busy_ = 0;
    std::deque<std::pair<double, std::function<void()>>> queue_;
};

class World {
  public:
    World(const ServerTruth& server, Shape shape, double prompt_scale, std::uint64_t seed, bool traces)
        : server_(server),
          shape_(shape),
          prompt_scale_(prompt_scale),
          seed_(seed),
          traces_(traces),
          search_(clock_, server.search_servers),
          engine_(seed) {
        for (int i = 0; i < server.replicas; ++i)
            replicas_.push_back(std::make_unique<Replica>(clock_, server_, seed * 31 + static_cast<std::uint64_t>(i)));
    }

    Run run(int concurrency, int sessions) {
        for (int i = 0; i < concurrency; ++i) clock_.at(0.2 * uniform(engine_), [this] { begin_session(); });
        while (ended_ < sessions && clock_.step()) {
        }
        Run out;
        // The last ones to start are left out: of these only short ones have ended.
        const auto warm = static_cast<std::size_t>(concurrency);
        const std::size_t last = traces_ ? sessions_.size() : sessions_.size() - std::min(sessions_.size() / 2, 3 * warm);
        std::vector<double> lengths;
        for (std::size_t i = warm; i < last; ++i)
            if (sessions_[i]->end > 0) lengths.push_back(sessions_[i]->end - sessions_[i]->start);
        out.p95 = plimsoll::percentile(lengths, 95);
        if (traces_)
            for (auto& one : sessions_) out.traces.push_back(std::move(one->trace));
        return out;
    }

  private:
    struct Session {
        Plan plan;
        double start = 0, end = 0;
        std::size_t stage = 0;
        int open_branches = 0;
        std::string id, stage_id;
        SessionTrace trace;
    };

    std::string new_id() { return fmt::format("{:016x}", ++ids_); }

    void note(Session& session, Category category, Phase phase, const std::string& name, const std::string& id, const std::string& parent,
              const Op* op = nullptr) {
        if (!traces_) return;
        Step step;
        step.parent_id = parent;
        step.payload.event_type = {category, phase};
        step.payload.event_timestamp = kEpoch + clock_.now;
        step.payload.name = name;
        step.payload.uuid = id;
        if (op && phase == Phase::end) {
            step.payload.usage_info.emplace();
            step.payload.usage_info->token_usage.prompt_tokens = op->prompt;
            step.payload.usage_info->token_usage.completion_tokens = op->output;
        }
        session.trace.steps.push_back(std::move(step));
    }

    void begin_session() {
        auto& session = *sessions_.emplace_back(std::make_unique<Session>());
        session.plan = make_plan(shape_, prompt_scale_, seed_, static_cast<int>(sessions_.size()) - 1);
        session.start = clock_.now;
        session.id = new_id();
        session.trace.request_number = std::ssize(sessions_) - 1;
        note(session, Category::workflow, Phase::start, "agent", session.id, "root");
        begin_stage(session);
    }

    void begin_stage(Session& session) {
        if (session.stage == session.plan.size()) {
            session.end = clock_.now;
            ++ended_;
            note(session, Category::workflow, Phase::end, "agent", session.id, "root");
            return begin_session();
        }
        const Stage& stage = session.plan[session.stage];
        session.stage_id = new_id();
        session.open_branches = static_cast<int>(stage.branches.size());
        note(session, Category::function, Phase::start, stage.name, session.stage_id, session.id);
        for (const Branch& branch : stage.branches) {
            const std::string id = new_id();
            note(session, Category::function, Phase::start, stage.name + "_branch", id, session.stage_id);
            next_op(session, branch, 0, id);
        }
    }

    void next_op(Session& session, const Branch& branch, std::size_t index, const std::string& id) {
        if (index == branch.size()) {
            note(session, Category::function, Phase::end, session.plan[session.stage].name + "_branch", id, session.stage_id);
            if (--session.open_branches > 0) return;
            note(session, Category::function, Phase::end, session.plan[session.stage].name, session.stage_id, session.id);
            ++session.stage;
            return begin_stage(session);
        }
        const Op& op = branch[index];
        const std::string call = new_id();
        if (!op.model) {
            note(session, Category::tool, Phase::start, "search", call, id);
            return search_.use(op.seconds, [=, this, &session, &branch] {
                note(session, Category::tool, Phase::end, "search", call, id);
                next_op(session, branch, index + 1, id);
            });
        }
        note(session, Category::llm, Phase::start, "model-a", call, id);
        auto sequence = std::make_shared<Sequence>();
        sequence->to_read = sequence->prompt = op.prompt;
        sequence->wanted = op.output;
        sequence->on_first = [=, this, &session] { note(session, Category::llm, Phase::chunk, "model-a", call, id); };
        sequence->on_end = [=, this, &session, &branch, &op] {
            note(session, Category::llm, Phase::end, "model-a", call, id, &op);
            next_op(session, branch, index + 1, id);
        };
        // The network and the HTTP layer take 4 ms on the way in.
        clock_.at(clock_.now + 4e-3, [this, sequence] { route().add(sequence); });
    }

    Replica& route() {
        const std::size_t count = replicas_.size();
        if (server_.route == Route::round_robin) return *replicas_[next_++ % count];
        if (server_.route == Route::random)
            return *replicas_[std::min(count - 1, static_cast<std::size_t>(uniform(engine_) * static_cast<double>(count)))];
        return **std::ranges::min_element(replicas_, {}, [](const auto& one) { return one->load(); });
    }

    Clock clock_;
    ServerTruth server_;
    Shape shape_;
    double prompt_scale_;
    std::uint64_t seed_;
    bool traces_;
    Search search_;
    std::mt19937_64 engine_;
    std::vector<std::unique_ptr<Replica>> replicas_;
    std::vector<std::unique_ptr<Session>> sessions_;
    std::size_t next_ = 0;
    std::uint64_t ids_ = 0;
    int ended_ = 0;
};

}  // namespace

Run run_truth(const ServerTruth& server, Shape shape, double prompt_scale, std::uint64_t seed, int concurrency, int sessions, bool traces) {
    return World(server, shape, prompt_scale, seed, traces).run(concurrency, sessions);
}

}  // namespace study
