#include "eval/json_path.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>

#include "base/log.h"

namespace plimsoll::eval {
namespace {

// Reads a path from the left.
struct Reader {
    std::string_view text;
    std::size_t at = 0;

    bool at_end() const { return at == text.size(); }
    bool take(std::string_view word) {
        if (!text.substr(at).starts_with(word)) return false;
        at += word.size();
        return true;
    }
    std::string_view until(std::string_view stops) {
        const std::size_t end = std::min(text.find_first_of(stops, at), text.size());
        const std::string_view read = text.substr(at, end - at);
        at = end;
        return read;
    }
};

struct Selected {
    std::shared_ptr<const JsonPath> path;
    SessionRunner runner;
    std::atomic<bool> has_warned = false;
};

asio::awaitable<SessionOutcome> run_selected(std::shared_ptr<Selected> selected, std::shared_ptr<event::Session> session,
                                             DatasetItem item) {
    SessionOutcome outcome = co_await selected->runner(std::move(session), std::move(item));
    if (outcome.error) co_return outcome;
    json::value root = outcome.output;
    if (const auto* text = root.if_string())
        if (auto parsed = parse_json(*text)) root = *std::move(parsed);
    const JsonPath& path = *selected->path;
    const auto matches = path.match(root);
    if (matches.empty())
        co_return SessionOutcome{nullptr, Error{ErrorCode::bad_response, fmt::format("result_json_path {} matches nothing", path.text())}};
    if (matches.size() > 1 && !selected->has_warned.exchange(true))
        log_warning("result_json_path {} matches {} values of a result: the first is taken", path.text(), matches.size());
    outcome.output = *matches.front();
    co_return outcome;
}

}  // namespace

Result<JsonPath> JsonPath::parse(std::string_view text) {
    JsonPath path;
    path.text_ = text;
    Reader reader{text};
    const auto wrong = [&](std::string_view what) {
        return fail(ErrorCode::invalid_argument, fmt::format("{} at character {} of {}", what, reader.at + 1, text));
    };
    const bool rooted = reader.take("$");
    if (!rooted && reader.at_end()) return wrong("a path is missing");
    for (bool first = true; !reader.at_end(); first = false) {
        if (path.steps_.size() == kMaxSteps) return wrong("too many steps");
        Step step;
        step.deep = reader.take("..");
        const bool is_name = step.deep ? !reader.text.substr(reader.at).starts_with('[') : reader.take(".") || (first && !rooted);
        if (is_name && !reader.text.substr(reader.at).starts_with('[')) {
            step.name = reader.until(".[");
            if (step.name.empty()) return wrong("a name is missing");
            if (step.name == "*") step.kind = Step::Kind::all;
        } else if (reader.take("[*]")) {
            step.kind = Step::Kind::all;
        } else if (reader.take("['") || reader.take("[\"")) {
            const char quote = text[reader.at - 1];
            step.name = reader.until(std::string_view(&quote, 1));
            if (!reader.take(std::string{quote, ']'})) return wrong("a quoted name is not closed");
        } else if (reader.take("[")) {
            step.kind = Step::Kind::index;
            const std::string_view number = reader.until("]");
            const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), step.index);
            if (error != std::errc() || end != number.data() + number.size() || !reader.take("]")) return wrong("an index is missing");
        } else {
            return wrong("neither . nor [");
        }
        path.steps_.push_back(std::move(step));
    }
    return path;
}

void JsonPath::select(const Step& step, const json::value& value, std::vector<const json::value*>& out) {
    const auto add = [&](const json::value& found) {
        if (out.size() < kMaxMatches) out.push_back(&found);
    };
    const auto* object = value.if_object();
    const auto* array = value.if_array();
    if (object && step.kind == Step::Kind::name) {
        if (const auto* member = object->if_contains(step.name)) add(*member);
    } else if (array && step.kind == Step::Kind::index) {
        const auto size = static_cast<std::int64_t>(array->size());
        const std::int64_t index = step.index < 0 ? step.index + size : step.index;
        if (index >= 0 && index < size) add((*array)[static_cast<std::size_t>(index)]);
    } else if (step.kind == Step::Kind::all) {
        if (object)
            for (const auto& member : *object) add(member.value());
        if (array)
            for (const auto& element : *array) add(element);
    }
    if (!step.deep) return;
    if (object)
        for (const auto& member : *object) select(step, member.value(), out);
    if (array)
        for (const auto& element : *array) select(step, element, out);
}

std::vector<const json::value*> JsonPath::match(const json::value& root) const {
    std::vector<const json::value*> found = {&root};
    for (const Step& step : steps_) {
        std::vector<const json::value*> next;
        for (const json::value* value : found) select(step, *value, next);
        found = std::move(next);
    }
    return found;
}

SessionRunner with_result_path(SessionRunner runner, JsonPath path) {
    if (path.is_whole()) return runner;
    auto selected = std::make_shared<Selected>(std::make_shared<const JsonPath>(std::move(path)), std::move(runner));
    return [selected](std::shared_ptr<event::Session> session, DatasetItem item) {
        return run_selected(selected, std::move(session), std::move(item));
    };
}

}  // namespace plimsoll::eval
