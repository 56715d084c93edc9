#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "research/prompts.h"
#include "research/report_text.h"
#include "research/sentences.h"

namespace plimsoll::research {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

retrieval::Hit make_hit(std::int64_t id, std::string document, int page, std::string text) {
    retrieval::Hit hit;
    hit.chunk.id = id;
    hit.chunk.document = std::move(document);
    hit.chunk.page = page;
    hit.chunk.text = std::move(text);
    return hit;
}

TEST(Sentences, SplitKeepsNumbersAndAbbreviationsWhole) {
    EXPECT_THAT(split_sentences("The p95 was 1.5 s. It uses 3.2 GB, e.g. Two replicas.  Is it enough? Yes!"),
                ElementsAre("The p95 was 1.5 s. It uses 3.2 GB, e.g. Two replicas.", "Is it enough?", "Yes!"));
    EXPECT_THAT(split_sentences("# Heading\nOne line\ngoes on here. Next.\n\n- a bullet\n| a | table |\nLast one."),
                ElementsAre("One line goes on here.", "Next.", "Last one."));
    EXPECT_THAT(split_sentences(""), IsEmpty());
}

TEST(Sentences, ContentWordsAreLowerCaseWithWholeNumbers) {
    EXPECT_THAT(content_words("The queue of 1,000 users waits 2.5 s."), ElementsAre("queue", "1000", "users", "waits", "2.5"));
    EXPECT_THAT(content_words("?!  the of"), IsEmpty());
}

TEST(Sentences, QuotesComeFromTheChunkThatAnswers) {
    const Query query{.text = "how long is the queue", .section = "Queue length"};
    const auto quotes =
        pick_quotes(query,
                    {make_hit(1, "a.md", 1, "Batches share one weight read per step. Memory is what bounds a batch in the end."),
                     make_hit(2, "b.md", 1, "The queue length is the arrival rate times the wait. Another sentence that says little.")},
                    2, 1);
    ASSERT_THAT(quotes, SizeIs(1)) << "the other chunk has nothing on it";
    EXPECT_EQ(quotes[0].chunk_id, 2);
    EXPECT_EQ(quotes[0].text, "The queue length is the arrival rate times the wait.");
    EXPECT_TRUE(quotes[0].quoted);
}

TEST(Sentences, OverlappingChunksAreQuotedOnce) {
    const std::string same = "Little's law says that the mean number in a system is rate times time.";
    EXPECT_THAT(pick_quotes({.text = "Little's law"}, {make_hit(1, "a", 1, same), make_hit(2, "a", 1, same)}, 3, 2), SizeIs(1));
}

TEST(Sentences, UnsupportedWritingIsDropped) {
    const std::vector<retrieval::Hit> hits = {
        make_hit(7, "a.md", 1, "A replica serves 40 users at a p95 of 12 seconds under the measured load.")};
    std::vector<std::string> seen;
    const auto kept = keep_supported({"A replica serves 40 users under load.",         // kept
                                      "Each replica serves 40 users under the load.",  // says it again
                                      "A replica serves 90 users under load.",         // a number that no source has
                                      "Bananas ripen faster inside paper bags.",       // about something else
                                      "The measured p95 of a replica under load is"},  // cut off
                                     hits, seen);
    ASSERT_THAT(kept, SizeIs(1));
    EXPECT_EQ(kept[0].chunk_id, 7);
    EXPECT_THAT(seen, SizeIs(1));
}

TEST(Prompts, PlanIsConstrainedAndReadBack) {
    const auto request = plan_request("What is p95?", "", {"Percentiles"}, 2);
    ASSERT_TRUE(request.json_schema);
    EXPECT_EQ(request.messages.size(), 4u) << "system, one example as a pair, the question";
    const auto plan = parse_plan(
        R"({"queries":[{"query":"p95 meaning","section":"A"},{"query":"P95, meaning","section":"B"},{"query":"  ","section":"C"}]})", 2);
    ASSERT_TRUE(plan);
    EXPECT_THAT(*plan, SizeIs(1)) << "repeated and blank queries are dropped";
}

TEST(Prompts, AShortPlanIsFilledFromTheCollection) {
    std::vector<Query> plan = {{.text = "p95 meaning", .section = "Percentiles"}};
    complete_plan("What is p95?", {"percentiles", "Tail latency", "Samples"}, 2, plan);
    ASSERT_THAT(plan, SizeIs(2));
    EXPECT_EQ(plan[1].section, "Tail latency");
    EXPECT_EQ(plan[1].order, 1);
}

TEST(Prompts, GarbageIsABadResponse) {
    for (const char* text :
         {"", "no json", "{}", R"({"queries":[]})", R"({"queries":[{"query":"..","section":"x"}]})", R"({"queries":"x"})"})
        EXPECT_EQ(parse_plan(text, 3).error().code, ErrorCode::bad_response) << text;
    for (const char* text : {"", "[]", R"({"query":"x y z"})"})
        EXPECT_EQ(parse_reflection(text).error().code, ErrorCode::bad_response) << text;
}

TEST(Report, NumbersSourcesInOrderOfUseAndOnlyRetrievedOnes) {
    const std::vector<Evidence> evidence = {{{}, {make_hit(1, "a.md", 1, ""), make_hit(2, "b.md", 3, ""), make_hit(3, "b.md", 3, "")}}};
    const std::vector<Section> sections = {{"Second", 1, {{"From a.", 1, false}, {"Invented.", 99, false}}},
                                           {"First", 0, {{"From b.", 2, true}, {"Also b.", 3, true}}},
                                           {"Empty", 2, {}}};
    const FinishedReport report = assemble_report("Topic", sections, evidence, {"a note"});
    EXPECT_EQ(report.markdown,
              "# Topic\n\n## First\n\n> \"From b.\" [1]\n\n> \"Also b.\" [1]\n\n## Second\n\nFrom a. [2] Invented.\n\n"
              "## Sources\n\n[1] b.md, b.md, p. 3\n[2] a.md, a.md, p. 1\n\n---\nNote: a note\n");
    EXPECT_EQ(report.dropped_citations, 1);
}

TEST(Report, AQuoteStandsOnce) {
    const std::vector<Evidence> evidence = {{{}, {make_hit(1, "a.md", 1, "")}}};
    const Sentence quote{"Same.", 1, true};
    const std::string text = assemble_report("Topic", {{"First", 0, {quote}}, {"Second", 1, {quote}}}, evidence, {}).markdown;
    EXPECT_EQ(text.find("Same."), text.rfind("Same."));
    EXPECT_THAT(text, Not(HasSubstr("Second")));
}

TEST(Report, NothingFoundIsSaid) {
    EXPECT_THAT(assemble_report("Topic", {}, {}, {}).markdown, HasSubstr("holds nothing"));
    EXPECT_THAT(assemble_report("Topic", {}, {}, {}).markdown, Not(HasSubstr("Sources")));
}

}  // namespace
}  // namespace plimsoll::research
