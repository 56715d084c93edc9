#include "record/event_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/files.h"

namespace plimsoll::record {
namespace {

json::value error_to_json(const std::optional<Error>& error) {
    if (!error) return nullptr;
    return {{"code", to_string(error->code)}, {"message", error->message}, {"http_status", error->http_status}};
}

Error parse_error(const json::value& value) {
    Error error;
    const std::string code = get_string(value, "code").value_or("internal");
    for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i)
        if (to_string(static_cast<ErrorCode>(i)) == code) error.code = static_cast<ErrorCode>(i);
    error.message = get_string(value, "message").value_or("");
    error.http_status = static_cast<int>(get_int(value, "http_status").value_or(0));
    return error;
}

enum class Keep : std::uint8_t { contents, places };

// One pass over the records; take() says false for a line that is no valid record.
class LogReader {
  public:
    explicit LogReader(Keep keep) : keep_(keep) {}

    bool take(std::string_view line) {
        const auto parsed = parse_json(line);
        if (!parsed) return false;
        const json::value& record = *parsed;
        const auto kind = get_string(record, "t");
        if (!kind) return false;
        if (*kind == "run") return take_run(record);
        if (*kind != "begin" && *kind != "step" && *kind != "end") return true;
        const auto number = get_int(record, "session");
        if (!number) return false;
        if (*kind == "begin") return take_begin(*number, record);
        const auto found = contents.sessions.find(*number);
        // Steps before a begin or after an end belong to no session.
        if (found == contents.sessions.end() || found->second.end) return false;
        return *kind == "step" ? take_step(found->second, record, line) : take_end(found->second, record);
    }

    EventLogContents contents;
    std::int64_t newest_version = 0;

  private:
    bool take_run(const json::value& record) {
        newest_version = std::max(newest_version, get_int(record, "version").value_or(0));
        std::erase_if(contents.sessions, [](const auto& session) { return !session.second.end; });
        if (contents.header) return true;
        EventLogHeader header;
        header.run_id = get_string(record, "run_id").value_or("");
        header.config_hash = get_string(record, "config_hash").value_or("");
        header.dataset_hash = get_string(record, "dataset_hash").value_or("");
        // As text: JSON numbers above 2^53 do not survive every tool.
        const std::string seed = get_string(record, "seed").value_or("0");
        if (std::from_chars(seed.data(), seed.data() + seed.size(), header.seed).ec != std::errc()) return false;
        header.started = get_number(record, "started").value_or(0);
        contents.header = std::move(header);
        return true;
    }

    bool take_begin(std::int64_t number, const json::value& record) {
        LoggedSession session;
        if (const auto* item = find(record, "item")) session.item = *item;
        contents.sessions.insert_or_assign(number, std::move(session));
        return true;
    }

    bool take_step(LoggedSession& session, const json::value& record, std::string_view line) {
        const auto* value = find(record, "step");
        if (!value) return false;
        auto step = event::parse_step(*value);
        if (!step) return false;
        if (keep_ == Keep::contents)
            session.steps.push_back(std::move(*step));
        else
            session.step_lines.push_back(line);
        return true;
    }

    bool take_end(LoggedSession& session, const json::value& record) {
        const auto* ok = find(record, "ok");
        if (!ok || !ok->is_bool()) return false;
        SessionEnd end;
        if (const auto* output = find(record, "output"); output && keep_ == Keep::contents) end.output = *output;
        const auto* error = find(record, "error");
        if (!ok->get_bool()) end.error = parse_error(error ? *error : json::value());
        end.intended_start = get_number(record, "intended_start").value_or(0);
        end.start = get_number(record, "start").value_or(0);
        end.end = get_number(record, "end").value_or(0);
        contents.dropped_chunks = static_cast<std::uint64_t>(std::max<std::int64_t>(0, get_int(record, "dropped_chunks").value_or(0)));
        session.end = std::move(end);
        return true;
    }

    Keep keep_;
};

Result<EventLogContents> read_log(std::string_view text, Keep keep, const std::function<void(std::size_t)>& looked_at) {
    LogReader reader(keep);
    EventLogContents& contents = reader.contents;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(whole ? end + 1 : text.size());
        looked_at(line.size());
        if (reader.take(line)) continue;
        contents.truncated = !whole;
        if (!whole) break;
        ++contents.corrupt_lines;
        if (contents.first_corrupt_lines.size() < event::SkipReport::kMaxPlaces) contents.first_corrupt_lines.push_back(number);
    }
    if (reader.newest_version > kEventLogVersion)
        return fail(ErrorCode::unsupported,
                    fmt::format("the log has format version {}, this program reads up to {}", reader.newest_version, kEventLogVersion));
    return std::move(contents);
}

}  // namespace

Result<EventLogContents> parse_event_log(std::string_view text) {
    return read_log(text, Keep::contents, [](std::size_t) {});
}

Result<EventLogContents> index_event_log(std::string_view text, const std::function<void(std::size_t)>& looked_at) {
    return read_log(text, Keep::places, looked_at);
}

std::vector<event::Step> parse_step_lines(const std::vector<std::string_view>& lines) {
    std::vector<event::Step> steps;
    steps.reserve(lines.size());
    for (const std::string_view line : lines) {
        const auto record = parse_json(line);
        const auto* value = record ? find(*record, "step") : nullptr;
        // Only a file that somebody writes over meanwhile has lines that are no steps any more.
        if (auto step = value ? event::parse_step(*value) : fail(ErrorCode::parse, "")) steps.push_back(std::move(*step));
    }
    return steps;
}

Result<EventLogContents> load_event_log(const std::filesystem::path& path) {
    const auto text = load_file(path);
    if (!text) return fail(text.error());
    auto contents = parse_event_log(*text);
    if (!contents) return fail(contents.error().with_context(path.string()));
    return contents;
}

json::value to_json(const EventLogHeader& header) {
    return {{"t", "run"},
            {"version", kEventLogVersion},
            {"run_id", header.run_id},
            {"config_hash", header.config_hash},
            {"dataset_hash", header.dataset_hash},
            {"seed", std::to_string(header.seed)},
            {"started", header.started}};
}

json::value to_json(std::int64_t session, const SessionEnd& end, std::uint64_t dropped_chunks) {
    return {{"t", "end"},
            {"session", session},
            {"ok", !end.error},
            {"output", end.output},
            {"error", error_to_json(end.error)},
            {"intended_start", end.intended_start},
            {"start", end.start},
            {"end", end.end},
            {"dropped_chunks", dropped_chunks}};
}

}  // namespace plimsoll::record
