#include "retrieval/ingest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>

#include "base/files.h"
#include "base/json.h"

namespace plimsoll::retrieval {
namespace {

using testing::HasSubstr;

constexpr std::size_t kDimension = 64;

std::vector<float> vector_of(std::string_view text) {
    std::vector<float> vector(kDimension, 0);
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t end = std::min(text.find_first_of(" .\n", i), text.size());
        vector[std::hash<std::string_view>()(text.substr(i, end - i)) % kDimension] += 1;
        i = end + 1;
    }
    return vector;
}

// Puts texts with common words near each other.
class WordHashModel : public llm::EmbeddingModel {
  public:
    const std::string& name() const override { return name_; }
    const std::string& model() const override { return model_; }
    asio::awaitable<Result<std::vector<std::vector<float>>>> embed(event::Context /*context*/, std::vector<std::string> texts) override {
        ++calls;
        std::vector<std::vector<float>> vectors;
        for (const std::string& text : texts) {
            if (text.contains("POISON")) co_return fail(poison);
            vectors.push_back(vector_of(text));
        }
        if (wrong_count) vectors.emplace_back();
        co_return vectors;
    }

    int calls = 0;
    bool wrong_count = false;
    Error poison{ErrorCode::http_status, "too long", 500};
    std::string name_ = "fake", model_ = "word-hash";
};

asio::awaitable<void> ingest_into(Result<IngestReport>& report, event::Context context, std::filesystem::path folder,
                                  Collection& collection, llm::EmbeddingModel& model, net::IoPool& pool, IngestOptions options,
                                  OnProgress progress) {
    report = co_await ingest_folder(std::move(context), std::move(folder), collection, model, pool, options, std::move(progress));
}

// Never answers; says when it was asked.
class StuckModel : public WordHashModel {
  public:
    explicit StuckModel(asio::steady_timer& asked) : asked_(asked) {}
    asio::awaitable<Result<std::vector<std::vector<float>>>> embed(event::Context /*context*/,
                                                                   std::vector<std::string> /*texts*/) override {
        asked_.cancel();
        asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
        co_await never.async_wait(asio::use_awaitable);
        co_return std::vector<std::vector<float>>();
    }

  private:
    asio::steady_timer& asked_;
};

asio::awaitable<void> wait_for_cancel(asio::steady_timer& timer) { co_await timer.async_wait(asio::as_tuple(asio::use_awaitable)); }

asio::awaitable<void> ingest_until_asked(event::Context context, std::filesystem::path folder, Collection& collection, net::IoPool& pool) {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer asked(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    StuckModel model(asked);
    Result<IngestReport> report;
    co_await (ingest_into(report, context, folder, collection, model, pool, {}, {}) || wait_for_cancel(asked));
}

class Ingesting : public testing::Test {
  protected:
    void SetUp() override {
        auto opened = Collection::open(folder_.path() / "c.db");
        ASSERT_TRUE(opened) << opened.error().message;
        collection_ = std::move(*opened);
        ASSERT_TRUE(make_folder(docs_));
    }
    void write(const std::string& name, std::string_view text) { ASSERT_TRUE(save_file(docs_ / name, text)); }
    Result<IngestReport> ingest(IngestOptions options = {}) { return ingest_from(docs_, options); }
    Result<IngestReport> ingest_from(const std::filesystem::path& folder, IngestOptions options = {}) {
        Result<IngestReport> report;
        auto session = event::Session::make({}, {}, system_clock(), 1);
        event::Context context = session->root();
        if (expired_) context = context.with_deadline(Deadline::after(std::chrono::seconds(-1)));
        pool_.run([&] {
            return ingest_into(report, context, folder, *collection_, model_, pool_, options,
                               [this](const std::string& line) { lines_.push_back(line); });
        });
        return report;
    }

    TemporaryFolder folder_;
    std::filesystem::path docs_ = folder_.path() / "docs";
    net::IoPool pool_;
    WordHashModel model_;
    std::unique_ptr<Collection> collection_;
    std::vector<std::string> lines_;
    bool expired_ = false;
};

TEST_F(Ingesting, FolderBecomesACollection) {
    write("a.md", "# Queues\n\nUtilisation is load over capacity.");
    write("deep/er/b.txt", "Tokens cost money.");
    write("c.html", "<title>Web</title><p>Streaming sends pieces.");
    write("picture.png", "no");
    write(".hidden/x.md", "secret");
    write(".dot.md", "secret");
    const auto report = ingest();
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->documents, 3);
    EXPECT_EQ(report->updated, 3);
    EXPECT_EQ(report->chunks, 3);
    EXPECT_EQ(report->pages, 3);
    EXPECT_EQ(report->skipped, 1);
    EXPECT_EQ(report->failed, 0);
    EXPECT_EQ(lines_.size(), 3u);
    const auto documents = collection_->documents();
    ASSERT_EQ(documents->size(), 3u);
    EXPECT_EQ((*documents)[2].name, "deep/er/b.txt");
    const auto hits = collection_->search("what is utilisation", vector_of("Utilisation load"), 1);
    ASSERT_EQ(hits->size(), 1u);
    EXPECT_EQ((*hits)[0].chunk.document, "a.md");
    EXPECT_EQ((*hits)[0].chunk.title, "Queues");
}

TEST_F(Ingesting, SecondRunDoesOnlyWhatChanged) {
    for (int i = 0; i < 7; ++i) write(fmt::format("{}.txt", i), fmt::format("Text number {}.", i));
    ASSERT_TRUE(ingest());
    const int calls = model_.calls;
    auto again = ingest();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->unchanged, 7);
    EXPECT_EQ(again->updated, 0);
    EXPECT_EQ(model_.calls, calls);

