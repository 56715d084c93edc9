#include "forecast/network.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "base/random.h"
#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

enum class EventKind : std::uint8_t {
    begin_session,
    task_ready,  // its gap is over
    call_sent,   // the call reaches the server
    task_done,
    server_steps,  // steps under way end
};
constexpr unsigned kKindBits = 3;

struct Event {
    double time = 0;
    std::uint64_t order_and_kind = 0;  // events of one instant come in the order they were pushed
    std::uint32_t a = 0;               // live session, or server
    std::uint32_t b = 0;               // task, or generation

    EventKind kind() const { return static_cast<EventKind>(order_and_kind & ((1U << kKindBits) - 1)); }
    bool operator>(const Event& other) const { return time != other.time ? time > other.time : order_and_kind > other.order_and_kind; }
};

struct Live {
    const Script* script = nullptr;
    std::vector<std::uint32_t> waits_for;
    std::size_t left = 0;
    std::size_t number = 0;  // by start
    double start = 0;
};

struct OpenCall {
    std::uint32_t live = 0, task = 0;
    double sent = 0, first_token = -1;
};

struct ToolPool {
    int servers = 0, busy = 0, peak = 0;
    double busy_since = 0, busy_seconds = 0;
    std::deque<std::pair<std::uint32_t, std::uint32_t>> queue;
};

class Network {
  public:
    Network(const NetworkModel& model, const Load& load) : model_(model), load_(load), random_(load.seed) {
        for (std::size_t e = 0; e < model.endpoints.size(); ++e) {
            first_server_.push_back(servers_.size());
            for (int r = 0; r < model.endpoints[e].replicas; ++r) servers_.emplace_back(model.endpoints[e].law, model.endpoints[e].limits);
        }
        next_replica_.assign(model.endpoints.size(), 0);
        pools_.resize(model.tool_servers.size());
        for (std::size_t i = 0; i < pools_.size(); ++i) pools_[i].servers = model.tool_servers[i];
        start_asked_.assign(servers_.size(), 0);
        scheduled_.assign(servers_.size(), 0);
    }

    Result<NetworkResult> run() {
        begin();
        while (counted_done_ < load_.counted) {
            if (!at_once_.empty()) {
                const Event event = at_once_.front();
                at_once_.pop_front();
                handle(event);
            } else if (!starting_.empty() && (events_.empty() || events_.top().time > now_)) {
                start_servers();
            } else if (!events_.empty()) {
                const Event event = events_.top();
                events_.pop();
                now_ = event.time;
                handle(event);
            } else {
                break;
            }
            if (steps_ > kMaxSimulatedSteps) return fail(ErrorCode::limit, "the simulation is too long: too many batch steps");
            if (open_sessions_ > kMaxOpenSessions) {
                overloaded_ = true;
                break;
            }
        }
        return finish();
    }

  private:
    // What happens at once goes past the heap, which most of the time of a play would be spent in otherwise.
    void push(double time, EventKind kind, std::uint32_t a, std::uint32_t b) {
        const Event event{time, order_++ << kKindBits | static_cast<std::uint64_t>(kind), a, b};
        if (time <= now_)
            at_once_.push_back(event);
        else
            events_.push(event);
    }

    void begin() {
        if (load_.rate) {
            push(next_gap(), EventKind::begin_session, 0, 0);
            return;
        }
        for (int user = 0; user < load_.users; ++user) {
            const double at = load_.stagger > 0 ? random_.uniform(0, load_.stagger) : 0;
            push(at, EventKind::begin_session, 0, 0);
        }
    }

    double next_gap() { return -std::log(1 - random_.uniform()) / *load_.rate; }

    void handle(const Event& event) {
        switch (event.kind()) {
            case EventKind::begin_session: begin_session(); break;
            case EventKind::task_ready: run_task(event.a, event.b); break;
            case EventKind::call_sent: send_call(event.a, event.b); break;
            case EventKind::task_done: end_timed_task(event.a, event.b); break;
            case EventKind::server_steps: end_steps(event.a, event.b); break;
        }
    }

