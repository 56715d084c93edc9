#include "eval/dataset.h"

#include <gmock/gmock.h>

#include "base/files.h"
#include "eval/csv.h"

namespace plimsoll::eval {
namespace {

using testing::ElementsAre;

std::vector<std::string> ids(const Dataset& dataset) {
    std::vector<std::string> out;
    for (const auto& item : dataset.items) out.push_back(to_text(item.id));
    return out;
}

std::vector<json::object> numbered_rows(int count) {
    std::vector<json::object> rows;
    for (int i = 1; i <= count; ++i) rows.push_back({{"id", i}, {"question", "q" + std::to_string(i)}});
    return rows;
}

TEST(Dataset, KeepsJsonTypesAsTheyAre) {
    const auto rows = parse_rows("json", R"([{"id":7,"question":"1","answer":2.5,"date":"2024-01-01","flag":true,"list":[1,"a"]}])");
    ASSERT_TRUE(rows);
    const auto dataset = make_dataset(*rows, {});
    ASSERT_TRUE(dataset);
    ASSERT_EQ(dataset->items.size(), 1u);
    const DatasetItem& item = dataset->items[0];
    EXPECT_EQ(item.id, json::value(7));
    EXPECT_EQ(item.question, json::value("1"));
    EXPECT_EQ(item.answer, json::value(2.5));
    EXPECT_EQ(item.generated_answer, json::value(""));
    EXPECT_EQ(json::value(item.row), json::value(rows->front()));
}

TEST(Dataset, ReadsColumnOrientedJson) {
    for (const char* text : {R"({"id":{"0":1,"1":2},"question":{"0":"a","1":"b"}})", R"({"id":[1,2],"question":["a","b"]})"}) {
        const auto rows = parse_rows("json", text);
        ASSERT_TRUE(rows);
        EXPECT_THAT(ids(*make_dataset(*rows, {})), ElementsAre("1", "2"));
    }
}

TEST(Dataset, RefusesWhatIsNoTable) {
    for (const char* text : {"", "[1]", "3", "[{]", "{\"a\":1}", "[{\"question\":\"x\"}"}) {
        const auto rows = parse_rows("json", text);
        ASSERT_FALSE(rows) << text;
        EXPECT_EQ(rows.error().code, ErrorCode::parse);
    }
}

TEST(Dataset, NamesTheBadJsonLine) {
    EXPECT_EQ(parse_rows("jsonl", "{\"question\":\"a\"}\r\n\n{\"question\":\"b\"}")->size(), 2u);
    const auto rows = parse_rows("jsonl", "{\"question\":\"a\"}\n\n{oops}\n");
    ASSERT_FALSE(rows);
    EXPECT_EQ(rows.error().code, ErrorCode::parse);
    EXPECT_THAT(rows.error().message, testing::HasSubstr("line 3"));
}

TEST(Dataset, DropsBlankQuestionsBeforeTheSizeIsAdjusted) {
    std::vector<json::object> rows = numbered_rows(2);
    rows.insert(rows.begin() + 1, {{"id", 9}, {"question", " \n"}});
    rows.push_back({{"id", 10}, {"question", nullptr}});
    rows.push_back({{"id", 11}});
    const auto dataset = make_dataset(rows, {}, {.adjust = SizeAdjustment{2, 2}});
    ASSERT_TRUE(dataset);
    EXPECT_THAT(ids(*dataset), ElementsAre("1", "2", "1_rep1", "2_rep1"));
    ASSERT_EQ(dataset->warnings.size(), 1u);
    EXPECT_THAT(dataset->warnings[0], testing::HasSubstr("row 1, 3, 4"));
}

TEST(Dataset, ABlankRowDoesNotShadowALaterRowOfItsId) {
    const auto dataset = make_dataset({{{"id", 1}, {"question", ""}}, {{"id", 1}, {"question", "real"}}}, {});
    ASSERT_EQ(dataset->items.size(), 1u);
    EXPECT_EQ(dataset->items[0].question, json::value("real"));
}

TEST(Dataset, NeedsTheQuestionColumn) {
    const auto dataset = make_dataset({{{"id", 1}, {"prompt", "x"}}}, {});
    ASSERT_FALSE(dataset);
    EXPECT_EQ(dataset.error().code, ErrorCode::config);
    EXPECT_TRUE(make_dataset({}, {})->items.empty());
}

TEST(Dataset, UnstructuredAsksTheWholeRow) {
    DatasetConfig config;
    config.structure.disable = true;
    const auto dataset = make_dataset({{{"id", 1}, {"prompt", "x"}}}, config);
    ASSERT_TRUE(dataset);
    EXPECT_EQ(dataset->items[0].question, json::value(R"({"id":1,"prompt":"x"})"));
    EXPECT_EQ(dataset->items[0].answer, json::value(""));
}

TEST(Dataset, FirstRowOfAnIdWins) {
    const auto dataset = make_dataset({{{"id", 1}, {"question", "a"}},
                                       {{"id", 1}, {"question", "b"}},
                                       {{"id", "1"}, {"question", "c"}},
                                       {{"question", "d"}},
                                       {{"question", "e"}}},
                                      {});
    ASSERT_EQ(dataset->items.size(), 4u);
    EXPECT_EQ(dataset->items[0].question, json::value("a"));
    EXPECT_EQ(dataset->warnings.size(), 1u);
}

TEST(Dataset, RepetitionsAreNumberedFromZero) {
    const auto dataset = make_dataset(numbered_rows(2), {}, {.reps = 2});
    EXPECT_THAT(ids(*dataset), ElementsAre("1_rep0", "2_rep0", "1_rep1", "2_rep1"));
    EXPECT_EQ(dataset->items[3].row.at("id"), json::value("2_rep1"));
}

TEST(Dataset, NoRowsAreAdjustedToNone) { EXPECT_TRUE(make_dataset({}, {}, {.adjust = SizeAdjustment{2, 2}})->items.empty()); }

TEST(Dataset, RepetitionSuffixesDoNotPileUp) {
    const auto dataset =
        make_dataset({{{"id", "a_rep3"}, {"question", "q"}}, {{"id", "b_repx"}, {"question", "q"}}}, {}, {.adjust = SizeAdjustment{4, 0}});
    EXPECT_THAT(ids(*dataset), ElementsAre("a", "b_repx", "a_rep1", "b_repx_rep1"));
}

TEST(Dataset, RefusesSizesThatMakeNoSense) {
    for (const DatasetOptions& options : {DatasetOptions{0, {}}, DatasetOptions{2, SizeAdjustment{1, 0}},
                                          DatasetOptions{1, SizeAdjustment{0, 0}}, DatasetOptions{1, SizeAdjustment{1, -1}}}) {
        const auto dataset = make_dataset(numbered_rows(1), {}, options);
        ASSERT_FALSE(dataset);
        EXPECT_EQ(dataset.error().code, ErrorCode::invalid_argument);
    }
}

TEST(Dataset, ReadsItsConfig) {
    const auto config =
        parse_dataset_config({{"_type", "csv"},
                              {"file_path", "d.csv"},
                              {"structure", {{"question_key", "input"}, {"disable", false}}},
                              {"filter", {{"allowlist", {{"field", {{"id", json::array{1, "2*"}}}}}}, {"denylist", nullptr}}}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->type, "csv");
    EXPECT_EQ(config->structure.question_key, "input");
    EXPECT_THAT(config->allow.at("id"), ElementsAre("1", "2*"));
    EXPECT_EQ(with_file(*config, "other.jsonl").type, "jsonl");
    EXPECT_EQ(with_file(*config, "other").type, "json");
    EXPECT_EQ(with_file(*config, "other").structure.question_key, "input");
}

TEST(Dataset, ConfigErrorsHaveTheirCode) {
    const std::pair<json::object, ErrorCode> cases[] = {
        {{{"_type", "parquet"}}, ErrorCode::unsupported},
        {{{"_type", "custom"}, {"function", "m.f"}}, ErrorCode::unsupported},
        {{{"_type", "jsom"}}, ErrorCode::config},
        {{{"_type", "json"}, {"remote_file_path", "http://x/y"}}, ErrorCode::unsupported},
        {{{"_type", "json"}, {"structure", {{"question", "x"}}}}, ErrorCode::config},
        {{{"_type", "json"}, {"structure", 4}}, ErrorCode::config},
        {{{"_type", "json"}, {"filter", {{"allowlist", {{"field", {{"id", 3}}}}}}}}, ErrorCode::config},
    };
    for (const auto& [settings, code] : cases) {
        const auto config = parse_dataset_config(settings);
        ASSERT_FALSE(config);
        EXPECT_EQ(config.error().code, code) << config.error().message;
    }
}

TEST(Dataset, LoadErrorsNameTheFile) {
    TemporaryFolder folder;
    EXPECT_EQ(load_dataset({}, folder.path() / "none.json").error().code, ErrorCode::not_found);
    const auto file = folder.path() / "cut.json";
    ASSERT_TRUE(save_file(file, "[{\"id\":1,\n\"question\":\"a"));
    const auto dataset = load_dataset({}, file);
    ASSERT_FALSE(dataset);
    EXPECT_EQ(dataset.error().code, ErrorCode::parse);
    EXPECT_THAT(dataset.error().message, testing::AllOf(testing::HasSubstr("cut.json"), testing::HasSubstr("line 2")));
}

TEST(Csv, ReadsQuotesLineEndsAndByteOrderMark) {
    const auto rows =
        parse_rows("csv", "\xef\xbb\xbfid,question,answer\r\n1,\"say \"\"hi\"\", twice\",\r\n\r\n2,\"two\r\nlines\",b\n3,short");
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_EQ(rows->size(), 3u);
    EXPECT_EQ((*rows)[0].at("id"), json::value("1"));
    EXPECT_EQ((*rows)[0].at("question"), json::value("say \"hi\", twice"));
    EXPECT_EQ((*rows)[0].at("answer"), json::value(""));
    EXPECT_EQ((*rows)[1].at("question"), json::value("two\r\nlines"));
    EXPECT_TRUE((*rows)[2].at("answer").is_null());
}

TEST(Csv, EmptyInputsAreEmptyTables) {
    EXPECT_TRUE(parse_rows("csv", "")->empty());
    EXPECT_TRUE(parse_rows("csv", "\r\n\r\n")->empty());
    EXPECT_TRUE(parse_rows("csv", "id,question\n")->empty());
    EXPECT_EQ(parse_csv("\"\"")->front().fields, std::vector<std::string>{""});
    EXPECT_EQ(parse_csv(",")->front().fields.size(), 2u);
}

TEST(Csv, ErrorsNameTheLine) {
    const std::pair<const char*, const char*> cases[] = {
        {"id,question\n1,\"never\nclosed", "line 2"},
        {"id,question\n1,\"a\nb\"\n2,\"x\"y\n", "line 4"},
        {"id,question\n1,2\n1,a\"b\n", "line 3"},
        {"id,question\n1,\"a\nb\"\n1,2,3\n", "line 4"},
        {"id,id\n1,2\n", "line 1"},
    };
    for (const auto& [text, place] : cases) {
        const auto rows = parse_rows("csv", text);
        ASSERT_FALSE(rows) << text;
        EXPECT_EQ(rows.error().code, ErrorCode::parse);
        EXPECT_THAT(rows.error().message, testing::HasSubstr(place));
    }
}

}  // namespace
}  // namespace plimsoll::eval
