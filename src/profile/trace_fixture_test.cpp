#include "profile/trace_fixture.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {
namespace {

constexpr double kRelativeTolerance = 1e-9;

bool nearly_equal(double a, double b) { return a == b || std::abs(a - b) <= kRelativeTolerance * std::max(std::abs(a), std::abs(b)); }

std::string find_object_difference(const json::object& expected, const json::object& actual, const std::string& place) {
    for (const auto& [key, value] : actual)
        if (!expected.contains(key)) return fmt::format("{}.{}: not expected", place, std::string_view(key));
    for (const auto& [key, value] : expected) {
        const std::string inner = fmt::format("{}.{}", place, std::string_view(key));
        const auto* other = actual.if_contains(key);
        if (!other) return inner + ": missing";
        if (auto difference = find_difference(value, *other, inner); !difference.empty()) return difference;
    }
    return "";
}

std::string load_gzip(const std::string& path) {
    gzFile file = gzopen(path.c_str(), "rb");
    if (!file) return "";
    std::string text;
    std::array<char, 1 << 16> buffer;
    for (int n = 0; (n = gzread(file, buffer.data(), buffer.size())) > 0;) text.append(buffer.data(), n);
    EXPECT_EQ(gzclose(file), Z_OK) << path;
    return text;
}

}  // namespace

event::Step make_step(const StepSpec& spec) {
    event::Step step;
    step.parent_id = spec.parent;
    step.function_ancestry = {spec.function + "-id", spec.function, "root", "root"};
    const auto type = event::parse_event_type(spec.type);
    PLIMSOLL_CHECK(type.has_value(), spec.type);
    step.payload.event_type = *type;
    step.payload.event_timestamp = spec.time;
    step.payload.name = spec.name;
    step.payload.uuid = spec.uuid;
    step.payload.data = event::StepData{.input = spec.input};
    step.payload.usage_info = event::UsageInfo{.token_usage = {.prompt_tokens = spec.prompt_tokens,
                                                               .completion_tokens = spec.completion_tokens,
                                                               .total_tokens = spec.prompt_tokens + spec.completion_tokens}};
    return step;
}

event::SessionTrace make_session(const std::vector<StepSpec>& specs) {
    event::SessionTrace session;
    for (const auto& spec : specs) session.steps.push_back(make_step(spec));
    return session;
}

std::vector<StepSpec> make_call(const std::string& category, const std::string& uuid, double start, double end, const std::string& name,
                                const std::string& parent) {
    return {{.type = category + "_START", .time = start, .uuid = uuid, .name = name, .parent = parent},
            {.type = category + "_END", .time = end, .uuid = uuid, .name = name, .parent = parent}};
}

std::vector<StepSpec> join_calls(const std::vector<std::vector<StepSpec>>& calls) {
    std::vector<StepSpec> all;
    for (const auto& call : calls) all.insert(all.end(), call.begin(), call.end());
    std::ranges::stable_sort(all, {}, &StepSpec::time);
    return all;
}

void set_metadata(event::SessionTrace& session, const std::string& uuid, event::Phase phase, const json::value& metadata) {
    for (event::Step& step : session.steps)
        if (step.payload.uuid == uuid && step.payload.event_type.phase == phase) step.payload.metadata = metadata;
}

Written collect_output(const std::function<void(const AnalysisOutput&)>& analyse) {
    std::string metrics_text;
    Written written;
    JsonStream metrics([&](std::string_view text) { metrics_text += text; });
    TextStream report([&](std::string_view text) { written.report += text; });
    analyse({metrics, report});
    metrics.flush();
    report.flush();
    written.metrics = parse_json(metrics_text).value().as_object();
    return written;
}

TrieNode build_prediction_trie(const std::vector<event::SessionTrace>& sessions, const PredictionTrieSettings& settings,
                               CallStarts starts) {
    PredictionTrie trie(settings, starts);
    const auto start = starts == CallStarts::recorded ? SessionStart::step : SessionStart::step_or_span;
    for (const auto& session : sessions)
        trie.add(session.steps, event::pair_spans(session.steps).spans, make_session_row(session).runtime_from(start));
    return trie.build();
}

void set_error(event::SessionTrace& session, const std::string& uuid, ErrorCode code) {
    set_metadata(session, uuid, event::Phase::end, {{"error", {{"code", to_string(code)}, {"message", "as the test wants"}}}});
}
std::string golden_path(const std::string& file) { return std::string(PLIMSOLL_SOURCE_DIR) + "/tests/goldens/" + file; }

std::string load_golden(const std::string& file) {
    const std::string path = golden_path(file);
    if (!std::filesystem::exists(path)) return load_gzip(path + ".gz");
    auto text = load_file(path);
    EXPECT_TRUE(text.has_value()) << file;
    return text.value_or("");
}

std::vector<event::SessionTrace> load_golden_traces(const std::string& file) {
    auto traces = event::parse_traces(load_golden(file));
    PLIMSOLL_CHECK(traces.has_value() && traces->skipped.empty(), file);
    return std::move(traces->sessions);
}

std::string find_difference(const json::value& expected, const json::value& actual, const std::string& place) {
    if (expected.is_number() && actual.is_number()) {
        const double a = expected.to_number<double>(), b = actual.to_number<double>();
        return nearly_equal(a, b) ? "" : fmt::format("{}: {} is {}", place, a, b);
    }
    if (expected.is_object() && actual.is_object()) return find_object_difference(expected.get_object(), actual.get_object(), place);
    if (expected.is_array() && actual.is_array()) {
        const auto &a = expected.get_array(), &b = actual.get_array();
        if (a.size() != b.size()) return fmt::format("{}: {} elements are {}", place, a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i)
            if (auto difference = find_difference(a[i], b[i], fmt::format("{}[{}]", place, i)); !difference.empty()) return difference;
        return "";
    }
    return expected == actual ? "" : fmt::format("{}: {} is {}", place, to_compact_json(expected), to_compact_json(actual));
}

}  // namespace plimsoll::profile