    write("3.txt", "Something else.");
    std::filesystem::remove(docs_ / "5.txt");
    again = ingest();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->unchanged, 5);
    EXPECT_EQ(again->updated, 1);
    EXPECT_EQ(again->removed, 1);
    EXPECT_EQ(again->documents, 6);
    EXPECT_EQ(*collection_->chunk_count(), 6);

    IngestOptions smaller;
    smaller.chunks.target_chars = 200;
    EXPECT_EQ(ingest(smaller)->updated, 6);
}

TEST_F(Ingesting, SameFolderGivesTheSameIds) {
    for (int i = 0; i < 9; ++i)
        write(fmt::format("{}.txt", i), std::string(static_cast<std::size_t>(9 - i) * 2000, 'x') + fmt::format(" n{}", i));
    IngestOptions options;
    options.concurrent_batches = 4;
    ASSERT_TRUE(ingest(options));
    std::string previous;
    for (std::int64_t id = 1; id <= *collection_->chunk_count(); ++id) {
        const std::string document = collection_->chunk(id)->document;
        EXPECT_LE(previous, document);
        previous = document;
    }
}

TEST_F(Ingesting, BadDocumentsAreCountedAndTheRestGoesOn) {
    write("a.txt", "Good text.");
    write("b.pdf", "no pdf at all");
    write("c.txt", std::string_view("bin\0ary", 7));
    write("d.txt", "  \n");
    write("e.txt", "Holds POISON for the model.");
    write("f.txt", "More good text.");
    const auto report = ingest();
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->updated, 2);
    EXPECT_EQ(report->failed, 4);
    ASSERT_EQ(report->failures.size(), 4u);
    EXPECT_EQ(report->failures[0].first, "b.pdf");
    EXPECT_EQ(report->failures[0].second.code, ErrorCode::parse);
    EXPECT_EQ(report->failures[1].second.code, ErrorCode::unsupported);
    EXPECT_EQ(report->failures[2].second.code, ErrorCode::unsupported);
    EXPECT_EQ(report->failures[3].second.code, ErrorCode::http_status);
}

