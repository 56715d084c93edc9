#include "llm/sim_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace plimsoll::llm {
namespace {

TEST(SimProfile, ThoseInTheProgramAreSound) {
    EXPECT_GE(sim_profile_names().size(), 2u);
    for (const auto name : sim_profile_names()) {
        const auto profile = load_sim_profile(std::string(name));
        ASSERT_TRUE(profile) << name << ": " << profile.error().message;
        EXPECT_FALSE(profile->description.empty());
        EXPECT_TRUE(check_sim_engine_options(profile->engine));
    }
}

TEST(SimProfile, ReadsItsNumbers) {
    const auto profile = load_sim_profile("smollm2-135m-llamacpp-1core");
    ASSERT_TRUE(profile);
    EXPECT_EQ(profile->engine.limits.max_sequences, 8);
    EXPECT_EQ(profile->engine.ingest, std::chrono::microseconds(6500));
    EXPECT_TRUE(profile->headers_at_start);
    // 11 + 5 + 267 ms: measured were 2.67 ms a prompt token beside what a step costs.
    EXPECT_NEAR(profile->engine.law.seconds({.decodes = 1, .context = 0, .prompt_tokens = 100, .prompts = 1}), 0.283, 1e-9);
}

TEST(SimProfile, SaysWhatIsWrong) {
    for (const char* text :
         {"", "[1]", "law: 7", "max_sequences: 8", "law: {form: cubic, fixed: 1}", "law: {fixed: 1}\nslots: 3", "law: {fixed: -1}",
          "law: {fixed: 1, b: 2}", "law: {fixed: 1}\nmax_sequences: -3", "law: {fixed: 1}\njitter: 1.5",
          "law: {fixed: 1}\nmax_sequences: 0", "law: {fixed: 1}\nmax_sequences: 99999999999", "law: {fixed: 1}\ningest: 1e9",
          "law: {fixed: one}", "law: {fixed: 1", "law: {fixed: .nan}"})
        EXPECT_EQ(parse_sim_profile(text).error().code, ErrorCode::config) << text;
    EXPECT_EQ(load_sim_profile("no-such-profile").error().code, ErrorCode::not_found);
    const TemporaryFolder folder;
    const auto path = folder.path() / "mine.yml";
    ASSERT_TRUE(save_file(path, "law: {fixed: 0.5}\nmax_sequences: 2\n"));
    EXPECT_EQ(load_sim_profile(path)->engine.limits.max_sequences, 2);
}

}  // namespace
}  // namespace plimsoll::llm
