#include "llm/sim_embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>

namespace plimsoll::llm {
namespace {

double cosine(std::string_view a, std::string_view b) {
    const auto x = compute_sim_embedding(a, 384), y = compute_sim_embedding(b, 384);
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

TEST(SimEmbedding, IsAUnitVector) {
    const std::string texts[] = {"a report on graphs", "", "!?", "日本語 é", std::string(1 << 20, 'x')};
    for (const auto& text : texts) {
        const auto vector = compute_sim_embedding(text, 384);
        ASSERT_EQ(vector.size(), 384u);
        EXPECT_NEAR(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0), 1.0, 1e-5);
    }
    EXPECT_EQ(compute_sim_embedding("one", 1).size(), 1u);
}

TEST(SimEmbedding, SameTextSameVector) { EXPECT_EQ(compute_sim_embedding("Some Text", 64), compute_sim_embedding("some text!", 64)); }

TEST(SimEmbedding, LikeTextsAreClose) {
    const std::string_view text = "GPU memory bandwidth limits the speed of token generation";
    EXPECT_GT(cosine(text, "memory bandwidth of the GPU limits token generation"), 0.6);
    EXPECT_GT(cosine(text, "limit of memory bandwidths"), 0.3);
    EXPECT_LT(std::abs(cosine(text, "the cheese was sold on a rainy market day in spring")), 0.2);
}

}  // namespace
}  // namespace plimsoll::llm
