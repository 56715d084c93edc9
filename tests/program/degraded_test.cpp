// A research agent goes on without its model; that it did must show.
#include <gmock/gmock.h>

#include "configs.h"
#include "fixture.h"

namespace plimsoll::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Degraded : public FolderTest {
  protected:
    void SetUp() override {
        write("docs/queues.md",
              "# Queues\n\n## Little's law\n\nThe mean number of users in a system is the arrival rate times the mean time they stay.\n");
        write("dataset.json",
              R"([{"id": 1, "question": "What is Little's law?"}, {"id": 2, "question": "How many users are in a system?"}])");
    }
    void use_model(const std::string& url) { write("eval.yml", research_config(url, embedder_.url())); }

    SimulatedModel embedder_{folder()};
};

TEST_F(Degraded, AModelThatIsNotThereFailsTheRunAndNotItsSessions) {
    use_model("http://127.0.0.1:1/v1");
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.out, HasSubstr("Failed Model Calls: 4 of 4 (4 connect)"));
    EXPECT_THAT(result.out, AllOf(HasSubstr("Degraded Items: 2 of 2"), Not(HasSubstr("Failed Items"))));
    EXPECT_THAT(result.err, HasSubstr("error: no model call worked"));
    EXPECT_EQ(eval({"--allow_failures"}).exit_code, 0);
}

TEST_F(Degraded, AModelThatFailsNowAndThenIsAWarning) {
    const SimulatedModel model(folder(), {"--fault", "500=0.4", "--seed", "3"});
    use_model(model.url());
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, ContainsRegex("Degraded Items: [12] of 2"));
    EXPECT_THAT(result.err, ContainsRegex("warning: [12] of 2 sessions are degraded"));
}

TEST_F(Degraded, SizingCountsSessionsWithoutAModelAsFailed) {
    use_model("http://127.0.0.1:1/v1");
    const std::vector<std::string> sizing = {"sizing",          "calc", "--config_file", "eval.yml", "--calc_output_dir", "calc",
                                             "--concurrencies", "1,2",  "--num_passes",  "1"};
    const auto dead = run_program(sizing, folder());
    EXPECT_EQ(dead.exit_code, 1);
    EXPECT_THAT(dead.out, AllOf(HasSubstr("Sessions failed"), HasSubstr("At concurrency 2: 4 of 4 model calls failed")));

    const SimulatedModel model(folder(), {"--fault", "500=0.4", "--seed", "3"});
    use_model(model.url());
    const auto limping = run_program(sizing, folder());
    EXPECT_THAT(limping.out, ContainsRegex("[0-9]+ of [0-9]+ model calls failed and [12] of [12] sessions went on without them"));
}

}  // namespace
}  // namespace plimsoll::test
