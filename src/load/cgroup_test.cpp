// A real control group with a limit that is too low, where this machine lets the test make one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "load/cgroup.h"
#include "load/diagnosis.h"
#include "load/sampler.h"

namespace plimsoll::load {
namespace {

namespace fs = std::filesystem;

const fs::path kCgroups = "/sys/fs/cgroup";
constexpr int kQuotaUs = 20'000, kPeriodUs = 100'000;
constexpr std::int64_t kPeriods = 15;  // of the scheduler, between the looks
constexpr std::chrono::seconds kPatience{30};

// Control files take no rename, so that save_file() is of no use.
bool write_control(const fs::path& file, const std::string& text) {
    std::ofstream stream(file);
    stream << text << std::flush;
    return stream.good();
}

// A group of a fifth of a core, gone with the object. `why_not` says why there is none.
class LimitedGroup {
  public:
    LimitedGroup() {
        const std::string name = "plimsoll_test_" + std::to_string(::getpid());
        const bool v2 = fs::exists(kCgroups / "cgroup.controllers");
        const fs::path folder = v2 ? kCgroups / name : kCgroups / "cpu" / name;
        std::error_code error;
        if (!fs::create_directory(folder, error)) {
            why_not = "cannot make " + folder.string() + (error ? ": " + error.message() : "");
            return;
        }
        folder_ = folder;
        if (v2 && !write_control(kCgroups / "cgroup.subtree_control", "+cpu")) why_not = "cannot hand on the cpu controller";
        const bool limited = v2 ? write_control(folder / "cpu.max", std::to_string(kQuotaUs) + " " + std::to_string(kPeriodUs))
                                : write_control(folder / "cpu.cfs_period_us", std::to_string(kPeriodUs)) &&
                                      write_control(folder / "cpu.cfs_quota_us", std::to_string(kQuotaUs));
        if (!limited && why_not.empty()) why_not = "cannot limit " + folder.string();
    }
    ~LimitedGroup() {
        std::error_code ignored;  // what is left of it is empty and harmless
        if (!folder_.empty()) fs::remove(folder_, ignored);
    }
    LimitedGroup(const LimitedGroup&) = delete;
    LimitedGroup& operator=(const LimitedGroup&) = delete;

    bool take(int pid) { return write_control(folder_ / "cgroup.procs", std::to_string(pid)); }

    std::string why_not;

  private:
    fs::path folder_;
};

// A process that would use a whole core.
class BusyProcess {
  public:
    BusyProcess() : pid_(::fork()) {
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile std::uint64_t turns = 0;;) turns = turns + 1;
    }
    ~BusyProcess() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    BusyProcess(const BusyProcess&) = delete;
    BusyProcess& operator=(const BusyProcess&) = delete;
    int pid() const { return pid_; }

  private:
    int pid_;
};

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Until the scheduler has counted so many more periods of the group; they are its clock.
bool wait_for_periods(const CgroupPlace& place) {
    const auto begin = read_cgroup(place)->periods;
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (read_cgroup(place)->periods < begin + kPeriods) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(kPeriodUs));
    }
    return true;
}

TEST(LiveCgroup, ALimitThatIsTooLowIsFoundByName) {
    LimitedGroup group;
    if (!group.why_not.empty()) GTEST_SKIP() << "no control group of our own: " << group.why_not;
    BusyProcess busy;
    if (!group.take(busy.pid())) GTEST_SKIP() << "no process can be moved into a control group of our own";

    const auto place = find_cgroup("/proc", kCgroups, busy.pid());
    ASSERT_TRUE(place);
    const SamplerOptions options{.pids = {busy.pid()}, .metrics_urls = {}, .gpus = false};
    SampleMaker maker(options);
    EXPECT_FALSE(maker.look(seconds_now()));
    std::deque<Sample> samples;
    ASSERT_TRUE(wait_for_periods(*place));
    samples.push_back(maker.look(seconds_now()).value());
    // Others may have the cores of this machine; what is asked here is whether the limit is seen.
    samples.front().machine->busy = 0.3;

    const CgroupSample& seen = samples.front().cgroup.value();
    EXPECT_DOUBLE_EQ(seen.quota_cores, 0.2);
    EXPECT_NEAR(seen.usage_cores, 0.2, 0.06);
    EXPECT_GT(seen.throttled, kPeriods / 2);
    // Less than the whole core that it wants when others keep it from its share.
    EXPECT_GT(seen.usage_cores + seen.throttled_cores, 0.25);
    EXPECT_LT(seen.usage_cores + seen.throttled_cores, 1.1);
    const auto findings = diagnose({.samples = samples});
    ASSERT_FALSE(findings.empty());
    EXPECT_EQ(findings.front().cause, Cause::cpu_limit_too_low);
    EXPECT_THAT(findings.front().text, testing::AllOf(testing::HasSubstr("CPU limit too low"), testing::HasSubstr("limit 0.2 cores")));
}

}  // namespace
}  // namespace plimsoll::load
