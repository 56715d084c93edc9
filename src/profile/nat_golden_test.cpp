// nat_compat against what NAT 1.9.0 wrote: every folder of tests/goldens/profiler holds a trace, the profiler settings, and all
// files of NAT's profiler for them. "syn_", "made_" and "broken_" traces are made ones, the last with lost, doubled and moved
// steps; the others were recorded.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "profile/profiler.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

std::vector<std::string> list_cases() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(golden_path("profiler")))
        names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
}

// The order of the UUIDs of a spike is arbitrary in NAT, and the file's age is nobody's result.
void normalise(json::value& value) {
    if (value.is_array())
        for (auto& element : value.get_array()) normalise(element);
    if (!value.is_object()) return;
    value.get_object().erase("generated_at");
    for (auto& [key, member] : value.get_object()) {
        if (key == "active_uuids")
            std::ranges::sort(member.as_array(), {}, [](const json::value& uuid) { return std::string_view(uuid.as_string()); });
        else
            normalise(member);
    }
}

json::value parse(const std::string& text) {
    auto value = parse_json(text);
    EXPECT_TRUE(value.has_value());
    return value.value_or(nullptr);
}

class NatGoldenTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        auto config = parse_profiler_config(parse(load("settings.json")));
        ASSERT_TRUE(config.has_value());
        config->nat_compat = true;
        result_ = profile({load_golden_traces(path("all_requests_profiler_traces.json"))}, *config);
    }

    static std::string path(const std::string& file) { return "profiler/" + GetParam() + "/" + file; }
    static std::string load(const std::string& file) { return load_golden(path(file)); }

    std::string ours(const std::string& file) const {
        for (const auto& artefact : result_.artefacts)
            if (artefact.file_name == file) return artefact.content;
        return "";
    }

    void expect_same_json(const std::string& file) const {
        const std::string expected = load(file), actual = ours(file);
        ASSERT_EQ(expected.empty(), actual.empty()) << file;
        if (expected.empty()) return;
        json::value a = parse(expected), b = parse(actual);
        normalise(a), normalise(b);
        EXPECT_EQ(find_difference(a, b), "") << file;
    }

    ProfileResult result_;
};

TEST_P(NatGoldenTest, AllFilesAreEqual) {
    for (const char* file :
         {"all_requests_profiler_traces.json", "inference_optimization.json", "workflow_profiling_metrics.json", "prediction_trie.json"})
        expect_same_json(file);
    EXPECT_EQ(load("standardized_data_all.csv"), ours("standardized_data_all.csv"));
    EXPECT_EQ(load("workflow_profiling_report.txt"), ours("workflow_profiling_report.txt"));
}

INSTANTIATE_TEST_SUITE_P(Nat, NatGoldenTest, testing::ValuesIn(list_cases()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace plimsoll::profile
