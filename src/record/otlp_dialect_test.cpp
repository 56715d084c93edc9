// What spans of each dialect mean, case by case from tests/data/otlp_dialects.json.
#include "record/otlp_dialect.h"

#include <gtest/gtest.h>

#include "base/test_cases.h"

namespace plimsoll::record {
namespace {

class OtlpDialectCase : public testing::TestWithParam<TestCase> {
  protected:
    static ReadSpan read_span(const json::value& input) {
        ReadSpan span{.name = "span", .attributes = input.at("attributes").as_object()};
        for (const json::value& event : input.at("events").as_array())
            span.events.push_back({.name = std::string(event.at("name").as_string()), .attributes = event.at("attributes").as_object()});
        return span;
    }
};

TEST_P(OtlpDialectCase, IsRead) {
    const ReadSpan span = read_span(GetParam().input);
    const auto category = category_of(span);
    const json::value found = category ? json::value(to_string(*category)) : json::value();
    const json::value read = {{"category", found},
                              {"name", call_name_of(span, category.value_or(event::Category::span))},
                              {"input", input_of(span)},
                              {"output", output_of(span)}};
    for (const auto& [key, expected] : GetParam().expected.as_object()) EXPECT_EQ(read.at(key), expected) << key;
}

INSTANTIATE_TEST_SUITE_P(Otlp, OtlpDialectCase, testing::ValuesIn(load_test_cases("otlp_dialects")), case_name);

}  // namespace
}  // namespace plimsoll::record
