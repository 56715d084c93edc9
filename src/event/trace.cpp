#include "event/trace.h"

#include <fmt/format.h>

#include <algorithm>

namespace plimsoll::event {

json::value to_json(const SessionTrace& trace) {
    json::array steps;
    steps.reserve(trace.steps.size());
    for (const auto& step : trace.steps) steps.push_back(to_json(step));
    return {{"request_number", trace.request_number}, {"intermediate_steps", std::move(steps)}};
}

json::value to_json(const std::vector<SessionTrace>& traces) {
    json::array out;
    out.reserve(traces.size());
    for (const auto& trace : traces) out.push_back(to_json(trace));
    return out;
}

void note_queueing(SessionTrace& trace, double seconds) {
    if (!(seconds >= 0 && seconds <= kMaxTime)) return;  // not NaN either
    constexpr EventType kStart{Category::workflow, Phase::start};
    const auto start = std::ranges::find(trace.steps, kStart, [](const Step& step) { return step.payload.event_type; });
    if (start == trace.steps.end()) return;
    json::value& metadata = start->payload.metadata;
    if (metadata.is_null()) metadata.emplace_object();
    const auto* provided = find(metadata, "provided_metadata");
    if (!metadata.is_object() || find(metadata, kIntendedStart) || (provided && find(*provided, kIntendedStart))) return;
    metadata.get_object()[kIntendedStart] = start->payload.event_timestamp - seconds;
}

void SkipReport::add(std::string reason, std::string place, std::size_t count) {
    constexpr std::size_t kMaxReasonBytes = 120;
    if (reason.size() > kMaxReasonBytes) {
        std::size_t end = kMaxReasonBytes;
        while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xc0) == 0x80) --end;  // not inside a character
        reason.resize(end);
    }
    if (reasons_.size() >= kMaxReasons && !reasons_.contains(reason)) reason = "other reasons";
    Reason& entry = reasons_[std::move(reason)];
    entry.count += count;
    if (entry.places.size() < kMaxPlaces) entry.places.push_back(std::move(place));
}

void SkipReport::add(const SkipReport& other, std::string_view prefix) {
    for (const auto& [reason, entry] : other.reasons_) {
        std::size_t left = entry.count;
        for (const std::string& place : entry.places) {
            add(reason, fmt::format("{}{}", prefix, place), std::min<std::size_t>(left, 1));
            left -= std::min<std::size_t>(left, 1);
        }
        if (left > 0) add(reason, std::string(prefix), left);
    }
}

std::size_t SkipReport::count() const {
    std::size_t sum = 0;
    for (const auto& [reason, entry] : reasons_) sum += entry.count;
    return sum;
}

json::value to_json(const SkipReport& skipped) {
    json::array out;
    for (const auto& [reason, entry] : skipped.reasons())
        out.push_back({{"reason", reason}, {"count", entry.count}, {"places", json::value_from(entry.places)}});
    return out;
}

std::optional<SessionTrace> parse_session(const json::value& request, std::int64_t number, SkipReport& skipped) {
    const auto* found = find(request, "intermediate_steps");
    const auto* steps = found ? found->if_array() : nullptr;
    if (!steps) {
        skipped.add("no intermediate_steps", fmt::format("request {}", number));
        return std::nullopt;
    }
    SessionTrace trace;
    trace.request_number = get_int(request, "request_number").value_or(number);
    trace.steps.reserve(steps->size());
    for (std::size_t i = 0; i < steps->size(); ++i) {
        auto step = parse_step((*steps)[i]);
        if (step)
            trace.steps.push_back(std::move(*step));
        else
            skipped.add(step.error().message, fmt::format("request {} step {}", number, i));
    }
    return trace;
}

Result<TraceFile> parse_traces(std::string_view text) {
    auto parsed = parse_json(text);
    if (!parsed) return fail(parsed.error());
    const auto* requests = parsed->if_array();
    if (!requests) return fail(ErrorCode::parse, "a trace file is a JSON array of requests");
    TraceFile file;
    for (std::size_t i = 0; i < requests->size(); ++i)
        if (auto session = parse_session((*requests)[i], static_cast<std::int64_t>(i), file.skipped))
            file.sessions.push_back(std::move(*session));
    return file;
}

}  // namespace plimsoll::event
