// Any file with the steps of sessions in it, told apart by content: Plimsoll's event log, NAT's all_requests_profiler_traces.json and
// workflow_output.json, steps a line each (telemetry `file`), ATIF trajectories, OTLP as JSON or protobuf; each of them also as gzip or
// zstd.
//
//   auto file = read_trace_file("out");                 // a file or a run folder
//   for (auto& session : file->sessions) …
//   for (auto& [reason, entry] : file->skipped.reasons()) …   // what could not be read, and where
//
// Files may be cut or damaged anywhere: what can be read is, one element, line or span at a time, the rest is counted.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "event/trace.h"

namespace plimsoll::record {

enum class TraceKind : std::uint8_t { nothing, event_log, nat_traces, steps, atif, otlp_json, otlp_protobuf };
std::string_view to_string(TraceKind kind);

// Bounds of what a file may expand to.
inline constexpr std::uint64_t kMaxTraceBytes = 4ull << 30;

struct ReadTraces {
    TraceKind kind = TraceKind::nothing;
    std::filesystem::path file;  // of a folder, the one that was read
    std::vector<event::SessionTrace> sessions;
    event::SkipReport skipped;
};

inline constexpr std::string_view kStandardInput = "-";

// Of a folder the first of events.jsonl, all_requests_profiler_traces.json and workflow_output.json (also with .gz or .zst) that holds a
// session. "-" is standard input. Errors: not_found, also for a folder without any of them; io; limit; parse when no session can be read,
// with what was found. An empty array is NAT's file of a run without items: no session, and no error.
Result<ReadTraces> read_trace_file(const std::filesystem::path& path);

// One file's bytes; no sessions when nothing could be read. Errors: limit when they expand beyond `max_bytes`.
Result<ReadTraces> parse_trace_file(std::string_view bytes, std::uint64_t max_bytes = kMaxTraceBytes);

// All sessions in the order of the files. Where there is more than one file they are numbered anew, since numbers repeat.
struct JoinedTraces {
    std::vector<event::SessionTrace> sessions;
    event::SkipReport skipped;  // places with their file in front
};
JoinedTraces join(std::vector<ReadTraces> files);

}  // namespace plimsoll::record
