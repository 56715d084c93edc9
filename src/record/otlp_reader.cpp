#include "record/otlp_reader.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "base/json_values.h"
#include "record/otlp_wire.h"

namespace plimsoll::record {
namespace {

constexpr int kStatusError = 2;
constexpr std::uint64_t kNanoseconds = 1'000'000'000;  // of a second

// Whole seconds apart from the fraction: nanoseconds since the epoch have more digits than a double.
double seconds(std::uint64_t nanoseconds) {
    const std::uint64_t whole = nanoseconds / kNanoseconds;
    return static_cast<double>(whole) + static_cast<double>(nanoseconds % kNanoseconds) / kNanoseconds;
}

// Why a span is of no use; empty when it is.
std::string_view flaw(const ReadSpan& span) {
    if (span.trace_id.empty() || span.span_id.empty()) return "span without an id";
    if (span.start <= 0) return "span without a start time";
    return "";
}

// What a reader of a whole text gives to.
struct Taker {
    std::string_view whole;
    SpanPlace::Form form;
    const OnSpan& on_span;
    event::SkipReport& skipped;

    std::string place_of(std::string_view bytes) const { return fmt::format("byte {}", bytes.data() - whole.data()); }

    void keep(const ReadSpan& span, std::string_view bytes) {
        if (const auto reason = flaw(span); !reason.empty())
            skipped.add(std::string(reason), place_of(bytes));
        else
            on_span(span, {bytes, form});
    }
};

std::string hex(std::string_view bytes) {
    std::string out;
    for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
    return out;
}

json::value wire_value(std::string_view bytes, int depth);

void wire_pair(std::string_view bytes, json::object& out, int depth) {
    WireReader reader(bytes);
    WireReader::Field field;
    std::string_view key;
    json::value value;
    while (reader.next(field)) {
        if (field.tag == 1 && field.is_bytes) key = field.bytes;
        if (field.tag == 2 && field.is_bytes) value = wire_value(field.bytes, depth);
    }
    if (!key.empty()) out.insert_or_assign(key, std::move(value));
}

json::value wire_list(std::string_view bytes, int depth) {
    json::array out;
    WireReader reader(bytes);
    for (WireReader::Field field; reader.next(field);)
        if (field.tag == 1 && field.is_bytes) out.push_back(wire_value(field.bytes, depth));
    return out;
}

json::value wire_mapping(std::string_view bytes, int depth) {
    json::object out;
    WireReader reader(bytes);
    for (WireReader::Field field; reader.next(field);)
        if (field.tag == 1 && field.is_bytes) wire_pair(field.bytes, out, depth);
    return out;
}

// An AnyValue. Bytes are of no use to anybody here and read as null.
json::value wire_value(std::string_view bytes, int depth) {
    if (depth > kMaxValueDepth) return nullptr;
    json::value value;
    WireReader reader(bytes);
    for (WireReader::Field field; reader.next(field);) switch (field.tag) {
            case 1: value = field.bytes; break;
            case 2: value = field.number != 0; break;
            case 3: value = field.as_int(); break;
            case 4: value = field.as_double(); break;
            case 5: value = wire_list(field.bytes, depth + 1); break;
            case 6: value = wire_mapping(field.bytes, depth + 1); break;
            default: break;
        }
    return value;
}

ReadEvent wire_event(std::string_view bytes) {
    ReadEvent event;
    WireReader reader(bytes);
    for (WireReader::Field field; reader.next(field);) switch (field.tag) {
            case 1: event.time = seconds(field.number); break;
            case 2: event.name = field.bytes; break;
            case 3: wire_pair(field.bytes, event.attributes, 0); break;
            default: break;
        }
    return event;
}

void wire_status(std::string_view bytes, ReadSpan& span) {
    WireReader reader(bytes);
    for (WireReader::Field field; reader.next(field);) {
        if (field.tag == 2) span.status_message = field.bytes;
        if (field.tag == 3) span.failed = field.number == kStatusError;
    }
}

ReadSpan wire_span(WireReader reader, bool& damaged) {
    ReadSpan span;
    for (WireReader::Field field; reader.next(field);) switch (field.tag) {
            case 1: span.trace_id = hex(field.bytes); break;
            case 2: span.span_id = hex(field.bytes); break;
            case 4: span.parent_id = hex(field.bytes); break;
            case 5: span.name = field.bytes; break;
            case 7: span.start = seconds(field.number); break;
            case 8: span.end = seconds(field.number); break;
            case 9: wire_pair(field.bytes, span.attributes, 0); break;
            case 11: span.events.push_back(wire_event(field.bytes)); break;
            case 15: wire_status(field.bytes, span); break;
            default: break;
        }
    damaged = reader.damaged();
    return span;
}

// Request, ResourceSpans and ScopeSpans: field 1, 2 and 2 lead to the spans.
void wire_spans(std::string_view bytes, int level, Taker& out) {
    constexpr std::uint64_t kPath[] = {1, 2, 2};
    WireReader reader(bytes);
    for (WireReader::Field field; reader.next(field);) {
        if (field.tag != kPath[level] || !field.is_bytes) continue;
        if (level < 2) {
            wire_spans(field.bytes, level + 1, out);
            continue;
        }
        bool damaged = false;
        const ReadSpan read = wire_span(WireReader(field.bytes), damaged);
        if (damaged || reader.damaged())
            out.skipped.add("damaged span", out.place_of(field.bytes));
        else
            out.keep(read, field.bytes);
    }
    // A message that is cut ends all that it is in: said once, by the innermost.
    if (reader.damaged() && (level == 2 || out.skipped.empty()))
        out.skipped.add("protobuf ends early or is damaged", out.place_of(reader.rest()));
}

// A span as exporters write it begins with its length, a trace id of 16 bytes and a span id of 8.
bool begins_span(std::string_view bytes, std::size_t at) {
    return at + 20 <= bytes.size() && bytes.substr(at, 2) == "\x0a\x10" && bytes.substr(at + 18, 2) == "\x12\x08";
}

// Length of the span that begins at `at`, from the bytes in front of it; 0 when they are none.
std::size_t length_before(std::string_view bytes, std::size_t at) {
    constexpr char kSpanTag = 2 << 3 | 2;
    constexpr std::size_t kMaxLengthBytes = 4;
    for (std::size_t size = 1; size <= kMaxLengthBytes && size < at; ++size) {
        std::string_view varint = bytes.substr(at - size, size);
        std::uint64_t length = 0;
        if (bytes[at - size - 1] == kSpanTag && WireReader::read_varint(varint, length) && varint.empty()) return length;
    }
    return 0;
}

// Inserted or lost bytes make every length around them wrong: the spans behind them are found by how they begin.
void find_lost_spans(std::string_view bytes, const OnSpan& on_span) {
    std::set<std::pair<std::string, std::string>> known;
    event::SkipReport said_already;
    const OnSpan note = [&](const ReadSpan& span, const SpanPlace&) { known.emplace(span.trace_id, span.span_id); };
    Taker found{bytes, SpanPlace::Form::protobuf, note, said_already};
    wire_spans(bytes, 0, found);
    for (std::size_t at = 0; (at = bytes.find("\x0a\x10", at)) != std::string_view::npos; ++at) {
        const std::size_t length = begins_span(bytes, at) ? length_before(bytes, at) : 0;
        if (length == 0 || length > bytes.size() - at) continue;
        const std::string_view place = bytes.substr(at, length);
        bool damaged = false;
        const ReadSpan span = wire_span(WireReader(place), damaged);
        if (!damaged && flaw(span).empty() && known.emplace(span.trace_id, span.span_id).second)
            on_span(span, {place, SpanPlace::Form::protobuf});
    }
}

const json::value* find_either(const json::value& object, std::string_view camel, std::string_view snake) {
    const auto* found = find(object, camel);
    return found ? found : find(object, snake);
}

std::string id_text(const json::value* value) {
    if (!value || !value->is_string()) return "";
    std::string id(value->get_string());
    if (id.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos)
        for (char& c : id) c |= 0x20;
    return id.find_first_not_of('0') == std::string::npos ? "" : id;
}

std::uint64_t whole_number(const json::value* value) {
    if (!value) return 0;
    if (const auto* text = value->if_string()) {
        std::uint64_t number = 0;
        const auto read = std::from_chars(text->data(), text->data() + text->size(), number);
        return read.ec == std::errc() ? number : 0;
    }
    json::error_code error;
    const auto number = value->is_number() ? value->to_number<std::uint64_t>(error) : 0;
    return error ? 0 : number;
}

json::value json_value(const json::value& any, int depth);

json::object json_attributes(const json::value* list, int depth) {
    json::object out;
    const auto* pairs = list ? list->if_array() : nullptr;
    if (!pairs) return out;
    for (const json::value& pair : *pairs) {
        const auto* key = find(pair, "key");
        const auto* value = find(pair, "value");
        if (key && key->is_string() && value) out.insert_or_assign(key->get_string(), json_value(*value, depth));
    }
    return out;
}

json::value json_list(const json::value& list, int depth) {
    json::array out;
    const auto* values = find(list, "values");
    if (const auto* items = values ? values->if_array() : nullptr)
        for (const json::value& item : *items) out.push_back(json_value(item, depth));
    return out;
}

json::value json_value(const json::value& any, int depth) {
    if (depth > kMaxValueDepth) return nullptr;
    for (const auto& [name, snake] :
         {std::pair("stringValue", "string_value"), {"boolValue", "bool_value"}, {"doubleValue", "double_value"}})
        if (const auto* value = find_either(any, name, snake)) return *value;
    if (const auto* value = find_either(any, "intValue", "int_value")) {
        const auto* text = value->if_string();
        std::int64_t number = 0;
        if (text && std::from_chars(text->data(), text->data() + text->size(), number).ec == std::errc()) return number;
        return *value;
    }
    if (const auto* list = find_either(any, "arrayValue", "array_value")) return json_list(*list, depth + 1);
    if (const auto* pairs = find_either(any, "kvlistValue", "kvlist_value")) return json_attributes(find(*pairs, "values"), depth + 1);
    return nullptr;
}

ReadSpan json_span(const json::value& value) {
    ReadSpan span;
    span.trace_id = id_text(find_either(value, "traceId", "trace_id"));
    span.span_id = id_text(find_either(value, "spanId", "span_id"));
    span.parent_id = id_text(find_either(value, "parentSpanId", "parent_span_id"));
    span.name = get_string(value, "name").value_or("");
    span.start = seconds(whole_number(find_either(value, "startTimeUnixNano", "start_time_unix_nano")));
    span.end = seconds(whole_number(find_either(value, "endTimeUnixNano", "end_time_unix_nano")));
    span.attributes = json_attributes(find(value, "attributes"), 0);
    if (const auto* status = find(value, "status")) {
        span.failed = get_int(*status, "code") == kStatusError || get_string(*status, "code") == "STATUS_CODE_ERROR";
        span.status_message = get_string(*status, "message").value_or("");
    }
    const auto* list = find(value, "events");
    if (const auto* events = list ? list->if_array() : nullptr)
        for (const json::value& event : *events)
            span.events.push_back({get_string(event, "name").value_or(""),
                                   seconds(whole_number(find_either(event, "timeUnixNano", "time_unix_nano"))),
                                   json_attributes(find(event, "attributes"), 0)});
    return span;
}

// Where the next list of spans begins, from `at` on. In a text the quotes would stand escaped, so the key is the key.
std::size_t find_spans(std::string_view text, std::size_t at) {
    constexpr std::string_view kKey = "\"spans\"", kSpace = " \t\r\n";
    while ((at = text.find(kKey, at)) != std::string_view::npos) {
        at += kKey.size();
        const std::size_t colon = text.find_first_not_of(kSpace, at);
        if (colon == std::string_view::npos || text[colon] != ':') continue;
        const std::size_t bracket = text.find_first_not_of(kSpace, colon + 1);
        if (bracket != std::string_view::npos && text[bracket] == '[') return bracket;
    }
    return std::string_view::npos;
}

}  // namespace

ReadSpan read_span(const SpanPlace& place) {
    bool damaged = false;
    if (place.form == SpanPlace::Form::protobuf) return wire_span(WireReader(place.bytes), damaged);
    const auto value = JsonValues(place.bytes).next();
    return value && *value ? json_span(**value) : ReadSpan();
}

void read_otlp_protobuf(std::string_view bytes, const OnSpan& on_span, event::SkipReport& skipped) {
    event::SkipReport here;
    Taker out{bytes, SpanPlace::Form::protobuf, on_span, here};
    wire_spans(bytes, 0, out);
    if (!here.empty()) find_lost_spans(bytes, on_span);
    skipped.add(here, "");
}

void read_otlp_json(std::string_view text, const OnSpan& on_span, event::SkipReport& skipped) {
    Taker out{text, SpanPlace::Form::json, on_span, skipped};
    for (std::size_t at = 0; (at = find_spans(text, at)) != std::string_view::npos;) {
        JsonValues values(text.substr(at));
        while (const auto value = values.next()) {
            const std::size_t place = at + values.offset();
            const std::string_view bytes = text.substr(place, at + values.position() - place);
            if (*value)
                out.keep(json_span(**value), bytes);
            else
                skipped.add("damaged span", out.place_of(bytes));
        }
        // Where the list never ended, others may follow what broke it.
        at += values.cut_off() ? values.offset() + 1 : values.position();
    }
}

}  // namespace plimsoll::record
