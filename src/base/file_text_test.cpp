#include "base/file_text.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include "base/files.h"

namespace plimsoll {
namespace {

std::string zstd(std::string_view text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

std::string some_text() {
    std::string text;
    for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i * 7919L % 100'003) + "\n";
    return text;
}

std::string read_all(FileText& file, std::size_t piece) {
    std::string text, out(piece, '\0');
    while (const std::size_t got = file.read(out.data(), piece)) text.append(out, 0, got);
    return text;
}

class FileTextTest : public testing::Test {
  protected:
    std::filesystem::path save(std::string_view bytes) {
        EXPECT_TRUE(save_file(folder_.path() / "file", bytes));
        return folder_.path() / "file";
    }
    TemporaryFolder folder_;
};

TEST_F(FileTextTest, PiecesAndTheWholeAreTheText) {
    const std::string text = some_text();
    for (const std::string& bytes : {text, zstd(text), zstd(text.substr(0, 10)) + zstd(text.substr(10)), std::string()}) {
        const auto path = save(bytes);
        for (const std::size_t piece : {1000, 1 << 20}) {
            const auto file = FileText::open(path);
            ASSERT_TRUE(file);
            EXPECT_EQ(read_all(**file, piece), bytes.empty() ? "" : text);
            EXPECT_FALSE((*file)->cut());
            EXPECT_TRUE((*file)->status());
        }
        auto whole = WholeFile::open(path, 1 << 24);
        ASSERT_TRUE(whole);
        whole->looked_at(std::size_t{1} << 40);
        EXPECT_EQ(whole->text(), bytes.empty() ? "" : text);
    }
}

TEST_F(FileTextTest, OfACutFileWhatCameBefore) {
    const std::string text = some_text(), bytes = zstd(text);
    const auto path = save(bytes.substr(0, bytes.size() / 2));
    const auto file = FileText::open(path);
    ASSERT_TRUE(file);
    const std::string part = read_all(**file, 1 << 16);
    EXPECT_TRUE((*file)->cut());
    EXPECT_TRUE(text.starts_with(part));
    EXPECT_GT(part.size(), 1000u);
    EXPECT_EQ(WholeFile::open(path, 1 << 24)->text(), part);
    EXPECT_TRUE(WholeFile::open(path, 1 << 24)->cut());
    EXPECT_EQ(WholeFile::open(path, 1000).error().code, ErrorCode::limit);
}

TEST_F(FileTextTest, Errors) {
    EXPECT_EQ(FileText::open(folder_.path() / "absent").error().code, ErrorCode::not_found);
    EXPECT_EQ(FileText::open(folder_.path()).error().code, ErrorCode::io);
    EXPECT_EQ(WholeFile::open(folder_.path() / "absent", 1).error().code, ErrorCode::not_found);
    EXPECT_EQ(WholeFile::open(folder_.path(), 1).error().code, ErrorCode::io);
}

}  // namespace
}  // namespace plimsoll
