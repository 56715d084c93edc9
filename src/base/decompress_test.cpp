#include "base/decompress.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace plimsoll {
namespace {

std::string gzip(const std::string& text) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(deflateBound(&stream, text.size()) + 32, '\0');
    std::string copy = text;
    stream.next_in = reinterpret_cast<Bytef*>(copy.data());
    stream.avail_in = static_cast<uInt>(copy.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

TEST(Decompress, ReturnsPlainBytesAsTheyAre) {
    EXPECT_EQ(decompress("[1, 2]", 100).value(), "[1, 2]");
    EXPECT_EQ(decompress("", 100).value(), "");
}

TEST(Decompress, UnpacksMembersOneAfterTheOther) {
    const std::string large(1 << 20, 'x');
    EXPECT_EQ(decompress(gzip(large) + gzip("end"), 2 << 20).value(), large + "end");
}

TEST(Decompress, StopsAtTheLimit) {
    const auto out = decompress(gzip(std::string(1 << 20, '0')), 1000);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, ErrorCode::limit);
    EXPECT_EQ(decompress("plain", 3).error().code, ErrorCode::limit);
}

TEST(Decompress, RefusesEveryCutAndDamage) {
    const std::string packed = gzip("some text that is long enough to be cut at many places");
    for (std::size_t length = 2; length < packed.size(); ++length) {
        const auto out = decompress(packed.substr(0, length), 1000);
        ASSERT_FALSE(out) << length;
        EXPECT_EQ(out.error().code, ErrorCode::parse) << length;
    }
    std::string damaged = packed;
    damaged[packed.size() / 2] ^= 0x55;
    EXPECT_EQ(decompress(damaged, 1000).error().code, ErrorCode::parse);
}

}  // namespace
}  // namespace plimsoll