    void begin_session() {
        if (load_.runs_out && started_ == load_.order.size()) return;
        if (load_.rate) push(now_ + next_gap(), EventKind::begin_session, 0, 0);
        if (started_ == load_.warm_up) count_from_ = now_;
        std::uint32_t index = 0;
        if (free_.empty()) {
            index = static_cast<std::uint32_t>(live_.size());
            live_.emplace_back();
        } else {
            index = free_.back();
            free_.pop_back();
        }
        Live& live = live_[index];
        live.script = load_.order[started_ % load_.order.size()];
        const auto& steps = live.script->steps();
        live.waits_for.resize(steps.size());
        for (std::size_t i = 0; i < steps.size(); ++i) live.waits_for[i] = steps[i].waits_for;
        live.left = steps.size();
        live.number = started_++;
        live.start = now_;
        ++open_sessions_;
        if (steps.empty()) return end_session(index);
        for (std::uint32_t i = 0; i < steps.size(); ++i)
            if (steps[i].waits_for == 0) make_ready(index, i);
    }

    bool counts(const Live& live) const { return live.number >= load_.warm_up && live.number < load_.warm_up + load_.counted; }

    // Work that starts at once skips the event queue. Forks and joins do not: a long row of them would nest as deep.
    void make_ready(std::uint32_t live, std::uint32_t task) {
        const Script::Step& step = live_[live].script->steps()[task];
        if (step.gap == 0 && step.kind != TaskKind::pause)
            run_task(live, task);
        else
            push(now_ + static_cast<double>(step.gap), EventKind::task_ready, live, task);
    }

    void run_task(std::uint32_t live, std::uint32_t task) {
        const Script::Step& step = live_[live].script->steps()[task];
        switch (step.kind) {
            case TaskKind::model: {
                const double ingest = model_.endpoints[static_cast<std::size_t>(step.resource)].law.ingest;
                push(now_ + ingest, EventKind::call_sent, live, task);
                break;
            }
            case TaskKind::tool: use_tool(live, task); break;
            case TaskKind::pause:
                if (step.seconds > 0)
                    push(now_ + static_cast<double>(step.seconds), EventKind::task_done, live, task);
                else
                    complete(live, task);
                break;
        }
    }

    std::size_t choose_server(std::size_t endpoint) {
        const EndpointModel& model = model_.endpoints[endpoint];
        const std::size_t first = first_server_[endpoint];
        const auto count = static_cast<std::size_t>(model.replicas);
        if (count == 1) return first;
        if (model.routing == Routing::round_robin) return first + next_replica_[endpoint]++ % count;
        if (model.routing == Routing::random)
            return first + std::min(count - 1, static_cast<std::size_t>(random_.uniform() * static_cast<double>(count)));
        std::size_t best = first;
        for (std::size_t i = first; i < first + count; ++i)
            if (servers_[i].load() < servers_[best].load()) best = i;
        return best;
    }

    void send_call(std::uint32_t live, std::uint32_t task) {
        const Script::Step& step = live_[live].script->steps()[task];
        const auto endpoint = static_cast<std::size_t>(step.resource);
        const std::size_t server = choose_server(endpoint);
        std::uint32_t id = 0;
        if (free_calls_.empty()) {
            id = static_cast<std::uint32_t>(calls_.size());
            calls_.emplace_back();
        } else {
            id = free_calls_.back();
            free_calls_.pop_back();
        }
        calls_[id] = {live, task, now_ - model_.endpoints[endpoint].law.ingest, -1};
        const int hit = static_cast<int>(model_.cache_hit_rate * step.prompt);
        servers_[server].submit(now_, {id, std::max(1, step.prompt - hit), step.cached + hit, step.output});
        schedule(server);
    }

