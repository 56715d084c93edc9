#include "retrieval/collection.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <thread>

#include "base/files.h"

namespace plimsoll::retrieval {
namespace {

using Vectors = std::vector<std::vector<float>>;

std::vector<Chunk> chunks_of(const std::vector<std::string>& texts) {
    std::vector<Chunk> chunks(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) chunks[i].text = texts[i];
    return chunks;
}

Document named(const std::string& name) { return {name, "", {{1, ""}}}; }

class CollectionTest : public testing::Test {
  protected:
    std::unique_ptr<Collection> open(const std::string& model = "") {
        auto opened = Collection::open(file_, model);
        EXPECT_TRUE(opened) << opened.error().message;
        return std::move(*opened);
    }
    static std::vector<std::string> texts_of(const Result<std::vector<Hit>>& hits) {
        EXPECT_TRUE(hits) << hits.error().message;
        std::vector<std::string> texts;
        for (const Hit& hit : *hits) texts.push_back(hit.chunk.text);
        return texts;
    }

    TemporaryFolder folder_;
    std::filesystem::path file_ = folder_.path() / "sub" / "c.db";
};

using testing::ElementsAre;

TEST_F(CollectionTest, FindsByWordByVectorAndByBoth) {
    auto collection = open("mini");
    ASSERT_TRUE(collection->replace_document(named("a"), "h1", chunks_of({"alpha alpha beta", "alpha gamma beta", "delta"}),
                                             {{3, 1}, {0, 2}, {5, 0}}));
    EXPECT_THAT(texts_of(collection->search_text("ALPHA", 9)), ElementsAre("alpha alpha beta", "alpha gamma beta"));
    EXPECT_THAT(texts_of(collection->search_vector({2, 0}, 9)), ElementsAre("delta", "alpha alpha beta", "alpha gamma beta"));
    const auto cosines = collection->search_vector({2, 0}, 9);
    EXPECT_NEAR((*cosines)[0].score, 1, 1e-6);
    EXPECT_NEAR((*cosines)[1].score, 3 / std::sqrt(10.0), 1e-6);

    // By hand: words rank 1st and 2nd, vectors delta, 1st, 2nd.
    const auto hits = collection->search("alpha", {2, 0}, 9);
    ASSERT_THAT(texts_of(hits), ElementsAre("alpha alpha beta", "alpha gamma beta", "delta"));
    EXPECT_DOUBLE_EQ((*hits)[0].score, 1.0 / 61 + 1.0 / 62);
    EXPECT_DOUBLE_EQ((*hits)[1].score, 1.0 / 62 + 1.0 / 63);
    EXPECT_DOUBLE_EQ((*hits)[2].score, 1.0 / 61);
    EXPECT_THAT(texts_of(collection->search("alpha", {2, 0}, 1)), ElementsAre("alpha alpha beta"));
    EXPECT_THAT(texts_of(collection->search("alpha", {}, 1)), ElementsAre("alpha alpha beta"));
    EXPECT_THAT(texts_of(collection->search("", {2, 0}, 1)), ElementsAre("delta"));
}

TEST_F(CollectionTest, EqualScoresAreOrderedById) {
    auto collection = open();
    ASSERT_TRUE(collection->replace_document(named("a"), "h", chunks_of({"same", "same", "same"}), {{1, 0}, {1, 0}, {1, 0}}));
    for (const auto& hits :
         {collection->search_text("same", 3), collection->search_vector({1, 0}, 3), collection->search("same", {1, 0}, 3)}) {
        ASSERT_EQ(hits->size(), 3u);
        EXPECT_LT((*hits)[0].chunk.id, (*hits)[1].chunk.id);
        EXPECT_LT((*hits)[1].chunk.id, (*hits)[2].chunk.id);
    }
}

TEST_F(CollectionTest, StemsWords) {
    auto collection = open();
    ASSERT_TRUE(collection->replace_document(named("a"), "h", chunks_of({"queues are scheduled"}), {{1}}));
    EXPECT_EQ(texts_of(collection->search_text("scheduling a queue", 5)).size(), 1u);
}

TEST_F(CollectionTest, QueryIsNeverSyntax) {
    auto collection = open();
    ASSERT_TRUE(collection->replace_document(named("a"), "h", chunks_of({"near miss"}), {{1}}));
    for (const std::string& query :
         {std::string("AND OR \" * NEAR("), std::string("\"\"\""), std::string("title:x"), std::string("a^2 -b +c {d}"),
          std::string("—…«»"), std::string("\xff\xfe\xc3"), std::string("x\0y", 3), std::string("'; DROP TABLE chunks; --"),
          std::string(1 << 20, '"'), std::string("NOT"), std::string("")})
        EXPECT_TRUE(collection->search(query, {1}, 5)) << query.substr(0, 40);
    EXPECT_EQ(texts_of(collection->search_text("NEAR(", 5)).size(), 1u);
    std::string many;
    for (int i = 0; i < 5000; ++i) many += fmt::format("word{} ", i);
    EXPECT_TRUE(collection->search_text(many, 5));
}

TEST_F(CollectionTest, RefusesWrongArguments) {
    auto collection = open();
    const auto code = [&](const Vectors& vectors) {
        return collection->replace_document(named("a"), "h", chunks_of({"x", "y"}), vectors).error().code;
    };
    EXPECT_EQ(code({{1, 2}}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({{1, 2}, {1}}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({{}, {}}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({{1, 2}, {std::numeric_limits<float>::quiet_NaN(), 2}}), ErrorCode::invalid_argument);
    EXPECT_EQ(*collection->chunk_count(), 0);
    ASSERT_TRUE(collection->replace_document(named("a"), "h", chunks_of({"x", "y"}), {{1, 2}, {0, 0}}));
    EXPECT_EQ(code({{1, 2, 3}, {1, 2, 3}}), ErrorCode::invalid_argument);
    EXPECT_EQ(collection->search_vector({1}, 1).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(collection->search("x", {1, 2}, 0).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(collection->chunk(99).error().code, ErrorCode::not_found);
    EXPECT_EQ(texts_of(collection->search("x", {1, 2}, 1'000'000)).size(), 2u);
}

TEST_F(CollectionTest, ReplacesAndRemovesWholeDocuments) {
    auto collection = open();
    ASSERT_TRUE(collection->replace_document(named("a"), "h1", chunks_of({"old one", "old two"}), {{1, 0}, {0, 1}}));
    ASSERT_TRUE(collection->replace_document(named("b"), "h1", chunks_of({"other"}), {{1, 1}}));
    const std::int64_t old_id = (*collection->search_text("two", 1))[0].chunk.id;
    ASSERT_TRUE(collection->replace_document(named("a"), "h2", chunks_of({"new"}), {{1, 0}}));
    EXPECT_EQ(*collection->chunk_count(), 2);
    EXPECT_THAT(texts_of(collection->search("old", {0, 1}, 9)), testing::UnorderedElementsAre("new", "other"));
    EXPECT_TRUE(texts_of(collection->search_text("old", 9)).empty());
    EXPECT_EQ(collection->chunk(old_id).error().code, ErrorCode::not_found);
    EXPECT_EQ(collection->document_hash("a")->value(), "h2");
    EXPECT_EQ(collection->documents()->at(0).chunks, 1);
    ASSERT_TRUE(collection->remove_document("a"));
    ASSERT_TRUE(collection->remove_document("never there"));
    EXPECT_FALSE(collection->document_hash("a")->has_value());
    EXPECT_THAT(texts_of(collection->search("new", {1, 0}, 9)), ElementsAre("other"));
}

TEST_F(CollectionTest, RemembersItsModel) {
    {
        auto collection = open("mini");
        ASSERT_TRUE(collection->replace_document(named("a"), "h", chunks_of({"x"}), {{1, 0}}));
    }
    EXPECT_EQ(Collection::open(file_, "maxi").error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(*open()->embedding_model(), "mini");
    EXPECT_EQ(*open("mini")->dimension(), 2);
    EXPECT_EQ(open()->bind_model("maxi").error().code, ErrorCode::invalid_argument);
}

TEST_F(CollectionTest, EmptyCollectionFindsNothing) {
    auto collection = open("mini");
    EXPECT_TRUE(texts_of(collection->search("word", {1, 2, 3}, 5)).empty());
    EXPECT_TRUE(collection->documents()->empty());
    EXPECT_EQ(*collection->dimension(), 0);
}

TEST_F(CollectionTest, RefusesForeignFiles) {
    ASSERT_TRUE(save_file(file_, std::string(5000, 'x')));
    EXPECT_EQ(Collection::open(file_).error().code, ErrorCode::parse);
    EXPECT_FALSE(Collection::open(folder_.path()));
    const auto newer = folder_.path() / "newer.db";
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(newer.c_str(), &handle), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(handle, "PRAGMA user_version = 99", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(handle);
    EXPECT_EQ(Collection::open(newer).error().code, ErrorCode::unsupported);
}

TEST_F(CollectionTest, SeesWhatAnotherConnectionWrote) {
    auto reader = open(), writer = open();
    ASSERT_TRUE(writer->replace_document(named("a"), "h", chunks_of({"one"}), {{1, 0}}));
    EXPECT_EQ(texts_of(reader->search_vector({1, 0}, 9)).size(), 1u);
    ASSERT_TRUE(writer->replace_document(named("b"), "h", chunks_of({"two"}), {{0, 1}}));
    EXPECT_EQ(texts_of(reader->search_vector({1, 0}, 9)).size(), 2u);
}

TEST_F(CollectionTest, IsSafeFromManyThreads) {
    auto collection = open();
    const auto write = [&] {
        for (int i = 0; i < 25; ++i)
            EXPECT_TRUE(collection->replace_document(named("a"), "h", chunks_of({fmt::format("word {}", i)}), {{1, 0}}));
    };
    const auto search = [&] {
        for (int i = 0; i < 25; ++i) EXPECT_TRUE(collection->search("word", {1, 0}, 3));
    };
    {
        const std::jthread writer(write), first(search), second(search), third(search);
    }
    EXPECT_EQ(*collection->chunk_count(), 1);
}

// Writes version after version of one document until it is killed; says so after each.
[[noreturn]] void write_until_killed(const std::filesystem::path& file, int report_to) {
    auto collection = Collection::open(file);
    for (int version = 0; collection; ++version) {
        const auto texts = std::vector<std::string>(200, fmt::format("version{}", version));
        if (!(*collection)->replace_document(named("a"), std::to_string(version), chunks_of(texts), Vectors(200, {1, 0}))) break;
        if (::write(report_to, "x", 1) != 1) break;
    }
    ::_exit(1);
}

TEST_F(CollectionTest, KilledWriterLeavesAWholeDocument) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(file_, ends[1]);
    ::close(ends[1]);
    for (int i = 0; i < 5; ++i) {
        char byte = 0;
        ASSERT_EQ(::read(ends[0], &byte, 1), 1);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ends[0]);

    auto collection = open();
    const std::string version = collection->document_hash("a")->value();
    EXPECT_EQ(*collection->chunk_count(), 200);
    EXPECT_EQ(texts_of(collection->search_text("version" + version, 1000)).size(), 200u);
    EXPECT_EQ(texts_of(collection->search_vector({1, 0}, 1000)).size(), 200u);
}

}  // namespace
}  // namespace plimsoll::retrieval
