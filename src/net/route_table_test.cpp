#include "net/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plimsoll::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

asio::awaitable<void> do_nothing() { co_return; }
Handler any_handler() {
    return [](const ServerRequest&, ServerResponse&) { return do_nothing(); };
}

TEST(PercentDecode, DecodesAndLeavesBrokenEscapesAlone) {
    EXPECT_EQ(percent_decode("a%20b%2fc%C3%A9"), "a b/cé");
    EXPECT_EQ(percent_decode("100%"), "100%");
    EXPECT_EQ(percent_decode("%4"), "%4");
    EXPECT_EQ(percent_decode("%zz%-1%+1"), "%zz%-1%+1");
    EXPECT_EQ(percent_decode("a+b"), "a+b");
    EXPECT_EQ(percent_decode("a+b%2B", true), "a b+");
    EXPECT_EQ(percent_decode("%00"), std::string(1, '\0'));
}

TEST(ParseTarget, SplitsPathAndQuery) {
    const Target target = parse_target("/a%20b/c?x=1&y=%26+z&&flag&x=2&=v");
    EXPECT_EQ(target.path, "/a%20b/c");
    EXPECT_THAT(target.query, ElementsAre(Pair("", "v"), Pair("flag", ""), Pair("x", "2"), Pair("y", "& z")));
    EXPECT_THAT(parse_target("/?").query, IsEmpty());
}

TEST(ParseTarget, AbsoluteFormLosesItsHost) {
    EXPECT_EQ(parse_target("http://h:1/p?q=1").path, "/p");
    EXPECT_EQ(parse_target("http://h").path, "/");
    EXPECT_THAT(parse_target("http://h?q=1").query, ElementsAre(Pair("q", "1")));
    EXPECT_EQ(parse_target("/go?to=http://h/p").path, "/go");
}

TEST(RouteTable, ParametersAreDecodedAndNeverEmpty) {
    RouteTable table;
    table.add("GET", "/v1/jobs/{id}/{part}", any_handler());
    const auto match = table.match("GET", "/v1/jobs/a%2Fb/log");
    ASSERT_NE(match.handler, nullptr);
    EXPECT_THAT(match.params, ElementsAre(Pair("id", "a/b"), Pair("part", "log")));
    for (const char* path : {"/v1/jobs/x", "/v1/jobs/x/", "/v1/jobs/x/y/z", "/v1/jobs//y", "/", "", "v1/jobs"})
        EXPECT_EQ(table.match("GET", path).handler, nullptr) << path;
}

TEST(RouteTable, ExactWinsWhateverTheOrder) {
    for (const bool exact_first : {true, false}) {
        RouteTable table;
        if (exact_first) table.add("GET", "/jobs/all", any_handler());
        table.add("GET", "/jobs/{id}", any_handler());
        if (!exact_first) table.add("GET", "/jobs/all", any_handler());
        EXPECT_THAT(table.match("GET", "/jobs/all").params, IsEmpty());
        EXPECT_THAT(table.match("GET", "/jobs/1").params, ElementsAre(Pair("id", "1")));
    }
}

TEST(RouteTable, KnowsTheMethodsOfAPath) {
    RouteTable table;
    table.add("GET", "/x", any_handler());
    table.add("POST", "/x", any_handler());
    table.add("POST", "/{y}", any_handler());
    const auto match = table.match("DELETE", "/x");
    EXPECT_EQ(match.handler, nullptr);
    EXPECT_THAT(match.allowed, ElementsAre("GET", "POST"));
    EXPECT_THAT(table.match("GET", "/x/y").allowed, IsEmpty());
}

TEST(RouteTable, HeadGoesToGetUnlessItHasItsOwn) {
    RouteTable table;
    table.add("GET", "/x", any_handler());
    table.add("GET", "/y", any_handler());
    table.add("HEAD", "/y", any_handler());
    EXPECT_EQ(table.match("HEAD", "/x").handler, table.match("GET", "/x").handler);
    EXPECT_NE(table.match("HEAD", "/y").handler, nullptr);
    EXPECT_NE(table.match("HEAD", "/y").handler, table.match("GET", "/y").handler);
    table.add("POST", "/z", any_handler());
    EXPECT_EQ(table.match("HEAD", "/z").handler, nullptr);
}

}  // namespace
}  // namespace plimsoll::net
