// `plimsoll sim`: the simulated model server as a process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/files.h"
#include "program.h"

namespace plimsoll::test {
namespace {

// A shell's limit, which the program inherits.
class LowLimit {
  public:
    LowLimit() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit low = before_;
        low.rlim_cur = 256;
        ::setrlimit(RLIMIT_NOFILE, &low);
    }
    ~LowLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    LowLimit(const LowLimit&) = delete;
    LowLimit& operator=(const LowLimit&) = delete;

  private:
    rlimit before_{};
};

TEST(SimServe, TakesAsManyConnectionsAsTheSystemAllows) {
    TemporaryFolder folder;
    const LowLimit limit;
    Program server({"sim", "serve", "--port", "0"}, folder.path());
    ASSERT_NE(server.wait_for_line("listening on"), "");
    const auto limits = load_file("/proc/" + std::to_string(server.pid()) + "/limits").value();
    EXPECT_THAT(limits, testing::Not(testing::ContainsRegex("Max open files +256 ")));
}

TEST(SimServe, WrongUse) {
    TemporaryFolder folder;
    for (const auto& flags : std::vector<std::vector<std::string>>{
             {"--slow_start", "7200"}, {"--slow_start", "-1"}, {"--retry_after", "3601"}, {"--retry_after", "soon"}, {"--ttft", "1e300"}}) {
        std::vector<std::string> arguments = {"sim", "serve", "--port", "0"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        EXPECT_EQ(run_program(arguments, folder.path()).exit_code, 2) << flags.back();
    }
}

}  // namespace
}  // namespace plimsoll::test
