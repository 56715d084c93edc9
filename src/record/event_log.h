// The run folder's `events.jsonl`: the raw data of a run, on the disk before anything is computed from it. Format and reader; the
// writer is event_log_writer.h.
//
// One JSON object a line:
//   {"t":"run","version":1,"run_id":…,"config_hash":…,"dataset_hash":…,"seed":…,"started":seconds}
//   {"t":"begin","session":n,"item":id}
//   {"t":"step","session":n,"step":{parent_id, function_ancestry, payload}}
//   {"t":"end","session":n,"ok":bool,"output":…,"error":{"code","message","http_status"} or null,
//    "intended_start":s,"start":s,"end":s,"dropped_chunks":n}
//
// Invariants
//  1. The file is only appended to. Only its last line may be cut short; a resumed run starts a new line after it. A last line that
//     lacks nothing but its end counts.
//  2. The first record is "run". A further "run" is a resumption: what was begun and not ended before it is abandoned.
//  3. A session's "begin" comes before its steps, its steps are in the order they happened, and "end" comes after all of them.
//     Records of different sessions interleave.
//  4. A second "begin" of a session discards what came before it of that session.
//  5. A session counts as finished once its "end" is on the disk (fdatasync). What a crash can lose are sessions in flight.
//  6. A reader skips records of a kind it does not know, and counts lines that are damaged.
//  7. Only token chunks are ever left out, and each "end" says how many were left out since the log was opened.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/trace.h"

namespace plimsoll::record {

inline constexpr int kEventLogVersion = 1;
inline constexpr std::string_view kEventLogName = "events.jsonl";

struct EventLogHeader {
    std::string run_id;
    std::string config_hash;   // of what changes a session's course
    std::string dataset_hash;  // of the items
    std::uint64_t seed = 0;
    double started = 0;  // seconds since the epoch
};

struct SessionEnd {
    json::value output;
    std::optional<Error> error;
    double intended_start = 0;  // seconds since the epoch, this machine's clock, as the two below
    double start = 0;
    double end = 0;
};

struct LoggedSession {
    json::value item;  // the dataset row's id
    std::vector<event::Step> steps;
    std::vector<std::string_view> step_lines;  // in place of the steps, when asked for
    std::optional<SessionEnd> end;             // nothing: it was in flight when the log stopped
};

struct EventLogContents {
    std::optional<EventLogHeader> header;            // of the first "run" record
    std::map<std::int64_t, LoggedSession> sessions;  // by number
    std::size_t corrupt_lines = 0;                   // whole lines that are no record
    std::vector<std::size_t> first_corrupt_lines;    // numbers of the first kMaxPlaces of them, from 1
    bool truncated = false;                          // the last line was cut short and left out
    std::uint64_t dropped_chunks = 0;
};

// Errors: not_found, io; unsupported when the log was written by a newer version. Damage is counted, never an error.
Result<EventLogContents> load_event_log(const std::filesystem::path& path);
Result<EventLogContents> parse_event_log(std::string_view text);

// The same with the steps as places in `text` and without outputs, so that the sessions of a log of any length can be read one at a time
// with parse_step_lines(). `looked_at` hears of every line.
Result<EventLogContents> index_event_log(std::string_view text, const std::function<void(std::size_t)>& looked_at);
std::vector<event::Step> parse_step_lines(const std::vector<std::string_view>& lines);

json::value to_json(const EventLogHeader& header);
json::value to_json(std::int64_t session, const SessionEnd& end, std::uint64_t dropped_chunks);

}  // namespace plimsoll::record
