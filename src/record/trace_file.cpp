#include "record/trace_file.h"

#include <fmt/format.h>

#include "base/decompress.h"
#include "base/files.h"
#include "base/json_values.h"
#include "record/atif.h"
#include "record/event_log.h"
#include "record/otlp_reader.h"
#include "record/otlp_sessions.h"
#include "record/otlp_wire.h"
#include "record/run_folder.h"

namespace plimsoll::record {
namespace {

namespace fs = std::filesystem;

// What tells formats apart stands near the beginning, even of a file whose first lines are damaged.
constexpr std::size_t kLookAt = 1 << 20;

bool has_key(std::string_view text, std::string_view key) { return text.substr(0, kLookAt).contains(fmt::format("\"{}\"", key)); }

ReadTraces from_event_log(std::string_view text) {
    ReadTraces out{.kind = TraceKind::event_log};
    auto log = parse_event_log(text);
    if (!log) {
        out.skipped.add(log.error().message, "");
        return out;
    }
    for (auto& [number, session] : log->sessions) {
        event::SessionTrace& trace = out.sessions.emplace_back(number, std::move(session.steps));
        if (!session.end)
            out.skipped.add("session without an end: it was running when the log stopped; kept", fmt::format("session {}", number));
        else if (session.end->intended_start > 0)
            event::note_queueing(trace, session.end->start - session.end->intended_start);
    }
    for (const std::size_t number : log->first_corrupt_lines) out.skipped.add("damaged line", fmt::format("line {}", number));
    if (const std::size_t further = log->corrupt_lines - log->first_corrupt_lines.size(); further > 0)
        out.skipped.add("damaged line", "", further);
    if (log->truncated) out.skipped.add("last line cut off", "event log");
    if (log->dropped_chunks > 0) out.skipped.add("token left out when it was recorded", "event log", log->dropped_chunks);
    return out;
}

// Sessions, or steps without one (a line each), which are told apart by their workflow: each root step begins another.
class SessionReader {
  public:
    void take(const json::value& value, std::size_t number) {
        if (find(value, "intermediate_steps")) {
            out_.kind = TraceKind::nat_traces;
            if (auto session = event::parse_session(value, static_cast<std::int64_t>(number), out_.skipped))
                out_.sessions.push_back(std::move(*session));
        } else if (is_atif(value)) {
            out_.kind = TraceKind::atif;
            if (auto session = read_atif(value, static_cast<std::int64_t>(number), out_.skipped))
                out_.sessions.push_back(std::move(*session));
        } else if (find(value, "payload")) {
            take_step(value, number);
        } else {
            out_.skipped.add("neither a session nor a step", fmt::format("element {}", number));
        }
    }

    ReadTraces finish() { return std::move(out_); }
    event::SkipReport& skipped() { return out_.skipped; }

  private:
    void take_step(const json::value& value, std::size_t number) {
        if (out_.kind == TraceKind::nothing) out_.kind = TraceKind::steps;
        auto step = event::parse_step(value);
        if (!step) {
            out_.skipped.add(step.error().message, fmt::format("step {}", number));
            return;
        }
        // Concurrent sessions interleave in such a file: a step belongs where its parent or its own START is.
        auto found = session_of_.find(step->payload.uuid);
        if (found == session_of_.end()) found = session_of_.find(step->parent_id);
        const bool known = found != session_of_.end();
        const std::size_t session = known ? found->second : out_.sessions.size();
        if (!known) out_.sessions.push_back({static_cast<std::int64_t>(session), {}});
        session_of_.emplace(step->payload.uuid, session);
        out_.sessions[session].steps.push_back(std::move(*step));
    }