TEST_F(Ingesting, FailedDocumentKeepsItsEarlierVersion) {
    write("a.txt", "First version.");
    ASSERT_TRUE(ingest());
    write("a.txt", "Second with POISON.");
    EXPECT_EQ(ingest()->failed, 1);
    EXPECT_EQ(collection_->chunk(1)->text, "First version.");
    model_.wrong_count = true;
    write("a.txt", "Third.");
    const auto report = ingest();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->failures.at(0).second.code, ErrorCode::invalid_argument);
    EXPECT_EQ(*collection_->chunk_count(), 1);
}

TEST_F(Ingesting, StopsWhenTheModelIsGone) {
    write("a.txt", "Fine.");
    write("b.txt", "POISON");
    model_.poison = {ErrorCode::connect, "refused"};
    const auto report = ingest();
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::connect);
    EXPECT_THAT(report.error().message, HasSubstr("b.txt"));
    EXPECT_EQ(*collection_->chunk_count(), 1);
}

TEST_F(Ingesting, CanBeCancelledWhileEmbedding) {
    for (int i = 0; i < 5; ++i) write(fmt::format("{}.txt", i), "Text.");
    auto session = event::Session::make({}, {}, system_clock(), 1);
    // Again and again, because another document may or may not be with the pool at that moment.
    for (int round = 0; round < 30; ++round) {
        pool_.run([&] { return ingest_until_asked(session->root(), docs_, *collection_, pool_); });
        EXPECT_EQ(*collection_->chunk_count(), 0);
    }
    EXPECT_EQ(ingest()->updated, 5);
}

TEST_F(Ingesting, SaysWhatItCannotStart) {
    EXPECT_EQ(ingest_from(docs_ / "none").error().code, ErrorCode::not_found);
    write("a.txt", "x");
    ASSERT_TRUE(ingest());
    model_.model_ = "another";
    EXPECT_EQ(ingest().error().code, ErrorCode::invalid_argument);
    model_.model_ = "word-hash";
    expired_ = true;
    EXPECT_EQ(ingest().error().code, ErrorCode::timeout);
}

TEST_F(Ingesting, EmptyFolderEmptiesTheCollection) {
    write("a.txt", "x");
    ASSERT_TRUE(ingest());
    std::filesystem::remove(docs_ / "a.txt");
    const auto report = ingest();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->documents, 0);
    EXPECT_EQ(report->removed, 1);
}

// The example that the documentation starts with: every format is read, and words alone find each question's source.
TEST_F(Ingesting, ExampleCorpusAnswersItsQuestions) {
    const std::filesystem::path example = std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "examples" / "research";
    const auto report = ingest_from(example / "corpus");
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->documents, 14);
    EXPECT_EQ(report->failed, 0);
    EXPECT_GT(report->chunks, 150);
    const std::map<std::string, std::string> sources = {
        {"replicas", "capacity-planning.md"},        {"littles-law", "queueing-basics.md"},
        {"kv-cache", "kv-cache-memory.pdf"},         {"coordinated-omission", "load-testing.md"},
        {"throttling", "kubernetes-cpu-limits.txt"}, {"hybrid-search", "embeddings-and-hybrid-search.html"},
        {"session-cost", "token-costs.txt"},         {"incident", "incident-review.pdf"}};
    const auto rows = parse_json(*load_file(example / "example_inputs.json"));
    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->as_array().size(), sources.size());
    for (const json::value& row : rows->as_array()) {
        const auto hits = collection_->search_text(*get_string(row, "question"), 5);
        ASSERT_TRUE(hits);
        const std::string& source = sources.at(*get_string(row, "id"));
        EXPECT_TRUE(std::ranges::any_of(*hits, [&](const Hit& hit) { return hit.chunk.document == source; })) << source;
    }
}

TEST_F(Ingesting, LinkedFoldersAreNotFollowed) {
    write("a.txt", "x");
    std::filesystem::create_directory_symlink(docs_, docs_ / "loop");
    EXPECT_EQ(ingest()->documents, 1);
}

}  // namespace
}  // namespace plimsoll::retrieval
