#include "base/text_window.h"

#include <gtest/gtest.h>

namespace plimsoll {
namespace {

TEST(TextWindow, KeepsWhatWasNotPassed) {
    std::string_view rest = "0123456789";
    TextWindow window(
        [&](char* out, std::size_t size) {
            const std::size_t got = rest.copy(out, std::min<std::size_t>(size, 3));
            rest.remove_prefix(got);
            return got;
        },
        4);
    EXPECT_EQ(window.text(), "");
    EXPECT_TRUE(window.grow());
    EXPECT_EQ(window.text(), "0123");
    window.pass(3);
    EXPECT_EQ(window.position(), 3u);
    EXPECT_TRUE(window.grow());
    EXPECT_EQ(window.text(), "34567");
    EXPECT_TRUE(window.grow());
    EXPECT_EQ(window.text(), "3456789");
    EXPECT_FALSE(window.grow());
    window.pass(7);
    EXPECT_FALSE(window.grow());
    EXPECT_EQ(window.position(), 10u);
}

TEST(TextWindow, AWholeTextIsThereAtOnce) {
    TextWindow window("abc");
    EXPECT_EQ(window.text(), "abc");
    EXPECT_FALSE(window.grow());
}

}  // namespace
}  // namespace plimsoll