    void schedule(std::size_t server) {
        BatchServer& one = servers_[server];
        const auto index = static_cast<std::uint32_t>(server);
        if (one.wants_start()) {
            if (start_asked_[server]) return;
            start_asked_[server] = 1;
            starting_.push_back(index);
        } else if (one.next_time() < std::numeric_limits<double>::infinity() && scheduled_[server] != one.generation()) {
            scheduled_[server] = one.generation();
            push(one.next_time(), EventKind::server_steps, index, one.generation());
        }
    }

    // After everything else of the same instant, so that all that arrives together is in the same step.
    void start_servers() {
        for (const std::uint32_t server : starting_) {
            start_asked_[server] = 0;
            servers_[server].start_steps(now_);
            if (!servers_[server].wants_start()) schedule(server);
        }
        starting_.clear();
    }

    void end_steps(std::uint32_t server, std::uint32_t generation) {
        BatchServer& one = servers_[server];
        if (one.generation() != generation || one.next_time() > now_) return;
        const std::int64_t before = one.totals().steps;
        done_.clear();
        one.advance(done_);
        steps_ += one.totals().steps - before;
        for (const ServerEvent& event : done_) end_call_part(event);
        schedule(server);
    }

    void end_call_part(const ServerEvent& event) {
        OpenCall& call = calls_[event.id];
        // A call that was pushed out of memory reads its prompt again; only its first first token counts.
        if (event.first_token && call.first_token < 0) call.first_token = now_;
        if (!event.finished) return;
        const Live& live = live_[call.live];
        if (counts(live)) {
            const int tokens = live.script->steps()[call.task].output;
            result_.call_seconds.push_back(static_cast<float>(now_ - call.sent));
            first_token_sum_ += call.first_token - call.sent;
            decode_sum_ += now_ - call.first_token;
            decode_tokens_ += tokens - 1;
        }
        free_calls_.push_back(event.id);
        complete(call.live, call.task);
    }

    void count_busy(ToolPool& pool, int change) {
        pool.busy_seconds += pool.busy * (now_ - pool.busy_since);
        pool.busy_since = now_;
        pool.busy += change;
        pool.peak = std::max(pool.peak, pool.busy);
    }

    void use_tool(std::uint32_t live, std::uint32_t task) {
        const Script::Step& step = live_[live].script->steps()[task];
        ToolPool& pool = pools_[static_cast<std::size_t>(step.resource)];
        if (pool.servers > 0 && pool.busy >= pool.servers) {
            pool.queue.emplace_back(live, task);
            return;
        }
        count_busy(pool, 1);
        push(now_ + static_cast<double>(step.seconds), EventKind::task_done, live, task);
    }

    void end_timed_task(std::uint32_t live, std::uint32_t task) {
        const Script::Step& step = live_[live].script->steps()[task];
        if (step.kind == TaskKind::tool) {
            ToolPool& pool = pools_[static_cast<std::size_t>(step.resource)];
            count_busy(pool, -1);
            if (!pool.queue.empty()) {
                const auto [next_live, next_task] = pool.queue.front();
                pool.queue.pop_front();
                use_tool(next_live, next_task);
            }
        }
        complete(live, task);
    }

    void complete(std::uint32_t index, std::uint32_t task) {
        const Script& script = *live_[index].script;
        const Script::Step& step = script.steps()[task];
        for (std::uint32_t i = step.first_next; i < step.end_next; ++i) {
            const std::uint32_t next = script.nexts()[i];
            if (--live_[index].waits_for[next] == 0) make_ready(index, next);
        }
        if (--live_[index].left == 0) end_session(index);
    }

    void end_session(std::uint32_t index) {
        const Live& live = live_[index];
        if (counts(live)) {
            ++counted_done_;
            result_.session_seconds.push_back(now_ - live.start);
        }
        if (count_from_ >= 0) ++ended_while_counting_;
        --open_sessions_;
        free_.push_back(index);
        if (!load_.rate) push(now_ + load_.think_time, EventKind::begin_session, 0, 0);
    }

