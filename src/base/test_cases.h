// For tests: cases as data, named. tests/data/<file>.json holds [{"name": …, "input": …, "expected": …}, …]. Only tests include it.
//
//   class SlopeCase : public testing::TestWithParam<TestCase> {};
//   TEST_P(SlopeCase, IsNats) { … GetParam().input … }
//   INSTANTIATE_TEST_SUITE_P(Nat, SlopeCase, testing::ValuesIn(load_test_cases("nat_cases/slope")), case_name);
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"

namespace plimsoll {

struct TestCase {
    std::string name;
    json::value input, expected;
};

inline void PrintTo(const TestCase& test, std::ostream* out) { *out << test.name; }

inline std::vector<TestCase> load_test_cases(const std::string& file) {
    const auto text = load_file(std::string(PLIMSOLL_SOURCE_DIR) + "/tests/data/" + file + ".json");
    PLIMSOLL_CHECK(text.has_value(), file);
    const auto list = parse_json(*text);
    PLIMSOLL_CHECK(list.has_value(), file);
    std::vector<TestCase> cases;
    for (const json::value& entry : list->as_array())
        cases.push_back({std::string(entry.at("name").as_string()), entry.at("input"), entry.at("expected")});
    return cases;
}

inline std::string case_name(const testing::TestParamInfo<TestCase>& info) { return info.param.name; }

}  // namespace plimsoll
