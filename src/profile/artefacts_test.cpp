// Files that are written piece by piece: whole or absent, whatever fails on the way.
#include "profile/artefacts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "profile/text_pool.h"
#include "profile/workflow_report.h"

namespace plimsoll::profile {
namespace {

using testing::HasSubstr;

TEST(ArtefactFolderTest, WhatIsNotCommittedLeavesNothing) {
    const TemporaryFolder folder;
    ArtefactFolder artefacts(folder.path() / "out");
    {
        const auto kept = artefacts.open("kept.txt"), dropped = artefacts.open("dropped.txt");
        for (const auto& writer : {&kept, &dropped}) (*writer)->append("one two");
        kept->cut(4);
        kept->append("three");
        EXPECT_EQ(kept->size(), 9u);
        kept->commit();
    }
    EXPECT_TRUE(artefacts.saved());
    EXPECT_EQ(*load_file(folder.path() / "out/kept.txt"), "one three");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path() / "out"), {}), 1);
}

TEST(ArtefactFolderTest, TheFirstErrorIsKeptAndCostsNoOtherFile) {
    const TemporaryFolder folder;
    ASSERT_TRUE(make_folder(folder.path() / "taken.txt"));
    ArtefactFolder artefacts(folder.path());
    for (const char* name : {"taken.txt", "absent/name/", "fine.txt"}) {
        const auto writer = artefacts.open(name);
        writer->append("text");
        writer->commit();
    }
    ASSERT_FALSE(artefacts.saved());
    EXPECT_THAT(artefacts.saved().error().message, HasSubstr("taken.txt"));
    EXPECT_EQ(*load_file(folder.path() / "fine.txt"), "text");
}

TEST(WorkflowReportTest, AnAnalysisThatFailsHalfWayLeavesItsErrorInBothFiles) {
    AnalysisRunner runner;
    ArtefactList artefacts;
    WorkflowReport report(runner, artefacts);
    const auto write = [](const AnalysisOutput& output) -> Result<void> {
        output.metrics.begin_object();
        output.metrics.member("answer", 42);
        output.metrics.end();
        output.report.append("fine");
        return {};
    };
    report.add("first", true, write);
    report.add("broken", true, [](const AnalysisOutput& output) -> Result<void> {
        output.metrics.begin_object();
        output.metrics.key("list");
        output.metrics.begin_array();
        for (int i = 0; i < 100'000; ++i) output.metrics.value(i);
        output.report.append(std::string(200'000, 'x'));
        throw std::runtime_error("out of ideas");
    });
    report.add("off", false, write);
    report.add("last", true, write);
    report.finish();
    ASSERT_EQ(artefacts.list.size(), 2u);
    EXPECT_EQ(parse_json(artefacts.list[0].content).value(),
              (json::value{{"first", {{"answer", 42}}},
                           {"broken", {{"error", {{"code", "internal"}, {"message", "out of ideas"}}}}},
                           {"last", {{"answer", 42}}}}));
    EXPECT_EQ(artefacts.list[0].content, to_pretty_json(parse_json(artefacts.list[0].content).value()));
    EXPECT_EQ(artefacts.list[1].content, "\n\n\nfine\n\n\nbroken: not finished: out of ideas\n\n\nfine");
}

TEST(WorkflowReportTest, WithoutAnAnalysisThereAreNoFiles) {
    AnalysisRunner runner;
    ArtefactList artefacts;
    WorkflowReport report(runner, artefacts);
    report.add("off", false, [](const AnalysisOutput&) -> Result<void> { return {}; });
    report.finish();
    EXPECT_TRUE(artefacts.list.empty());
}

TEST(TextPoolTest, KeepsEveryText) {
    TextPool pool;
    std::vector<std::string> texts = {"", "a", std::string(3'000'000, 'x'), "b"};
    for (int i = 0; i < 100'000; ++i) texts.push_back(std::to_string(i * 7919L) + std::string(static_cast<std::size_t>(i % 40), '.'));
    std::vector<TextPool::Id> ids;
    for (const std::string& text : texts) ids.push_back(pool.add(text));
    for (std::size_t i = 0; i < texts.size(); ++i) ASSERT_EQ(pool[ids[i]], texts[i]);
}

TEST(NamePoolTest, TheSameNameHasTheSameNumber) {
    NamePool pool;
    for (int round = 0; round < 2; ++round)
        for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(pool.add(std::to_string(i)), i);
    EXPECT_EQ(pool[77], "77");
    EXPECT_EQ(pool.size(), 1000u);
}

}  // namespace
}  // namespace plimsoll::profile