    NetworkResult finish() {
        const double seconds = count_from_ >= 0 ? now_ - count_from_ : 0;
        if (seconds > 0) result_.sessions_per_second = static_cast<double>(ended_while_counting_) / seconds;
        const auto calls = static_cast<double>(result_.call_seconds.size());
        if (calls > 0) result_.mean_first_token = first_token_sum_ / calls;
        if (decode_tokens_ > 0) result_.mean_token = decode_sum_ / static_cast<double>(decode_tokens_);
        for (std::size_t e = 0; e < model_.endpoints.size(); ++e) result_.endpoints.push_back(sum_up(e));
        for (ToolPool& pool : pools_) {
            count_busy(pool, 0);
            result_.tool_busy.push_back(now_ > 0 ? pool.busy_seconds / now_ : 0);
            result_.tool_peak.push_back(pool.peak);
        }
        result_.steps = steps_;
        result_.overloaded = overloaded_;
        return std::move(result_);
    }

    NetworkResult::Endpoint sum_up(std::size_t endpoint) const {
        NetworkResult::Endpoint out;
        double steps = 0, slots = 0, memory = 0;
        const auto count = static_cast<std::size_t>(model_.endpoints[endpoint].replicas);
        for (std::size_t i = first_server_[endpoint]; i < first_server_[endpoint] + count; ++i) {
            const auto& totals = servers_[i].totals();
            steps += static_cast<double>(totals.steps);
            slots += static_cast<double>(totals.full_slot_steps);
            memory += static_cast<double>(totals.full_kv_steps);
            out.preemptions += totals.preemptions;
            out.busy_share += now_ > 0 ? totals.busy_seconds / now_ / static_cast<double>(count) : 0;
            out.mean_sequences += totals.sequence_steps;
            out.peak_sequences = std::max(out.peak_sequences, totals.peak_sequences);
            out.peak_tokens = std::max(out.peak_tokens, totals.peak_tokens);
        }
        if (steps > 0) {
            out.mean_sequences /= steps;
            out.full_slots_share = slots / steps;
            out.full_memory_share = memory / steps;
        }
        return out;
    }

    const NetworkModel& model_;
    const Load& load_;
    Random random_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::deque<Event> at_once_;            // of this instant
    std::vector<std::uint32_t> starting_;  // servers that begin steps when the instant is over
    std::uint64_t order_ = 0;
    double now_ = 0;
    std::vector<BatchServer> servers_;  // of all endpoints
    std::vector<std::size_t> first_server_, next_replica_;
    std::vector<char> start_asked_;
    std::vector<std::uint32_t> scheduled_;  // generation whose end is among the events
    std::vector<ToolPool> pools_;
    std::vector<Live> live_;
    std::vector<std::uint32_t> free_;
    std::vector<OpenCall> calls_;
    std::vector<std::uint32_t> free_calls_;
    std::vector<ServerEvent> done_;
    std::size_t started_ = 0, counted_done_ = 0, open_sessions_ = 0, ended_while_counting_ = 0;
    double count_from_ = -1;
    double first_token_sum_ = 0, decode_sum_ = 0;
    std::int64_t decode_tokens_ = 0, steps_ = 0;
    bool overloaded_ = false;
    NetworkResult result_;
};

}  // namespace

double NetworkResult::p95() const { return percentile(session_seconds, 95); }
double NetworkResult::mean() const { return plimsoll::mean(session_seconds); }
double NetworkResult::call_p95() const { return percentile(std::vector<double>(call_seconds.begin(), call_seconds.end()), 95); }

Result<NetworkResult> play(const NetworkModel& model, const Load& load) {
    PLIMSOLL_CHECK(!load.order.empty(), "no sessions to play");
    return Network(model, load).run();
}

}  // namespace plimsoll::forecast
