#include "cli/sim_player.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <utility>

#include "llm/sim_answer.h"
#include "llm/sim_request.h"
#include "load/arrivals.h"
#include "load/backoff.h"

namespace plimsoll::cli {
namespace {

using llm::SimTime;
using load::CallRecord;
using load::Nanoseconds;
using load::ScriptStep;

constexpr std::uint64_t kSeedStep = 0x9e3779b97f4a7c15ull;  // any odd number keeps the calls' seeds apart
constexpr std::chrono::seconds kSecond{1};

struct Session {
    const load::Script& script;
    int user;  // of a closed loop
    load::SessionRecord record;
    std::vector<load::Message> conversation;
    std::vector<std::size_t> missing;  // steps that each step still waits for
    std::size_t running = 0;           // steps
    std::optional<Error> failure;
    bool over = false;  // its record is gone; what was planned for it does not happen
};

struct Call {
    std::shared_ptr<Session> session;
    CallRecord record;
    std::vector<load::Message> asked;  // when it goes on in the conversation
    std::string text;
};

struct User {
    Random random;
    int failures = 0;  // in a row
};

class Player {
  public:
    Player(const load::LoadPlan& plan, const load::ScriptBook& book, llm::SimTimeline& timeline, const PlayOptions& options,
           const PlayObserver& observer)
        : plan_(plan), book_(book), timeline_(timeline), options_(options), observer_(observer), arrivals_(plan.arrivals) {
        for (const load::Script& script : book_) {
            auto& followers = followers_.emplace_back(script.steps.size());
            for (std::size_t i = 0; i < script.steps.size(); ++i)
                for (const int before : script.steps[i].after) followers[static_cast<std::size_t>(before)].push_back(i);
        }
    }

    load::LoadOutcome run() {
        if (plan_.open) {
            wait_for_arrival();
        } else {
            for (int user = 0; user < plan_.users; ++user) {
                users_.push_back({Random(plan_.seed + 1 + static_cast<std::uint64_t>(user))});
                start_user_at(plan_.ramp_up * user / plan_.users, user);
            }
        }
        if (const auto end = starts_end()) at(*end + plan_.drain, [this] { cancel_all(); });
        at(kSecond, [this] { each_second(); });
        while (!sessions_.empty() || starts_ahead_ > 0) {
            const auto due = timeline_.next();
            if (!actions_.empty() && (!due || actions_.top().at <= *due)) {
                now_ = actions_.top().at;
                const auto act = actions_.top().act;
                actions_.pop();
                act();
            } else {
                now_ = *due;
                advance();
            }
        }
        now_ = outcome_.elapsed;
        outcome_.starts_end = std::min(now_, starts_end().value_or(now_));
        report();
        return outcome_;
    }

  private:
    struct Action {
        SimTime at;
        std::uint64_t order;  // of equal times the one that was set first
        std::function<void()> act;
        bool operator>(const Action& other) const { return at != other.at ? at > other.at : order > other.order; }
    };

    void at(SimTime time, std::function<void()> act) { actions_.push({time, ++order_, std::move(act)}); }

    // When the plan starts no more sessions; nothing when their number decides.
    std::optional<Nanoseconds> starts_end() const {
        if (plan_.duration.count() > 0) return plan_.duration;
        if (plan_.open) return plan_.arrivals.length();
        return std::nullopt;
    }

    bool may_start() const {
        return (plan_.max_sessions == 0 || outcome_.started < plan_.max_sessions) && (plan_.duration.count() == 0 || now_ < plan_.duration);
    }

    void wait_for_arrival() {
        const auto offset = plan_.max_sessions > 0 && slots_ == plan_.max_sessions ? std::nullopt : arrivals_.next();
        if (!offset || (plan_.duration.count() > 0 && *offset >= plan_.duration)) return;
        ++starts_ahead_;
        at(*offset, [this] {
            --starts_ahead_;
            const std::uint64_t number = slots_++;
            if (std::cmp_greater_equal(sessions_.size(), plan_.max_in_flight))
                ++outcome_.dropped;
            else
                start_session(number, 0);
            wait_for_arrival();
        });
    }

    void start_user_at(SimTime time, int user) {
        if (plan_.duration.count() > 0 && time >= plan_.duration) return;
        ++starts_ahead_;
        at(time, [this, user] {
            --starts_ahead_;
            if (may_start()) start_session(outcome_.started, user);
        });
    }

