#include "llm/sim_faults.h"

#include <gtest/gtest.h>

namespace plimsoll::llm {
namespace {

TEST(SimFaults, NamesReadBack) {
    EXPECT_EQ(sim_fault_names().size(), kSimFaultCount - 1);
    for (const auto name : sim_fault_names()) EXPECT_EQ(to_string(*parse_sim_fault(name)), name);
    EXPECT_EQ(parse_sim_fault("none"), SimFault::none);
    EXPECT_FALSE(parse_sim_fault("502"));
    EXPECT_FALSE(parse_sim_fault(""));
}

TEST(SimFaults, RatesReadFromText) {
    const auto rates = parse_sim_fault_rates("500=0.25,hang_mid=0.5");
    ASSERT_TRUE(rates);
    EXPECT_EQ((*rates)[static_cast<std::size_t>(SimFault::http_500)], 0.25);
    EXPECT_EQ((*rates)[static_cast<std::size_t>(SimFault::hang_mid)], 0.5);
    EXPECT_TRUE(parse_sim_fault_rates(""));
    for (const char* text :
         {"500", "500=", "500=x", "500=1.5", "500=-1", "none=0.1", "cut=0.6,html=0.6", "cut=0.1;html=0.1", "=", ",", "cut=nan"})
        EXPECT_EQ(parse_sim_fault_rates(text).error().code, ErrorCode::invalid_argument) << text;
}

TEST(SimFaults, AreDrawnAtTheirRates) {
    const auto rates = *parse_sim_fault_rates("500=0.2,cut=0.3");
    int counts[kSimFaultCount] = {};
    Random random(1);
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(draw_sim_fault(rates, random))];
    EXPECT_NEAR(counts[static_cast<std::size_t>(SimFault::http_500)], 0.2 * kDraws, 300);
    EXPECT_NEAR(counts[static_cast<std::size_t>(SimFault::cut)], 0.3 * kDraws, 300);
    EXPECT_NEAR(counts[static_cast<std::size_t>(SimFault::none)], 0.5 * kDraws, 300);
}

}  // namespace
}  // namespace plimsoll::llm
