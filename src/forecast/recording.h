// What a load test left behind, as a forecast reads it: sessions as graphs, model calls and tool uses with the client's times,
// a level per measured concurrency.
//
//   RecordingBuilder builder;
//   for (int concurrency : {1, 2, 4}) PLIMSOLL_TRY(builder.add({concurrency, name, sessions}));
//   Result<Recording> recording = std::move(builder).finish();
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "event/trace.h"
#include "forecast/session_graph.h"

namespace plimsoll::forecast {

// Times are seconds since the first event of the level's first run; a further run is set behind it.
struct ModelCall {
    int endpoint = 0;
    int session = 0;  // index into Level::sessions
    double sent = 0, first_token = 0, ended = 0;
    int prompt = 0, output = 0;       // as in Task
    bool streamed = false;            // first_token is known
    std::vector<double> token_times;  // every one when the trace has them all, else empty

    double latency() const { return ended - sent; }
    double decode_seconds() const { return ended - first_token; }
};

struct ToolUse {
    int tool = 0;
    int session = 0;
    int task = -1;  // in the session's graph; -1 in a session that did not end
    double start = 0, end = 0;
};

struct RecordedSession {
    double start = 0, end = 0;
    bool finished = false;
    bool failed = false;
    bool warm_up = false;         // one of the first C, which all start at once
    double weight = 1;            // makes up for long sessions that were cut off by the end of the measurement
    std::uint64_t signature = 0;  // equal for sessions with equal calls: the same dataset item measured again
    SessionGraph graph;           // empty unless finished
    std::vector<char> left_out;   // by task: not to be played in a forecast (a what-if); empty: none

    double length() const { return end - start; }
    bool usable() const { return finished && !failed; }
};

struct Level {
    int concurrency = 0;
    std::vector<RecordedSession> sessions;  // in the order of their start
    std::vector<ModelCall> calls;           // in the order they were sent
    std::vector<ToolUse> tools;             // in the order of their start
    std::vector<double> pauses;             // of users between two sessions, seconds
    double duration = 0;                    // seconds from the first event to the last

    std::vector<std::pair<double, double>> lengths() const;  // (seconds, weight) of usable sessions after the warm-up
    double p95() const;
    double mean_length() const;
    // It ended with its sessions, and cut none off. A file of only the first sessions of a longer run looks so too; where they are many
    // times the users it hardly matters.
    bool ran_out() const;
};

struct Recording {
    std::vector<Level> levels;  // by rising concurrency
    ResourceNames names;
    double think_time = 0;    // median pause of a user between two sessions
    bool all_tokens = false;  // token times of nearly all output tokens are there
    int calls_without_tokens = 0;
    std::vector<std::string> warnings;

    int max_concurrency() const { return levels.empty() ? 0 : levels.back().concurrency; }
};

// Percentile of (value, weight) pairs, p in 0…100; interpolated between the middles of the weights. Empty: 0.
double weighted_percentile(std::vector<std::pair<double, double>> values, double p);

// What was read of one level.
struct LevelTraces {
    int concurrency = 0;
    std::string name;  // for messages
    std::vector<event::SessionTrace> sessions;
    event::SkipReport skipped{};  // what could not be read
    int repetition = 1;           // above 1: a further run, with a warm-up of its own, for a level that is there already
};

// Takes one level after the other, since parsed steps are many times larger than what is kept of them.
// A what-if: of the spans of this name only the first `keep` of a session do anything.
struct LeaveOut {
    std::string name;
    int keep = 0;
};

class RecordingBuilder {
  public:
    // `without`: what a forecast leaves out of every session; what was measured is fitted with it.
    explicit RecordingBuilder(std::vector<LeaveOut> without = {});

    // Errors: invalid_argument (a level's first run twice, no model calls, no token counts, no finished session).
    Result<void> add(const LevelTraces& traces);
    // Errors: invalid_argument (a name in `without` that never occurs; names those that do).
    Result<Recording> finish() &&;

  private:
    Recording recording_;
    std::vector<LeaveOut> without_;
    std::vector<int> hits_;        // per name in without_
    std::set<std::string> names_;  // of spans; only when something is to be left out
};

Result<Recording> make_recording(const std::vector<LevelTraces>& levels, const std::vector<LeaveOut>& without = {});

// The recording without its highest level, and with all work, for the held-out check.
Recording without_highest(const Recording& recording);

}  // namespace plimsoll::forecast
