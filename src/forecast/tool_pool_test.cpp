#include "forecast/tool_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <queue>

#include "base/random.h"

namespace plimsoll::forecast {
namespace {

// Bursts of `burst` uses into a pool of `servers` (0: no bound), service 0.5 to 2 s.
Recording make_uses(int servers, int burst, int bursts) {
    Random random(7);
    Recording recording;
    recording.names.tools = {"search"};
    for (const int size : {1, burst}) {
        Level level;
        level.concurrency = size;
        for (int b = 0; b < bursts; ++b) {
            const double start = b * 100.0;
            std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
            for (int i = 0; i < size; ++i) {
                const double service = random.uniform(0.5, 2);
                const double came = start + 0.01 * i;
                double begin = came;
                if (servers > 0 && static_cast<int>(free_at.size()) >= servers) {
                    begin = std::max(came, free_at.top());
                    free_at.pop();
                }
                free_at.push(begin + service);
                level.tools.push_back({0, 0, 0, came, begin + service});
            }
        }
        RecordedSession session;
        session.finished = true;
        session.graph.tasks.resize(1);
        session.graph.tasks[0].kind = TaskKind::tool;
        level.sessions.push_back(session);
        recording.levels.push_back(std::move(level));
    }
    return recording;
}

TEST(ToolPool, FindsTheNumberOfServersFromTheWaits) {
    for (const int servers : {2, 5, 8}) {
        const ToolPoolFit fit = fit_tool_pool(make_uses(servers, 16, 40), 0);
        EXPECT_EQ(fit.sizes.front().servers, servers);
        EXPECT_EQ(fit.peak, 16);
        EXPECT_GT(fit.waited, 100);
    }
}

TEST(ToolPool, WithoutWaitsNoBoundIsSeen) {
    const ToolPoolFit fit = fit_tool_pool(make_uses(0, 16, 40), 0);
    EXPECT_EQ(fit.sizes.front().servers, 0);
    EXPECT_EQ(fit.waited, 0);
}

TEST(ToolPool, OfAnUnusedToolHasNoBound) {
    Recording recording = make_uses(0, 2, 2);
    recording.names.tools.emplace_back("unused");
    const ToolPoolFit fit = fit_tool_pool(recording, 1);
    ASSERT_EQ(fit.sizes.size(), 1u);
    EXPECT_EQ(fit.sizes.front().servers, 0);
}

TEST(ToolPool, ServiceIsWhatIsLeftWithoutTheWait) {
    Recording recording = make_uses(0, 1, 1);
    Level& level = recording.levels.back();
    level.tools = {{0, 0, -1, 0, 2}, {0, 0, 0, 1, 5}};  // the second waits from 1 to 2
    remove_waits(recording, 0, 1);
    EXPECT_DOUBLE_EQ(level.sessions[0].graph.tasks[0].seconds, 3);
}

}  // namespace
}  // namespace plimsoll::forecast
