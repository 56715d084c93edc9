#include "net/http1_reader.h"

#include <gtest/gtest.h>

namespace plimsoll::net {
namespace {

struct Read {
    Http1Reader reader;
    std::string body;
    Result<void> result;
};

// Feeds `bytes` in pieces of that size until the answer is done or wrong.
Read read(std::string_view bytes, std::size_t piece) {
    Read out;
    while (!bytes.empty() && !out.reader.done()) {
        const auto used = out.reader.feed(bytes.substr(0, piece), [&](std::string_view part) { out.body += part; });
        if (!used) {
            out.result = fail(used.error());
            return out;
        }
        bytes.remove_prefix(std::min(bytes.size(), piece));
    }
    return out;
}

class Http1ReaderPieces : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Http1ReaderPieces, testing::Values(1, 2, 7, 100'000));

TEST_P(Http1ReaderPieces, ContentLength) {
    const auto out = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello", GetParam());
    EXPECT_TRUE(out.reader.done());
    EXPECT_EQ(out.reader.status(), 200);
    EXPECT_EQ(out.body, "hello");
    EXPECT_EQ(out.reader.content_type(), "text/plain");
    EXPECT_TRUE(out.reader.keep_alive());
}

TEST_P(Http1ReaderPieces, ChunkedWithExtensionsAndTrailer) {
    const auto out =
        read("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", GetParam());
    EXPECT_TRUE(out.reader.done());
    EXPECT_EQ(out.body, "abc0123456789");
}

TEST_P(Http1ReaderPieces, InterimAnswersArePassedOver) {
    const auto out = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", GetParam());
    EXPECT_TRUE(out.reader.done());
    EXPECT_EQ(out.reader.status(), 204);
    EXPECT_FALSE(out.reader.keep_alive());
}

TEST_P(Http1ReaderPieces, BodyUntilClose) {
    auto out = read("HTTP/1.0 200 OK\n\nrest of it", GetParam());
    EXPECT_FALSE(out.reader.done());
    EXPECT_TRUE(out.reader.end_of_stream());
    EXPECT_TRUE(out.reader.done());
    EXPECT_FALSE(out.reader.keep_alive());
    EXPECT_EQ(out.body, "rest of it");
}

TEST_P(Http1ReaderPieces, WrongAnswers) {
    for (const char* bytes : {"\x16\x03\x01 garbage\n", "HTTP/2 200\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n",
                              "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n"}) {
        const auto out = read(bytes, GetParam());
        ASSERT_FALSE(out.result) << bytes;
        EXPECT_EQ(out.result.error().code, ErrorCode::bad_response) << bytes;
    }
}

TEST(Http1Reader, CutAnswersAreErrors) {
    for (const char* bytes : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
        auto out = read(bytes, 1000);
        const auto ended = out.reader.end_of_stream();
        ASSERT_FALSE(ended) << bytes;
        EXPECT_EQ(ended.error().code, ErrorCode::bad_response);
    }
}

TEST(Http1Reader, LinesAndHeadersAreBounded) {
    const auto line = read("HTTP/1.1 200 OK\r\nX: " + std::string(Http1Reader::kMaxLineBytes, 'x'), 1000);
    ASSERT_FALSE(line.result);
    EXPECT_EQ(line.result.error().code, ErrorCode::limit);
    std::string many = "HTTP/1.1 200 OK\r\n";
    while (many.size() < Http1Reader::kMaxHeaderBytes + 10'000) many += "X: " + std::string(1000, 'x') + "\r\n";
    const auto head = read(many, 1000);
    ASSERT_FALSE(head.result);
    EXPECT_EQ(head.result.error().code, ErrorCode::limit);
}

TEST(Http1Reader, BytesOfTheNextAnswerAreLeft) {
    Http1Reader reader;
    const std::string_view bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nRetry-After: 7\r\n\r\naHTTP/1.1";
    EXPECT_EQ(reader.feed(bytes, [](std::string_view) {}).value(), bytes.size() - 8);
    EXPECT_EQ(reader.retry_after_s(), 7);
}

}  // namespace
}  // namespace plimsoll::net
