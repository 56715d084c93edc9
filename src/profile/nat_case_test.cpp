// The cases of NAT 1.9.0's own profiler tests and further ones whose figures NAT printed, by name, from tests/data/nat_cases. A step of
// profiler.json is [event type, time, uuid, {function, name, parent, …}]. What a case expects of a file are the values at JSON pointers,
// the cells of CSV columns, or under "" something of the text as a whole. A case is run with and without nat_compat unless it says `only`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/test_cases.h"
#include "profile/call_sensitivity.h"
#include "profile/confidence.h"
#include "profile/prediction_trie.h"
#include "profile/profiler.h"
#include "profile/run_graph.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::HasSubstr;

std::string text_of(const json::value& options, const char* key, const std::string& otherwise) {
    return get_string(options, key).value_or(otherwise);
}

event::Step read_step(const json::array& list) {
    const json::value& options = list.at(3);
    const StepSpec defaults;
    event::Step step = make_step({.type = std::string(list.at(0).as_string()),
                                  .time = list.at(1).to_number<double>(),
                                  .uuid = std::string(list.at(2).as_string()),
                                  .name = text_of(options, "name", ""),
                                  .parent = text_of(options, "parent", defaults.parent),
                                  .function = text_of(options, "function", defaults.function),
                                  .input = find(options, "input") ? *find(options, "input") : json::value(),
                                  .prompt_tokens = get_int(options, "prompt_tokens").value_or(0),
                                  .completion_tokens = get_int(options, "completion_tokens").value_or(0)});
    step.function_ancestry.parent_name = text_of(options, "parent_function", "root");
    step.payload.span_event_timestamp = get_number(options, "span");
    return step;
}

std::vector<event::SessionTrace> read_sessions(const json::value& sessions) {
    std::vector<event::SessionTrace> out;
    for (const json::value& session : sessions.as_array()) {
        event::SessionTrace& trace = out.emplace_back();
        trace.request_number = static_cast<std::int64_t>(out.size() - 1);
        for (const json::value& step : session.as_array()) trace.steps.push_back(read_step(step.as_array()));
    }
    return out;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
    return parts;
}

// The cells of these files need no quotes.
json::array read_column(const std::string& csv, const std::string& name) {
    const auto lines = split(csv, '\n');
    const auto head = split(lines.at(0), ',');
    const auto column = static_cast<std::size_t>(std::ranges::find(head, name) - head.begin());
    json::array cells;
    for (const std::string& line : std::span(lines).subspan(1)) {
        auto fields = split(line, ',');
        fields.resize(head.size());
        cells.push_back(parse_json(fields.at(column)).value_or(json::value(fields.at(column))));
    }
    return cells;
}

json::array keys_of(const json::value& value) {
    json::array keys;
    for (const auto& [key, member] : value.as_object()) keys.emplace_back(key);
    std::ranges::sort(keys, {}, [](const json::value& key) { return std::string_view(key.as_string()); });
    return keys;
}

void expect_value(const json::value& expected, const json::value& actual, const std::string& place) {
    if (const auto* keys = find(expected, "$keys"))
        EXPECT_EQ(find_difference(*keys, keys_of(actual), place), "");
    else if (const auto size = get_int(expected, "$size"))
        EXPECT_EQ(actual.as_array().size(), static_cast<std::size_t>(*size)) << place;
    else
        EXPECT_EQ(find_difference(expected, actual, place), "");
}

void expect_text(const json::value& expected, const std::optional<std::string>& text, const std::string& place) {
    if (find(expected, "$absent")) {
        EXPECT_FALSE(text.has_value()) << place;
        return;
    }
    ASSERT_TRUE(text.has_value()) << place;
    if (const auto whole = get_string(expected, "$is")) EXPECT_EQ(*text, *whole) << place;
    if (const auto part = get_string(expected, "$contains")) EXPECT_THAT(*text, HasSubstr(*part)) << place;
}

class ProfilerCase : public testing::TestWithParam<TestCase> {
  protected:
    static std::optional<std::string> find_file(const ProfileResult& result, const std::string& name) {
        for (const Artefact& artefact : result.artefacts)
            if (artefact.file_name == name) return artefact.content;
        return std::nullopt;
    }

    static void expect_file(const std::string& name, const json::object& checks, const std::optional<std::string>& text) {
        for (const auto& [place, expected] : checks) {
            const std::string where = name + " " + std::string(place);
            if (place.empty()) {
                expect_text(expected, text, where);
                continue;
            }
            ASSERT_TRUE(text.has_value()) << where;
            if (name.ends_with(".csv")) {
                expect_value(expected, read_column(*text, std::string(place)), where);
                continue;
            }
            const auto document = parse_json(*text);
            ASSERT_TRUE(document.has_value()) << where;
            boost::system::error_code error;
            const json::value* value = document->find_pointer(place, error);
            ASSERT_NE(value, nullptr) << where;
            expect_value(expected, *value, where);
        }
    }
};

TEST_P(ProfilerCase, GivesNatsFigures) {
    const std::string only = text_of(GetParam().input, "only", "");
    for (const bool nat : {true, false}) {
        if (only == (nat ? "own" : "nat")) continue;
        SCOPED_TRACE(nat ? "with nat_compat" : "without nat_compat");
        auto config = parse_profiler_config(GetParam().input.at("settings"));
        ASSERT_TRUE(config.has_value()) << config.error().message;
        config->nat_compat = nat;
        const ProfileInput input{.sessions = read_sessions(GetParam().input.at("sessions"))};
        const ProfileResult result = profile(input, *config);
        for (const auto& [name, checks] : GetParam().expected.as_object())
            expect_file(std::string(name), checks.as_object(), find_file(result, std::string(name)));
    }
}

