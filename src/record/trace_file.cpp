#include "record/trace_file.h"

#include <fmt/format.h>

#include "base/json_values.h"
#include "record/atif.h"
#include "record/event_log.h"
#include "record/run_folder.h"

namespace plimsoll::record {
namespace {

namespace fs = std::filesystem;

// What tells formats apart stands near the beginning, even of a file whose first lines are damaged.
constexpr std::size_t kLookAt = 1 << 20;

bool has_key(std::string_view text, std::string_view key) { return text.substr(0, kLookAt).contains(fmt::format("\"{}\"", key)); }

// One file as it is read.
struct Reading {
    const TraceReader::OnSession& emit;
    std::uint64_t max_bytes = kMaxTraceBytes;  // that what is in memory may expand to
    LookedAt looked_at = [](std::size_t) {};
    TraceSource source;
    ReadSpans spans;

    void take(event::SessionTrace session) {
        ++source.sessions;
        emit(std::move(session));
    }
    bool found_nothing() const { return source.sessions == 0 && spans.spans.empty(); }
    bool is_empty_run() const { return source.kind == TraceKind::nat_traces && source.skipped.empty(); }
};

void from_event_log(std::string_view text, Reading& out) {
    out.source.kind = TraceKind::event_log;
    event::SkipReport& skipped = out.source.skipped;
    auto log = index_event_log(text, out.looked_at);
    if (!log) {
        skipped.add(log.error().message, "");
        return;
    }
    for (auto& [number, session] : log->sessions) {
        if (!session.end)
            skipped.add("session without an end: it was running when the log stopped; kept", fmt::format("session {}", number));
        for (const std::string_view line : session.step_lines) out.looked_at(line.size());
        event::SessionTrace trace{number, parse_step_lines(session.step_lines)};
        if (session.end && session.end->intended_start > 0) event::note_queueing(trace, session.end->start - session.end->intended_start);
        out.take(std::move(trace));
    }
    for (const std::size_t number : log->first_corrupt_lines) skipped.add("damaged line", fmt::format("line {}", number));
    if (const std::size_t further = log->corrupt_lines - log->first_corrupt_lines.size(); further > 0)
        skipped.add("damaged line", "", further);
    if (log->truncated) skipped.add("last line cut off", "event log");
    if (log->dropped_chunks > 0) skipped.add("token left out when it was recorded", "event log", log->dropped_chunks);
}

// Steps without a session (a line each) are told apart by their workflow: each root step begins another.
class StepCollector {
  public:
    void take(const json::value& value, std::size_t number, event::SkipReport& skipped) {
        auto step = event::parse_step(value);
        if (!step) {
            skipped.add(step.error().message, fmt::format("step {}", number));
            return;
        }
        // Concurrent sessions interleave in such a file: a step belongs where its parent or its own START is.
        auto found = session_of_.find(step->payload.uuid);
        if (found == session_of_.end()) found = session_of_.find(step->parent_id);
        const bool known = found != session_of_.end();
        const std::size_t session = known ? found->second : sessions.size();
        if (!known) sessions.emplace_back();
        session_of_.emplace(step->payload.uuid, session);
        sessions[session].push_back(std::move(*step));
    }

    std::vector<std::vector<event::Step>> sessions;