    ReadTraces out_;
    std::map<std::string, std::size_t> session_of_;  // uuid of a step -> index of its session
};

ReadTraces from_json_values(std::string_view text) {
    SessionReader reader;
    JsonValues values(text);
    for (std::size_t number = 0; const auto value = values.next(); ++number) {
        if (*value)
            reader.take(**value, number);
        else
            reader.skipped().add("damaged JSON", fmt::format("byte {}", values.offset()));
    }
    if (values.cut_off()) reader.skipped().add("the file ends early", fmt::format("byte {}", text.size()));
    ReadTraces out = reader.finish();
    const bool empty_array = values.is_array() && out.kind == TraceKind::nothing && out.skipped.empty();
    if (empty_array) out.kind = TraceKind::nat_traces;  // NAT's file of a run without items
    return out;
}

ReadTraces from_spans(ReadSpans read, TraceKind kind) {
    ReadTraces out{.kind = kind, .skipped = std::move(read.skipped)};
    out.sessions = make_sessions(std::move(read.spans), out.skipped);
    return out;
}

void append(ReadSpans& all, ReadSpans more, std::string_view place) {
    std::ranges::move(more.spans, std::back_inserter(all.spans));
    all.skipped.add(more.skipped, place);
}

// Requests one after another, each with its length in front as protobuf's delimited streams have it.
ReadSpans read_delimited(std::string_view bytes) {
    ReadSpans all;
    const std::size_t size = bytes.size();
    while (!bytes.empty()) {
        const std::string place = fmt::format("message at byte {}: ", size - bytes.size());
        std::uint64_t length = 0;
        if (!WireReader::read_varint(bytes, length)) {
            all.skipped.add("protobuf ends early or is damaged", place);
            break;
        }
        append(all, read_otlp_protobuf(bytes.substr(0, length)), place);
        if (length > bytes.size()) all.skipped.add("the file ends early", place);
        bytes.remove_prefix(std::min<std::size_t>(length, bytes.size()));
    }
    return all;
}

// Requests as the collector's file exporter writes them: a length of four bytes, then protobuf or JSON, itself compressed or not.
ReadSpans read_framed(std::string_view bytes, std::uint64_t max_bytes) {
    constexpr std::size_t kLengthBytes = 4;
    ReadSpans all;
    const std::size_t size = bytes.size();
    while (bytes.size() > kLengthBytes) {
        const std::string place = fmt::format("message at byte {}: ", size - bytes.size());
        std::size_t length = 0;
        for (std::size_t i = 0; i < kLengthBytes; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
        bytes.remove_prefix(kLengthBytes);
        if (length > bytes.size()) all.skipped.add("the file ends early", place);
        const std::string_view frame = bytes.substr(0, length);
        bytes.remove_prefix(frame.size());
        const auto message = decompress(frame, detect_compression(frame), max_bytes);
        if (!message) {
            all.skipped.add(message.error().message, place);
            continue;
        }
        max_bytes -= message->text.size();
        append(all, message->text.starts_with('{') ? read_otlp_json(message->text) : read_otlp_protobuf(message->text), place);
    }
    return all;
}

bool is_better(const ReadSpans& a, const ReadSpans& b) {
    if (a.spans.size() != b.spans.size()) return a.spans.size() > b.spans.size();
    return a.skipped.count() < b.skipped.count();
}

// Whichever reading of the bytes finds most spans with least damage.
ReadTraces from_protobuf(std::string_view bytes, std::uint64_t max_bytes) {
    ReadSpans best = read_otlp_protobuf(bytes);
    if (!best.skipped.empty() || best.spans.empty()) {
        ReadSpans delimited = read_delimited(bytes);
        if (is_better(delimited, best)) best = std::move(delimited);
        ReadSpans framed = bytes.starts_with('\0') ? read_framed(bytes, max_bytes) : ReadSpans{};
        if (is_better(framed, best)) best = std::move(framed);
    }
    return from_spans(std::move(best), TraceKind::otlp_protobuf);
}

bool looks_like_text(std::string_view bytes) {
    const std::size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return true;
    const bool bracket = bytes[first] == '{' || bytes[first] == '[' || bytes.starts_with("\xef\xbb\xbf");
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r' && c != '\n'; };
    return (first == 0 && bracket) || std::ranges::none_of(bytes.substr(0, kLookAt), is_control);
}

ReadTraces from_text(std::string_view text) {
    if (text.starts_with("{\"t\":") || text.substr(0, kLookAt).contains("\n{\"t\":")) return from_event_log(text);
    if (has_key(text, "intermediate_steps")) return from_json_values(text);
    if (has_key(text, "resourceSpans") || has_key(text, "resource_spans") || has_key(text, "scopeSpans") || has_key(text, "scope_spans"))
        return from_spans(read_otlp_json(text), TraceKind::otlp_json);
    return from_json_values(text);
}

ReadTraces from_bytes(std::string_view bytes, std::uint64_t max_bytes) {
    const bool text = looks_like_text(bytes);
    ReadTraces first = text ? from_text(bytes) : from_protobuf(bytes, max_bytes);
    if (!first.sessions.empty()) return first;
    ReadTraces second = text ? from_protobuf(bytes, max_bytes) : from_text(bytes);
    return second.sessions.empty() ? std::move(first) : std::move(second);
}

std::string describe(const event::SkipReport& skipped) {
    std::string out;
    for (const auto& [reason, entry] : skipped.reasons()) out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", reason, entry.count);
    return out;
}

Result<ReadTraces> read_file(const fs::path& path) {
    const auto bytes = load_file(path == kStandardInput ? "/dev/stdin" : path, kMaxTraceBytes);
    if (!bytes) return fail(bytes.error());
    if (bytes->empty()) return fail(ErrorCode::parse, fmt::format("{}: the file is empty", path.string()));
    auto traces = parse_trace_file(*bytes);
    if (!traces) return fail(traces.error().with_context(path.string()));
    const bool is_empty_run = traces->kind == TraceKind::nat_traces && traces->skipped.empty();
    if (traces->sessions.empty() && !is_empty_run)
        return fail(ErrorCode::parse, fmt::format("{}: no session in it{}{}", path.string(),
                                                  traces->skipped.empty() ? "" : "; skipped: ", describe(traces->skipped)));
    traces->file = path;
    return traces;
}

Result<ReadTraces> read_folder(const fs::path& folder) {
    std::optional<Error> first_error;
    for (const fs::path& path : find_run_files(folder)) {
        auto traces = read_file(path);
        if (traces && first_error) traces->skipped.add("file without a session", first_error->message);
        if (traces) return traces;
        if (!first_error) first_error = traces.error();
    }
    if (first_error) return fail(*first_error);
    return fail(ErrorCode::not_found, fmt::format("{}: no run in it: none of {}", folder.string(), fmt::join(kRunFileNames, ", ")));
}

}  // namespace

std::string_view to_string(TraceKind kind) {
    switch (kind) {
        case TraceKind::nothing: return "nothing known";
        case TraceKind::event_log: return "event log";
        case TraceKind::nat_traces: return "NAT traces";
        case TraceKind::steps: return "steps";
        case TraceKind::atif: return "ATIF";
        case TraceKind::otlp_json: return "OTLP JSON";
        case TraceKind::otlp_protobuf: return "OTLP protobuf";
    }
    return "";
}

Result<ReadTraces> parse_trace_file(std::string_view bytes, std::uint64_t max_bytes) {
    const Compression compression = detect_compression(bytes);
    if (compression == Compression::none) return from_bytes(bytes, max_bytes);
    const auto expanded = decompress(bytes, compression, max_bytes);
    if (!expanded) return fail(expanded.error());
    ReadTraces traces = from_bytes(expanded->text, max_bytes);
    if (expanded->cut) traces.skipped.add("the compressed file ends early or is damaged", fmt::format("byte {}", bytes.size()));
    return traces;
}

Result<ReadTraces> read_trace_file(const fs::path& path) {
    if (path == kStandardInput) return read_file(path);
    std::error_code error;
    return fs::is_directory(path, error) ? read_folder(path) : read_file(path);
}

JoinedTraces join(std::vector<ReadTraces> files) {
    JoinedTraces out;
    for (ReadTraces& file : files) {
        out.skipped.add(file.skipped, file.file.string() + ": ");
        for (event::SessionTrace& session : file.sessions) {
            if (files.size() > 1) session.request_number = static_cast<std::int64_t>(out.sessions.size());
            out.sessions.push_back(std::move(session));
        }
    }
    return out;
}

}  // namespace plimsoll::record
