// `plimsoll sizing calc`, online against the simulated model and offline from what that left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "configs.h"
#include "program.h"

namespace plimsoll::test {
namespace {

using testing::HasSubstr;

class Sizing : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(save_file(folder() / "dataset.json", many_questions(4)));
        ASSERT_TRUE(save_file(folder() / "eval.yml", chat_config(model_.url())));
    }
    std::filesystem::path folder() const { return folder_.path(); }
    Finished sizing(std::vector<std::string> more) {
        std::vector<std::string> arguments = {"sizing", "calc"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments, folder());
    }
    // The newest job folder of a mode.
    std::filesystem::path job(const std::string& mode) {
        for (const auto& entry : std::filesystem::directory_iterator(folder() / "calc" / mode)) return entry.path();
        return {};
    }

  private:
    TemporaryFolder folder_;
    SimulatedModel model_{folder_.path()};
};

TEST_F(Sizing, OnlineThenOffline) {
    const auto online = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2,4", "--num_passes", "2",
                                "--target_users", "50", "--target_workflow_runtime", "5", "--test_gpu_count", "2"});
    ASSERT_EQ(online.exit_code, 0) << online.err;
    EXPECT_THAT(online.out, AllOf(HasSubstr("Per concurrency results:"), HasSubstr("Users = 50")));
    const auto output = parse_json(load_file(job("online") / "calc_runner_output.json").value()).value();
    EXPECT_EQ(output.at("calc_data").as_object().size(), 3u);
    EXPECT_TRUE(std::filesystem::exists(job("online") / "concurrency_vs_p95_simple.png"));
    for (const char* leg : {"concurrency_1", "concurrency_2", "concurrency_4"})
        EXPECT_TRUE(std::filesystem::exists(job("online") / leg / "events.jsonl")) << leg;

    const auto offline = sizing(
        {"--offline_mode", "--calc_output_dir", "calc", "--target_users", "50", "--target_workflow_runtime", "5", "--test_gpu_count", "2"});
    EXPECT_EQ(offline.exit_code, 0) << offline.err;
    EXPECT_THAT(offline.out, HasSubstr("Per concurrency results:"));
    EXPECT_TRUE(std::filesystem::exists(job("offline") / "calc_runner_output.json"));
}

TEST_F(Sizing, InfeasibleTargetIsAnAnswer) {
    const auto result = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2,4", "--num_passes", "1",
                                "--target_users", "50", "--target_workflow_runtime", "0.000001", "--test_gpu_count", "1"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(std::filesystem::exists(job("online") / "calc_runner_output.json"));
}

TEST_F(Sizing, FindsItsConfigAndNamesIt) {
    std::filesystem::create_directory(folder() / "configs");
    std::filesystem::rename(folder() / "eval.yml", folder() / "configs" / "eval_config.yml");
    const auto result = sizing({"--calc_output_dir", "calc", "--concurrencies", "1,2", "--num_passes", "1"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out + result.err, HasSubstr("configs/eval_config.yml"));
}

TEST_F(Sizing, WrongConcurrenciesAreUsageErrors) {
    for (const char* list : {"0,1", "1", "2,2", "a,b", "-1,2"})
        EXPECT_EQ(sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", list}).exit_code, 2) << list;
    EXPECT_EQ(sizing({"--offline_mode"}).exit_code, 2);
}

TEST_F(Sizing, FailingLegsAreKept) {
    ASSERT_TRUE(save_file(folder() / "eval.yml", chat_config("http://127.0.0.1:1/v1", "    num_retries: 1\n")));
    const auto result = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2", "--num_passes", "1"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_TRUE(std::filesystem::exists(job("online") / "calc_runner_output.json")) << result.err;
    EXPECT_TRUE(std::filesystem::exists(job("online") / "concurrency_2" / "workflow_output.json"));
}

}  // namespace
}  // namespace plimsoll::test
