#include "forecast/cells.h"

#include <gtest/gtest.h>

#include <cmath>

namespace plimsoll::forecast {
namespace {

NetworkModel make_network(int replicas, int tool_servers) {
    NetworkModel network;
    network.endpoints.push_back({.replicas = replicas});
    network.tool_servers = {tool_servers};
    return network;
}

struct CutCase {
    const char* name;
    double users;
    int replicas, servers;  // servers 0: no bound
    bool whole;
};

class CutNetwork : public testing::TestWithParam<CutCase> {};

TEST_P(CutNetwork, KeepsTheProportions) {
    const CutCase& one = GetParam();
    const Cell cell = cut_network(make_network(one.replicas, one.servers), one.users, 4);
    EXPECT_EQ(cell.whole, one.whole);
    if (one.whole) {
        EXPECT_EQ(cell.users, one.users);
        EXPECT_EQ(cell.scale, 1);
        EXPECT_EQ(cell.network.tool_servers[0], one.servers);
        return;
    }
    EXPECT_LE(cell.users, kMostUncut);
    EXPECT_GE(cell.users, kLeastCellUsers);
    EXPECT_NEAR(cell.users * cell.scale, one.users, 1e-6 * one.users);
    EXPECT_NEAR(cell.network.endpoints[0].replicas * cell.scale / one.replicas, 1, 0.05);
    EXPECT_NEAR(one.servers == 0 ? 1 : cell.network.tool_servers[0] * cell.scale / one.servers, 1, 0.05);
}

INSTANTIATE_TEST_SUITE_P(Cases, CutNetwork,
                         testing::Values(CutCase{"small", 1500, 19, 12, true}, CutCase{"odd_replicas", 3000, 19, 0, false},
                                         CutCase{"even_replicas", 3000, 20, 0, false}, CutCase{"barely_cut", 1600, 43, 0, false},
                                         CutCase{"two_resources", 200'000, 1300, 900, false},
                                         CutCase{"a_million", 1'000'000, 30'000, 0, false},
                                         CutCase{"a_tool_of_few_places", 1'000'000, 30'000, 12, true},
                                         CutCase{"one_replica", 100'000, 1, 0, true}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(CutNetworkLimits, LeavesReplicasOutThatNoCallReaches) {
    const Cell cell = cut_network(make_network(1'000'000, 0), 2, 5);
    EXPECT_EQ(cell.network.endpoints[0].replicas, 40);
    EXPECT_EQ(cell.users, 2);
}

}  // namespace
}  // namespace plimsoll::forecast