  private:
    std::map<std::string, std::size_t> session_of_;  // uuid of a step -> index of its session
};

// Sessions, or steps.
void from_json_values(TextWindow& text, Reading& out) {
    event::SkipReport& skipped = out.source.skipped;
    StepCollector steps;
    JsonValues values(text);
    for (std::size_t number = 0; const auto value = values.next(); ++number) {
        if (!*value) {
            skipped.add("damaged JSON", fmt::format("byte {}", values.offset()));
        } else if (find(**value, "intermediate_steps")) {
            out.source.kind = TraceKind::nat_traces;
            if (auto session = event::parse_session(**value, static_cast<std::int64_t>(number), skipped)) out.take(std::move(*session));
        } else if (is_atif(**value)) {
            out.source.kind = TraceKind::atif;
            if (auto session = read_atif(**value, static_cast<std::int64_t>(number), skipped)) out.take(std::move(*session));
        } else if (find(**value, "payload")) {
            if (out.source.kind == TraceKind::nothing) out.source.kind = TraceKind::steps;
            steps.take(**value, number, skipped);
        } else {
            skipped.add("neither a session nor a step", fmt::format("element {}", number));
        }
    }
    if (values.cut_off()) skipped.add("the file ends early", fmt::format("byte {}", values.position()));
    for (auto& session : steps.sessions) out.take({static_cast<std::int64_t>(out.source.sessions), std::move(session)});
    const bool empty_array = values.is_array() && out.source.kind == TraceKind::nothing && skipped.empty();
    if (empty_array) out.source.kind = TraceKind::nat_traces;  // NAT's file of a run without items
}

bool looks_like_text(std::string_view bytes) {
    const std::size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return true;
    const bool bracket = bytes[first] == '{' || bytes[first] == '[' || bytes.starts_with("\xef\xbb\xbf");
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r' && c != '\n'; };
    return (first == 0 && bracket) || std::ranges::none_of(bytes.substr(0, kLookAt), is_control);
}

enum class TextKind : std::uint8_t { event_log, otlp, values };

TextKind kind_of(std::string_view text) {
    if (text.starts_with("{\"t\":") || text.substr(0, kLookAt).contains("\n{\"t\":")) return TextKind::event_log;
    if (has_key(text, "intermediate_steps")) return TextKind::values;
    for (const char* key : {"resourceSpans", "resource_spans", "scopeSpans", "scope_spans"})
        if (has_key(text, key)) return TextKind::otlp;
    return TextKind::values;
}

void take_spans(TraceKind kind, ReadSpans spans, Reading& out) {
    out.source.kind = kind;
    out.source.skipped = std::exchange(spans.skipped, {});
    out.spans = std::move(spans);
}

void from_text(std::string_view text, Reading& out) {
    switch (kind_of(text)) {
        case TextKind::event_log: return from_event_log(text, out);
        case TextKind::otlp: return take_spans(TraceKind::otlp_json, read_json_spans(text, out.looked_at), out);
        case TextKind::values: {
            TextWindow window(text);
            return from_json_values(window, out);
        }
    }
}

void from_protobuf(std::string_view bytes, Reading& out) {
    take_spans(TraceKind::otlp_protobuf, read_protobuf_spans(bytes, out.max_bytes, out.looked_at), out);
}

void from_bytes(std::string_view bytes, Reading& out) {
    const bool text = looks_like_text(bytes);
    (text ? from_text : from_protobuf)(bytes, out);
    if (!out.found_nothing()) return;
    const TraceSource first = std::exchange(out.source, {});
    (text ? from_protobuf : from_text)(bytes, out);
    if (out.found_nothing()) out.source = first;
}

void note_cut(const fs::path& path, event::SkipReport& skipped) {
    std::error_code unknown;
    skipped.add("the compressed file ends early or is damaged", fmt::format("byte {}", fs::file_size(path, unknown)));
}

// Sessions one after another need no more of a file in memory than one of them. False when the file is of another kind.
Result<bool> stream_values(const fs::path& path, Reading& out) {
    auto file = FileText::open(path);
    if (!file) return fail(file.error());
    TextWindow window([&](char* to, std::size_t size) { return (*file)->read(to, size); });
    while (window.text().size() < kLookAt && window.grow()) {
    }
    if (!looks_like_text(window.text()) || kind_of(window.text()) != TextKind::values) return false;
    from_json_values(window, out);
    PLIMSOLL_TRY((*file)->status());
    if (out.found_nothing()) {
        out.source = {};
        return false;
    }
    if ((*file)->cut()) note_cut(path, out.source.skipped);
    return true;
}

std::string describe(const event::SkipReport& skipped) {
    std::string out;
    for (const auto& [reason, entry] : skipped.reasons()) out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", reason, entry.count);
    return out;
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

void TraceReader::emit(event::SessionTrace session) {
    if (renumber_) session.request_number = emitted_;
    ++emitted_;
    on_session_(std::move(session));
}

void TraceReader::keep(TraceSource source, ReadSpans spans, std::unique_ptr<WholeFile> file) {
    const auto index = static_cast<std::uint32_t>(sources_.size());
    for (SpanRow& row : spans.spans) row.source = index;
    if (!spans.spans.empty() && file) files_.emplace(index, std::move(file));
    std::ranges::move(spans.spans, std::back_inserter(spans_));
    std::ranges::move(spans.texts, std::back_inserter(texts_));
    sources_.push_back(std::move(source));
}

Result<void> TraceReader::read_file(const fs::path& given) {
    const fs::path path = given == kStandardInput ? "/dev/stdin" : given;
    const OnSession emit = [this](event::SessionTrace session) { this->emit(std::move(session)); };
    Reading reading{.emit = emit, .source = {.file = given}};
    std::error_code unknown;
    if (fs::is_regular_file(path, unknown)) {
        const auto done = stream_values(path, reading);
        if (!done) return fail(done.error());
        if (*done) {
            keep(std::move(reading.source), {}, nullptr);
            return {};
        }
    }
    auto opened = WholeFile::open(path, kMaxTraceBytes);
    if (!opened) return fail(opened.error());
    auto whole = std::make_unique<WholeFile>(std::move(*opened));
    if (whole->text().empty()) return fail(ErrorCode::parse, fmt::format("{}: the file is empty", given.string()));
    reading.looked_at = [&](std::size_t bytes) { whole->looked_at(bytes); };
    from_bytes(whole->text(), reading);
    reading.source.file = given;
    if (reading.found_nothing() && !reading.is_empty_run())
        return fail(ErrorCode::parse, fmt::format("{}: no session in it{}{}", given.string(),
                                                  reading.source.skipped.empty() ? "" : "; skipped: ", describe(reading.source.skipped)));
    if (whole->cut()) note_cut(path, reading.source.skipped);
    keep(std::move(reading.source), std::move(reading.spans), std::move(whole));
    return {};
}

Result<void> TraceReader::read(const fs::path& path) {
    std::error_code error;
    if (path == kStandardInput || !fs::is_directory(path, error)) return read_file(path);
    std::optional<Error> first_error;
    for (const fs::path& file : find_run_files(path)) {
        const auto done = read_file(file);
        if (done && first_error) sources_.back().skipped.add("file without a session", first_error->message);
        if (done) return {};
        if (!first_error) first_error = done.error();
    }
    if (first_error) return fail(*first_error);
    return fail(ErrorCode::not_found, fmt::format("{}: no run in it: none of {}", path.string(), fmt::join(kRunFileNames, ", ")));
}

Result<void> TraceReader::parse(std::string_view bytes, std::uint64_t max_bytes) {
    const OnSession emit = [this](event::SessionTrace session) { this->emit(std::move(session)); };
    Reading reading{.emit = emit, .max_bytes = max_bytes};
    const Compression compression = detect_compression(bytes);
    std::optional<event::SkipReport> cut;
    if (compression != Compression::none) {
        auto expanded = decompress(bytes, compression, max_bytes);
        if (!expanded) return fail(expanded.error());
        if (expanded->cut) cut.emplace().add("the compressed file ends early or is damaged", fmt::format("byte {}", bytes.size()));
        bytes = *texts_.emplace_back(std::make_unique<std::string>(std::move(expanded->text)));
    }
    from_bytes(bytes, reading);
    if (cut) reading.source.skipped.add(*cut, "");
    keep(std::move(reading.source), std::move(reading.spans), nullptr);
    return {};
}

void TraceReader::finish() {
    make_sessions(std::exchange(spans_, {}), {.on_session =
                                                  [this](const SpanRow& first, event::SessionTrace session) {
                                                      ++sources_[first.source].sessions;
                                                      const auto file = files_.find(first.source);
                                                      if (file != files_.end())
                                                          file->second->looked_at(first.place.bytes.size() * session.steps.size());
                                                      emit(std::move(session));
                                                  },
                                              .on_repeated =
                                                  [this](const SpanRow& row, const std::string& span_id) {
                                                      sources_[row.source].skipped.add("repeated span", "span " + span_id);
                                                  }});
}

event::SkipReport TraceReader::skipped() const {
    event::SkipReport all;
    for (const TraceSource& source : sources_) all.add(source.skipped, source.file.string() + ": ");
    return all;
}

namespace {

template <class Read>
Result<ReadTraces> collect(Read read) {
    ReadTraces out;
    TraceReader reader([&](event::SessionTrace session) { out.sessions.push_back(std::move(session)); }, false);
    PLIMSOLL_TRY(read(reader));
    reader.finish();
    const TraceSource& source = reader.sources().front();
    out.kind = source.kind;
    out.file = source.file;
    out.skipped = source.skipped;
    return out;
}

}  // namespace

Result<ReadTraces> read_trace_file(const fs::path& path) {
    return collect([&](TraceReader& reader) { return reader.read(path); });
}

Result<ReadTraces> parse_trace_file(std::string_view bytes, std::uint64_t max_bytes) {
    return collect([&](TraceReader& reader) { return reader.parse(bytes, max_bytes); });
}

}  // namespace plimsoll::record
