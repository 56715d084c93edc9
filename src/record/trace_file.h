// Any file with the steps of sessions in it, told apart by content: Plimsoll's event log, NAT's all_requests_profiler_traces.json and
// workflow_output.json, steps a line each (telemetry `file`), ATIF trajectories, OTLP as JSON or protobuf; each of them also as gzip or
// zstd.
//
//   TraceReader reader([&](event::SessionTrace session) { use(session); }, /*renumber=*/false);
//   PLIMSOLL_TRY(reader.read("out"));                   // a file or a run folder; any number of them
//   reader.finish();
//   for (auto& [reason, entry] : reader.skipped().reasons()) …   // what could not be read, and where
//
// Files may be cut or damaged anywhere: what can be read is, one element, line or span at a time, the rest is counted.
//
// Memory: one session of NAT's files. Of an event log and of OTLP, which is read twice, the places of steps and spans; what of it is
// compressed or no plain file is in memory as a whole and has a bound. All of a file with a step a line.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/file_text.h"
#include "event/trace.h"
#include "record/otlp_file.h"

namespace plimsoll::record {

enum class TraceKind : std::uint8_t { nothing, event_log, nat_traces, steps, atif, otlp_json, otlp_protobuf };
std::string_view to_string(TraceKind kind);

// Of a file that has to be in memory.
inline constexpr std::uint64_t kMaxTraceBytes = 4ull << 30;

inline constexpr std::string_view kStandardInput = "-";

struct TraceSource {
    TraceKind kind = TraceKind::nothing;
    std::filesystem::path file;  // of a folder, the one that was read
    std::size_t sessions = 0;    // of OTLP those that begin in it, once finish() has made them
    event::SkipReport skipped;
};

class TraceReader {
  public:
    using OnSession = std::function<void(event::SessionTrace)>;

    // `renumber`: sessions are numbered as they come, since the numbers of several files repeat.
    TraceReader(OnSession on_session, bool renumber) : on_session_(std::move(on_session)), renumber_(renumber) {}

    // Of a folder the first of events.jsonl, all_requests_profiler_traces.json and workflow_output.json (also with .gz or .zst) that holds
    // a session. "-" is standard input. Sessions are handed out on the way, but for OTLP: a session's spans may be spread over files.
    // Errors: not_found, also for a folder without any of them; io; limit; parse when no session can be read, with what was found. An empty
    // array is NAT's file of a run without items: no session, and no error.
    Result<void> read(const std::filesystem::path& path);

    // One file's bytes, which must outlive finish(). No error when nothing could be read. Errors: limit, parse for damaged compressed data.
    Result<void> parse(std::string_view bytes, std::uint64_t max_bytes);

    // The sessions of all OTLP files, in the order of their start.
    void finish();

    const std::vector<TraceSource>& sources() const { return sources_; }  // what was read without an error, in that order
    event::SkipReport skipped() const;                                    // of all of them, places with their file in front

  private:
    Result<void> read_file(const std::filesystem::path& path);
    void keep(TraceSource source, ReadSpans spans, std::unique_ptr<WholeFile> file);
    void emit(event::SessionTrace session);

    OnSession on_session_;
    bool renumber_;
    std::int64_t emitted_ = 0;
    std::vector<TraceSource> sources_;
    std::vector<SpanRow> spans_;                                 // of all sources, with what they stand in:
    std::map<std::uint32_t, std::unique_ptr<WholeFile>> files_;  // by source
    std::vector<std::unique_ptr<std::string>> texts_;
};

// One file or run folder in memory.
struct ReadTraces {
    TraceKind kind = TraceKind::nothing;
    std::filesystem::path file;
    std::vector<event::SessionTrace> sessions;
    event::SkipReport skipped;
};
Result<ReadTraces> read_trace_file(const std::filesystem::path& path);
Result<ReadTraces> parse_trace_file(std::string_view bytes, std::uint64_t max_bytes = kMaxTraceBytes);

}  // namespace plimsoll::record
