#include "base/decompress.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

namespace plimsoll {
namespace {

std::string gzip(std::string_view text) {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(std::string_view text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

constexpr std::uint64_t kPlenty = 1 << 26;

std::string some_text() {
    std::string text;
    for (int i = 0; text.size() < 2'000'000; ++i) text += std::to_string(i * 7919L % 100'003) + "\n";
    return text;
}

struct Kind {
    const char* name;
    Compression compression;
    std::string (*compress)(std::string_view);
};
class Decompress : public testing::TestWithParam<Kind> {};

TEST_P(Decompress, GivesBackWhatWasCompressedAndJoinsMembers) {
    const std::string text = some_text();
    const std::string bytes = GetParam().compress(text);
    EXPECT_EQ(detect_compression(bytes), GetParam().compression);
    const auto twice = decompress(bytes + bytes, GetParam().compression, kPlenty);
    ASSERT_TRUE(twice) << twice.error().message;
    EXPECT_FALSE(twice->cut);
    EXPECT_TRUE(twice->text == text + text);
    const auto nothing = decompress(GetParam().compress(""), GetParam().compression, kPlenty);
    ASSERT_TRUE(nothing) << nothing.error().message;
    EXPECT_EQ(nothing->text, "");
}

TEST_P(Decompress, CutAnywhereGivesTheBeginning) {
    const std::string text = some_text();
    const std::string bytes = GetParam().compress(text);
    for (const std::size_t length : {bytes.size() / 2, bytes.size() - 1}) {
        const auto part = decompress(std::string_view(bytes).substr(0, length), GetParam().compression, kPlenty);
        ASSERT_TRUE(part) << part.error().message;
        EXPECT_TRUE(part->cut);
        EXPECT_TRUE(text.starts_with(part->text));
        EXPECT_GT(part->text.size(), 0u);
    }
    for (const std::size_t length : {4u, 6u, 9u}) {
        const auto part = decompress(std::string_view(bytes).substr(0, length), GetParam().compression, kPlenty);
        ASSERT_FALSE(part);
        EXPECT_EQ(part.error().code, ErrorCode::parse);
    }
}

TEST_P(Decompress, DamageIsNoCrash) {
    const std::string text = some_text();
    std::string bytes = GetParam().compress(text);
    for (std::size_t i = bytes.size() / 2; i < bytes.size(); i += 97) bytes[i] = static_cast<char>(bytes[i] ^ 0x5a);
    if (const auto part = decompress(bytes, GetParam().compression, kPlenty)) EXPECT_TRUE(part->cut);
}

TEST_P(Decompress, ABombStopsAtTheLimit) {
    const std::string bytes = GetParam().compress(std::string(20'000'000, '0'));
    const auto result = decompress(bytes, GetParam().compression, 1'000'000);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::limit);
}

INSTANTIATE_TEST_SUITE_P(All, Decompress, testing::Values(Kind{"gzip", Compression::gzip, gzip}, Kind{"zstd", Compression::zstd, zstd}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(Decompress, AnythingElseStaysAsItIs) {
    EXPECT_EQ(detect_compression(""), Compression::none);
    EXPECT_EQ(detect_compression("[{}]"), Compression::none);
    EXPECT_EQ(decompress("[{}]", Compression::none, kPlenty)->text, "[{}]");
}

}  // namespace
}  // namespace plimsoll