INSTANTIATE_TEST_SUITE_P(Nat, ProfilerCase, testing::ValuesIn(load_test_cases("nat_cases/profiler")), case_name);

std::vector<Interval> read_intervals(const json::value& list) {
    std::vector<Interval> out;
    for (const json::value& pair : list.as_array()) out.push_back({pair.at(0).to_number<double>(), pair.at(1).to_number<double>()});
    return out;
}

class ConfidenceIntervalCase : public testing::TestWithParam<TestCase> {};

TEST_P(ConfidenceIntervalCase, IsNats) {
    const auto data = json::value_to<std::vector<double>>(GetParam().input);
    EXPECT_EQ(find_difference(GetParam().expected, to_json(compute_confidence_interval(data))), "");
}

INSTANTIATE_TEST_SUITE_P(Nat, ConfidenceIntervalCase, testing::ValuesIn(load_test_cases("nat_cases/confidence_interval")), case_name);

class RoundsCase : public testing::TestWithParam<TestCase> {};

TEST_P(RoundsCase, AreNats) {
    EXPECT_EQ(find_rounds(read_intervals(GetParam().input)), json::value_to<std::vector<int>>(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(Nat, RoundsCase, testing::ValuesIn(load_test_cases("nat_cases/rounds")), case_name);

class SlackCase : public testing::TestWithParam<TestCase> {};

TEST_P(SlackCase, IsNats) {
    const json::value& call = GetParam().input.at("call");
    const Interval interval{call.at(0).to_number<double>(), call.at(1).to_number<double>()};
    EXPECT_DOUBLE_EQ(compute_slack(interval, read_intervals(GetParam().input.at("siblings"))), GetParam().expected.to_number<double>());
}

INSTANTIATE_TEST_SUITE_P(Nat, SlackCase, testing::ValuesIn(load_test_cases("nat_cases/slack")), case_name);

// Calls of the given durations, a second apart.
class SensitivityCase : public testing::TestWithParam<TestCase> {
  protected:
    void SetUp() override {
        std::vector<std::vector<StepSpec>> calls;
        double now = 100;
        for (const double duration : json::value_to<std::vector<double>>(GetParam().input)) {
            calls.push_back(make_call("LLM", std::to_string(calls.size()), now, now + duration));
            durations_.push_back(duration);
            now += duration + 1;
        }
        sessions_ = {make_session(join_calls(calls))};
    }

    std::vector<double> durations_;
    std::vector<event::SessionTrace> sessions_;
};

TEST_P(SensitivityCase, ScoresAndLevelsAreNats) {
    const auto trie = build_prediction_trie(sessions_, {});
    std::vector<int> levels;
    for (const auto& [index, prediction] : trie.by_call_index) levels.push_back(prediction.latency_sensitivity.value_or(0));
    EXPECT_EQ(levels, json::value_to<std::vector<int>>(GetParam().expected.at("levels")));

    std::vector<FinishedCall> calls;
    for (const auto& step : sessions_[0].steps)
        if (step.payload.event_type.phase == event::Phase::end) {
            const double duration = durations_[calls.size()];
            calls.push_back({&step, {step.payload.event_timestamp - duration, step.payload.event_timestamp}, duration});
        }
    const auto scores = compute_sensitivities(calls, {}, make_session_row(sessions_[0]).runtime_from(SessionStart::step_or_span), {});
    const auto expected = json::value_to<std::vector<double>>(GetParam().expected.at("scores"));
    ASSERT_EQ(scores.size(), expected.size());
    constexpr double kPrintedDigits = 5e-5;
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], kPrintedDigits) << i;
}

INSTANTIATE_TEST_SUITE_P(Nat, SensitivityCase, testing::ValuesIn(load_test_cases("nat_cases/sensitivity")), case_name);

// The trie of NAT's test of its lookup.
TrieNode lookup_trie() {
    const auto remaining = [](double mean) { return Prediction{.remaining_calls = {.sample_count = 1, .mean = mean}}; };
    TrieNode agent{.name = "react_agent", .by_call_index = {{1, remaining(3)}, {2, remaining(2)}}, .any_index = remaining(2.5)};
    TrieNode workflow{.name = "my_workflow", .any_index = remaining(2.5), .children = {{agent.name, agent}}};
    return {.name = "root", .any_index = remaining(2.5), .children = {{workflow.name, workflow}}};
}

class TrieLookupCase : public testing::TestWithParam<TestCase> {};

TEST_P(TrieLookupCase, IsNats) {
    const TrieNode root = lookup_trie();
    const auto path = json::value_to<std::vector<std::string>>(GetParam().input.at("path"));
    const Prediction* found = find_prediction(root, path, GetParam().input.at("call_index").to_number<int>());
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->remaining_calls.mean, GetParam().expected.to_number<double>());
}

INSTANTIATE_TEST_SUITE_P(Nat, TrieLookupCase, testing::ValuesIn(load_test_cases("nat_cases/trie_lookup")), case_name);

}  // namespace
}  // namespace plimsoll::profile