    void start_session(std::uint64_t number, int user) {
        ++outcome_.started;
        const load::Script& script = book_[number % book_.size()];
        auto session = std::make_shared<Session>(script, user);
        session->record.number = number;
        session->record.intended = session->record.start = now_.count();
        for (const ScriptStep& step : script.steps) session->missing.push_back(step.after.size());
        sessions_.emplace(number, session);
        session->running = 1;  // this function, so that a first step that fails at once does not end what the others have yet to join
        for (std::size_t i = 0; i < script.steps.size() && !session->failure; ++i)
            if (script.steps[i].after.empty()) step_after_delay(session, i);
        release(*session);
    }

    void release(Session& session) {
        if (--session.running == 0) end_session(session);
    }

    void step_after_delay(const std::shared_ptr<Session>& session, std::size_t index) {
        const ScriptStep& step = session->script.steps[index];
        ++session->running;
        if (step.kind == ScriptStep::Kind::wait)
            at(now_ + step.delay + step.duration, [this, session, index] { end_step(session, index); });
        else if (step.delay.count() > 0)
            at(now_ + step.delay, [this, session, index] { begin_call(session, index); });
        else
            begin_call(session, index);
    }

    void begin_call(const std::shared_ptr<Session>& session, std::size_t index) {
        if (session->over) return;
        const ScriptStep& step = session->script.steps[index];
        Call call{session, {}, {}, {}};
        call.record.step = static_cast<std::int32_t>(index);
        call.record.intended = call.record.start = now_.count();
        if (step.in_conversation) call.asked = session->conversation;
        call.asked.insert(call.asked.end(), step.messages.begin(), step.messages.end());
        if (step.made_up_tokens > 0) call.asked.push_back(load::make_up_question(step, plan_.seed, session->record.number, index));
        const std::uint64_t id = ++calls_;
        outcome_.peak_calls = std::max(outcome_.peak_calls, static_cast<int>(open_.size()) + 1);
        const auto submitted = submit(step, call, id);
        if (!step.in_conversation) call.asked.clear();
        const auto place = open_.emplace(id, std::move(call)).first;
        if (!submitted) return end_call(place, refusal(submitted.error()));
        at(now_ + plan_.call_timeout, [this, id] {
            if (const auto found = open_.find(id); found != open_.end()) {
                timeline_.leave(now_, id);
                end_call(found, Error{ErrorCode::timeout, "timed out"});
            }
        });
    }

    // As a server would answer it.
    static Error refusal(const Error& error) {
        const int status = error.code == ErrorCode::limit ? 503 : 400;
        return {ErrorCode::http_status, fmt::format("HTTP {}: {}", status, error.message), status};
    }

    // The server's own reading of the request, so that its counts are those of `sim serve`.
    Result<void> submit(const ScriptStep& step, Call& call, std::uint64_t id) {
        llm::SimRequest request;
        for (const load::Message& message : call.asked) request.prompt += message.text + "\n";
        request.last_user = call.asked.back().text;
        request.messages = static_cast<int>(call.asked.size());
        const std::int64_t max_tokens = step.max_tokens > 0 ? step.max_tokens : options_.max_tokens;
        if (max_tokens > 0) request.max_tokens = max_tokens;
        request.ignore_eos = step.exact_tokens;
        auto answer = llm::make_sim_answer(request, nullptr, options_.tokens);
        if (!answer) return fail(answer.error());
        call.record.prompt_tokens = answer->prompt_tokens;
        call.record.completion_tokens = static_cast<std::int64_t>(answer->size());
        if (step.in_conversation) call.text = std::move(answer->text);
        return timeline_.submit(now_, {.id = id,
                                       .prompt_tokens = std::max(1, answer->prompt_tokens),
                                       .output_tokens = std::max(1, static_cast<int>(call.record.completion_tokens)),
                                       .session = call.session->record.number + 1,
                                       .random = Random(plan_.seed + kSeedStep * id)});
    }

    void advance() {
        events_.clear();
        timeline_.advance(now_, events_);
        for (const llm::SimEvent& event : events_) {
            if (event.kind != llm::SimEvent::Kind::token && event.kind != llm::SimEvent::Kind::finished) continue;
            const auto place = open_.find(event.id);
            if (place == open_.end()) continue;
            if (event.kind == llm::SimEvent::Kind::finished) {
                end_call(place, std::nullopt);
                continue;
            }
            CallRecord& call = place->second.record;
            if (call.first < 0) call.first = event.at.count();
            ++call.pieces;
            if (plan_.keep_tokens) call.token_us.push_back(static_cast<std::uint32_t>((event.at.count() - call.start) / 1000));
        }
    }

