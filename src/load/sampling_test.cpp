// Counters read from recorded folders, metrics from recorded text, and what the samples mean.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "load/counters.h"
#include "load/diagnosis.h"
#include "load/nvml.h"
#include "load/prometheus.h"
#include "load/sampler.h"

namespace plimsoll::load {
namespace {

namespace fs = std::filesystem;

const fs::path kData = PLIMSOLL_SOURCE_DIR "/tests/data/load";

TEST(Counters, ControlGroupsOfBothVersions) {
    const auto v2 = find_cgroup(kData / "v2/first/proc", kData / "v2/first/cgroup", 42);
    ASSERT_TRUE(v2);
    EXPECT_TRUE(v2->v2);
    const auto second = read_cgroup(*v2).value();
    EXPECT_DOUBLE_EQ(second.quota_cores, 0.5);
    EXPECT_EQ(second.periods, 100u);
    EXPECT_EQ(second.throttled_us, 2'000'000u);

    const auto v1 = find_cgroup(kData / "v1/proc", kData / "v1/cgroup", 7);
    ASSERT_TRUE(v1);
    EXPECT_FALSE(v1->v2);
    const auto first = read_cgroup(*v1).value();
    EXPECT_DOUBLE_EQ(first.quota_cores, 0.2);
    EXPECT_EQ(first.throttled, 38u);
    EXPECT_EQ(first.throttled_us, 957'000u);
    EXPECT_EQ(first.usage_us, 2'000'000u);
    EXPECT_FALSE(find_cgroup(kData / "v1/proc", kData / "v1/cgroup", 8));
}

TEST(Counters, ProcessTrees) {
    const fs::path proc = kData / "v2/first/proc";
    const ProcessList list = read_processes(proc);
    const auto tree = read_tree(list, proc, 42);
    ASSERT_TRUE(tree);
    EXPECT_EQ(tree->name, "agent (main) server");
    EXPECT_EQ(tree->processes, 3);
    EXPECT_EQ(tree->ticks, 520u);
    EXPECT_EQ(tree->threads.size(), 2u);
    EXPECT_EQ(tree->waiting_ns, 1'000'000'000u);
    EXPECT_FALSE(read_tree(list, proc, 4711));
    EXPECT_FALSE(read_machine("/nowhere"));
    EXPECT_TRUE(read_processes("/nowhere").entries.empty());
}

// Two recorded looks, a second apart, behind one changing link.
TEST(SampleMaker, RatesFromTwoLooks) {
    TemporaryFolder folder;
    const auto point_at = [&](const char* look) {
        fs::remove(folder.path() / "now");
        fs::create_directory_symlink(kData / "v2" / look, folder.path() / "now");
    };
    const SamplerOptions options{
        .pids = {42}, .metrics_url = {}, .proc = folder.path() / "now/proc", .cgroups = folder.path() / "now/cgroup"};
    SampleMaker maker(options);
    point_at("first");
    EXPECT_FALSE(maker.look(100));
    EXPECT_FALSE(maker.look(100));
    point_at("second");
    const auto sample = maker.look(101);
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->machine->cores, 2);
    EXPECT_NEAR(sample->machine->busy, 100.0 / 190, 1e-9);
    EXPECT_NEAR(sample->machine->stall.value(), 0.05, 1e-9);
    ASSERT_EQ(sample->processes.size(), 1u);
    EXPECT_NEAR(sample->processes[0].cores, 50 / ticks_per_second(), 1e-9);
    EXPECT_NEAR(sample->processes[0].hottest_thread, 50 / ticks_per_second(), 1e-9);
    EXPECT_NEAR(sample->processes[0].waiting, 1, 1e-9);
    EXPECT_EQ(sample->cgroup->periods, 10);
    EXPECT_EQ(sample->cgroup->throttled, 9);
    EXPECT_NEAR(sample->cgroup->usage_cores, 0.5, 1e-9);
    EXPECT_NEAR(sample->cgroup->throttled_cores, 0.9, 1e-9);
    SampleLog log;
    log.samples.push_back(*sample);
    log.shift(90);
    EXPECT_THAT(samples_csv(log), testing::HasSubstr("11.000,0.526,0.000,0.52,0.05,0.5,0.500,0.900"));
    log.shift(20);
    EXPECT_TRUE(log.samples.empty());
}

TEST(Sampler, WatchesThisProcess) {
    Sampler sampler({.every_s = 0.1, .pids = {}, .metrics_url = "http://127.0.0.1:1/metrics", .gpus = false});
    const SampleLog log = sampler.stop();  // ends with a last look
    ASSERT_EQ(log.samples.size(), 1u);
    ASSERT_EQ(log.samples[0].processes.size(), 1u);
    EXPECT_TRUE(log.samples[0].processes[0].is_self);
    EXPECT_GT(log.samples[0].processes[0].rss_bytes, 0);
    EXPECT_EQ(log.failed_scrapes, 1u);
}

TEST(Prometheus, ServersAndGpus) {
    const auto metrics = parse_prometheus(load_file(kData / "server.prom").value());
    EXPECT_EQ(metrics.size(), 10u);
    const auto server = read_server(metrics).value();
    EXPECT_EQ(server.running, 32);
    EXPECT_EQ(server.waiting, 5);
    EXPECT_EQ(server.max_running, 64);
    EXPECT_EQ(server.kv_usage, 0.97);
    const auto gpus = read_dcgm(metrics);
    ASSERT_EQ(gpus.size(), 1u);
    EXPECT_DOUBLE_EQ(gpus[0].utilization, 0.85);
    EXPECT_DOUBLE_EQ(gpus[0].memory_total, 4096.0 * (1 << 20));
    EXPECT_FALSE(read_server(parse_prometheus("up 1\n")));
    EXPECT_TRUE(parse_prometheus("").empty());
    EXPECT_TRUE(parse_prometheus("\xff{\"\\").empty());
}

TEST(Nvml, AbsentIsFine) { EXPECT_EQ(Nvml::open("libno-such-library.so.1"), nullptr); }

// A library without the functions.
TEST(Nvml, StrangeLibraryIsRefused) { EXPECT_EQ(Nvml::open("libc.so.6"), nullptr); }

struct DiagnosisCase {
    const char* name;
    MachineSample machine;
    std::optional<CgroupSample> cgroup;
    std::vector<ProcessSample> processes;
    std::optional<ServerSample> server;
    double schedule_error_s;
    std::vector<Cause> expected;
    std::vector<const char*> words;
};

ProcessSample agent(double cores, double hottest) { return {.pid = 42, .name = "agent", .cores = cores, .hottest_thread = hottest}; }
ProcessSample own(double cores) { return {.pid = 1, .name = "plimsoll", .is_self = true, .cores = cores}; }

class Diagnosis : public testing::TestWithParam<DiagnosisCase> {};

TEST_P(Diagnosis, NamesTheCause) {
    const DiagnosisCase& test = GetParam();
    std::deque<Sample> samples;
    for (int i = 0; i < 20; ++i)
        samples.push_back({.at_s = static_cast<double>(i),
                           .machine = test.machine,
                           .processes = test.processes,
                           .cgroup = test.cgroup,
                           .gpus = {},
                           .server = test.server});
    std::vector<Cause> causes;
    std::string text;
    for (const Finding& finding :
         diagnose({.samples = samples, .schedule_error_p99_s = test.schedule_error_s, .threads = 1, .open_loop = true})) {
        causes.push_back(finding.cause);
        text += finding.text + "\n";
    }
    EXPECT_EQ(causes, test.expected) << text;
    for (const char* word : test.words) EXPECT_THAT(text, testing::HasSubstr(word));
}

constexpr CgroupSample kThrottled{.quota_cores = 0.5, .usage_cores = 0.35, .periods = 10, .throttled = 6, .throttled_cores = 0.82};
constexpr CgroupSample kFree{.quota_cores = 4, .usage_cores = 1, .periods = 10, .throttled = 0, .throttled_cores = 0};
constexpr MachineSample kIdle{.cores = 8, .busy = 0.2, .steal = 0, .load1 = 1, .stall = 0.02};
constexpr MachineSample kBusyNode{.cores = 8, .busy = 0.98, .steal = 0, .load1 = 30, .stall = 0.8};

INSTANTIATE_TEST_SUITE_P(
    Causes, Diagnosis,
    testing::Values(
        DiagnosisCase{"idle", kIdle, kFree, {agent(0.3, 0.2), own(0.1)}, {}, 0, {}, {}},
        // Two thirds of the periods throttled at a third of a core on average.
        DiagnosisCase{"limit",
                      kIdle,
                      kThrottled,
                      {agent(0.35, 0.3), own(0.1)},
                      {},
                      0,
                      {Cause::cpu_limit_too_low},
                      {"60 %", "120 of 200", "0.5 cores", "to 1.2"}},
        // A throttled group waits, which shows as pressure too: still the limit.
        DiagnosisCase{"limit_with_pressure",
                      {.cores = 8, .busy = 0.2, .steal = 0, .load1 = 1, .stall = 0.9},
                      kThrottled,
                      {},
                      {},
                      0,
                      {Cause::cpu_limit_too_low},
                      {}},
        DiagnosisCase{"node", kBusyNode, kFree, {agent(0.6, 0.3)}, {}, 0, {Cause::node_busy}, {"98 %", "80 %"}},
        // Throttled on a node that is full as well: raising the limit would not help.
        DiagnosisCase{"node_and_throttled", kBusyNode, kThrottled, {}, {}, 0, {Cause::node_busy}, {}},
        DiagnosisCase{"steal",
                      {.cores = 4, .busy = 0.5, .steal = 0.3, .load1 = 4, .stall = {}},
                      {},
                      {},
                      {},
                      0,
                      {Cause::node_busy},
                      {"30 %", "steal"}},
        DiagnosisCase{
            "one_thread", kIdle, kFree, {agent(1.0, 0.97)}, {}, 0, {Cause::cpu_bound_code}, {"agent", "1.00 cores", "one thread"}},
        DiagnosisCase{"global_lock", kIdle, kFree, {agent(1.02, 0.3)}, {}, 0, {Cause::cpu_bound_code}, {"global lock"}},
        DiagnosisCase{"many_cores_are_fine", kIdle, kFree, {agent(3.2, 0.5)}, {}, 0, {}, {}},
        DiagnosisCase{"queue",
                      kIdle,
                      {},
                      {},
                      ServerSample{.running = 32, .waiting = 9},
                      0,
                      {Cause::model_server_saturated},
                      {"100 %", "9.0", "32.0"}},
        DiagnosisCase{"at_its_limit",
                      kIdle,
                      {},
                      {},
                      ServerSample{.running = 63, .waiting = 0, .max_running = 64},
                      0,
                      {Cause::model_server_saturated},
                      {"of at most 64"}},
        DiagnosisCase{
            "kv", kIdle, {}, {}, ServerSample{.running = 5, .waiting = 0, .kv_usage = 0.99}, 0, {Cause::model_server_saturated}, {"99 %"}},
        DiagnosisCase{
            "server_with_room", kIdle, {}, {}, ServerSample{.running = 5, .waiting = 0, .max_running = 64, .kv_usage = 0.3}, 0, {}, {}},
        DiagnosisCase{"own_core", kIdle, kFree, {own(0.97)}, {}, 0.001, {Cause::client_saturated}, {"0.97"}},
        DiagnosisCase{"late_starts", kIdle, kFree, {own(0.3)}, {}, 0.2, {Cause::client_saturated}, {"200 ms"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(DiagnosisOfNothing, SaysNothing) {
    const std::deque<Sample> none;
    EXPECT_TRUE(diagnose({.samples = none}).empty());
    const std::deque<Sample> empty(3);
    EXPECT_TRUE(diagnose({.samples = empty}).empty());
}

}  // namespace
}  // namespace plimsoll::load