    void end_call(std::map<std::uint64_t, Call>::iterator place, std::optional<Error> error) {
        Call call = std::move(place->second);
        open_.erase(place);
        const std::shared_ptr<Session>& session = call.session;
        const auto index = static_cast<std::size_t>(call.record.step);
        call.record.end = now_.count();
        if (error) {
            call.record.prompt_tokens = call.record.completion_tokens = -1;
            session->failure = error;
        } else if (session->script.steps[index].in_conversation) {
            session->conversation = std::move(call.asked);
            session->conversation.push_back({"assistant", std::move(call.text)});
        }
        call.record.error = std::move(error);
        session->record.calls.push_back(std::move(call.record));
        end_step(session, index);
    }

    // A session that failed starts nothing more, and ends with what still runs.
    void end_step(const std::shared_ptr<Session>& session, std::size_t index) {
        if (session->over) return;
        for (const std::size_t next : followers_[session->record.number % book_.size()][index]) {
            if (session->failure) break;
            if (--session->missing[next] == 0) step_after_delay(session, next);
        }
        release(*session);
    }

    void end_session(Session& session) {
        const Nanoseconds begin(session.record.start);
        session.over = true;
        session.record.end = now_.count();
        outcome_.elapsed = now_;
        const auto place = sessions_.find(session.record.number);
        const std::shared_ptr<Session> kept = std::move(place->second);
        sessions_.erase(place);
        observer_.on_session(std::move(session.record));
        if (plan_.open || aborted_) return;
        User& user = users_[static_cast<std::size_t>(session.user)];
        Nanoseconds due =
            now_ + (plan_.exponential_think ? load::from_seconds(-load::to_seconds(plan_.think) * std::log1p(-user.random.uniform()))
                                            : plan_.think);
        user.failures = session.failure ? user.failures + 1 : 0;
        if (session.failure) {
            const Nanoseconds earliest = load::earliest_start(begin, now_, *session.failure, user.failures, user.random);
            if (earliest > due) ++outcome_.put_off;
            due = std::max(due, earliest);
        }
        start_user_at(due, session.user);
    }

    // After the drain: what runs is unfinished.
    void cancel_all() {
        aborted_ = true;
        for (auto& [id, call] : open_) {
            timeline_.leave(now_, id);
            call.record.end = now_.count();
            call.record.unfinished = true;
            call.record.prompt_tokens = call.record.completion_tokens = -1;
            call.session->record.calls.push_back(std::move(call.record));
        }
        open_.clear();
        while (!sessions_.empty()) {
            Session& session = *sessions_.begin()->second;
            std::ranges::stable_sort(session.record.calls, {}, &CallRecord::end);
            session.record.unfinished = true;
            end_session(session);
        }
    }

    void each_second() {
        report();
        at(now_ + kSecond, [this] { each_second(); });
    }

    void report() {
        load::ServerSample server{.running = 0, .waiting = 0};
        for (const llm::SimLoad& load : timeline_.load()) {
            *server.running += static_cast<double>(load.running);
            *server.waiting += static_cast<double>(load.waiting);
            if (load.kv_blocks > 0) server.kv_usage = std::max(server.kv_usage.value_or(0), 1.0 * load.kv_blocks_used / load.kv_blocks);
        }
        observer_.on_second({.wall_start = 0,
                             .elapsed = now_,
                             .started = outcome_.started,
                             .dropped = outcome_.dropped,
                             .sessions = static_cast<int>(sessions_.size()),
                             .calls = static_cast<int>(open_.size()),
                             .peak_calls = outcome_.peak_calls,
                             .draining = aborted_},
                            server);
    }

    const load::LoadPlan& plan_;
    const load::ScriptBook& book_;
    llm::SimTimeline& timeline_;
    const PlayOptions& options_;
    const PlayObserver& observer_;
    load::Arrivals arrivals_;
    std::vector<std::vector<std::vector<std::size_t>>> followers_;  // of each step of each script
    std::priority_queue<Action, std::vector<Action>, std::greater<Action>> actions_;
    std::uint64_t order_ = 0, calls_ = 0, slots_ = 0;
    SimTime now_{0};
    std::map<std::uint64_t, Call> open_;                          // by id: a map, so that the order is the same each time
    std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;  // in flight, by number
    std::vector<User> users_;
    int starts_ahead_ = 0;  // planned ones
    bool aborted_ = false;
    std::vector<llm::SimEvent> events_;  // reused
    load::LoadOutcome outcome_;
};

}  // namespace

load::LoadOutcome play(const load::LoadPlan& plan, const load::ScriptBook& book, llm::SimTimeline& timeline, const PlayOptions& options,
                       const PlayObserver& observer) {
    return Player(plan, book, timeline, options, observer).run();
}

}  // namespace plimsoll::cli
