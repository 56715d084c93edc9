// Counters read from recorded folders, metrics from recorded text, and what the samples mean.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <map>

#include "base/files.h"
#include "load/cgroup.h"
#include "load/counters.h"
#include "load/diagnosis.h"
#include "load/prometheus.h"
#include "load/sampler.h"
#include "load/test_table.h"

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
    EXPECT_EQ(first.memory_bytes, 1 << 20);
    EXPECT_EQ(first.memory_limit_bytes, -1);
    EXPECT_FALSE(find_cgroup(kData / "v1/proc", kData / "v1/cgroup", 8));
}

// Two hierarchies of version 1, the process in a group of the one and in the root of the other: what the root counts is the machine's.
TEST(Counters, AnotherGroupsUsageIsNotTaken) {
    TemporaryFolder folder;
    const auto write = [&](const char* name, const char* text) { ASSERT_TRUE(save_file(folder.path() / name, text)); };
    write("cgroup/cpu/agent/cpu.stat", "nr_periods 10\nnr_throttled 8\nthrottled_time 800000000\n");
    write("cgroup/cpuacct/cpuacct.usage", "123456789000\n");
    write("cgroup/cpuacct/agent/cpuacct.usage", "5000\n");
    write("proc/7/cgroup", "2:cpuacct:/\n1:cpu:/agent\n0::/\n");
    const auto apart = find_cgroup(folder.path() / "proc", folder.path() / "cgroup", 7);
    ASSERT_TRUE(apart);
    EXPECT_FALSE(apart->accounting);
    EXPECT_FALSE(read_cgroup(*apart)->usage_us);
    write("proc/7/cgroup", "2:cpuacct:/agent\n1:cpu:/agent\n");
    EXPECT_EQ(read_cgroup(find_cgroup(folder.path() / "proc", folder.path() / "cgroup", 7).value())->usage_us, 5u);
}

// The process tree stands in for a group whose use is not counted.
TEST(SampleMaker, TheTreesUseIsTheGroups) {
    TemporaryFolder folder;
    const auto write = [&](const char* name, const std::string& text) { ASSERT_TRUE(save_file(folder.path() / name, text)); };
    const auto look_like = [&](int ticks, int throttled) {
        write("proc/7/stat", "7 (agent) R 1 7 7 0 -1 0 0 0 0 0 " + std::to_string(ticks) + " 0 0 0 20 0 1 0 100 1000 10\n");
        write("cgroup/cpu/agent/cpu.stat", "nr_periods " + std::to_string(throttled) + "\nnr_throttled " + std::to_string(throttled) +
                                               "\nthrottled_time " + std::to_string(throttled * 80'000'000ll) + "\n");
    };
    write("cgroup/cpuacct/cpuacct.usage", "123456789000\n");
    write("proc/7/cgroup", "2:cpuacct:/\n1:cpu:/agent\n");
    const SamplerOptions options{.pids = {7}, .metrics_urls = {}, .proc = folder.path() / "proc", .cgroups = folder.path() / "cgroup"};
    SampleMaker maker(options);
    look_like(100, 10);
    EXPECT_FALSE(maker.look(1));
    look_like(100 + static_cast<int>(ticks_per_second() / 5), 20);
    const auto sample = maker.look(2);
    ASSERT_TRUE(sample && sample->cgroup);
    EXPECT_NEAR(sample->cgroup->usage_cores, 0.2, 1e-6);
    EXPECT_NEAR(sample->cgroup->throttled_cores, 0.8, 1e-6);
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
    // The child is watched by itself, with its own child.
    constexpr std::array kApart = {43};
    const auto rest = read_tree(list, proc, 42, kApart);
    const auto child = read_tree(list, proc, 43, kApart);
    ASSERT_TRUE(rest && child);
    EXPECT_EQ(rest->processes, 1);
    EXPECT_EQ(rest->ticks, 500u);
    EXPECT_EQ(child->processes, 2);
    EXPECT_EQ(child->ticks, 20u);
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
        .pids = {42}, .metrics_urls = {}, .proc = folder.path() / "now/proc", .cgroups = folder.path() / "now/cgroup"};
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
    const auto row = last_row(samples_csv(log));
    for (const auto& [column, value] : std::map<std::string, std::string>{{"at_s", "11.000"},
                                                                          {"machine_busy", "0.526316"},
                                                                          {"load1", "0.52"},
                                                                          {"psi_cpu_some", "0.05"},
                                                                          {"psi_memory_some", "0.25"},
                                                                          {"psi_io_some", ""},
                                                                          {"machine_memory_used_mb", "3072"},
                                                                          {"machine_memory_total_mb", "8192"},
                                                                          {"cgroup_quota_cores", "0.5"},
                                                                          {"cgroup_usage_cores", "0.5"},
                                                                          {"cgroup_throttled_share", "0.9"},
                                                                          {"cgroup_cpu_some", "0.8"},
                                                                          {"cgroup_memory_some", "0.1"},
                                                                          {"cgroup_memory_mb", "768"},
                                                                          {"cgroup_memory_limit_mb", "1024"},
                                                                          {"agent-main-server-42_run_queue", "1"},
                                                                          {"server_running", ""},
                                                                          {"gpu_utilization_mean", ""}})
        EXPECT_EQ(row.at(column), value) << column;
    log.shift(20);
    EXPECT_TRUE(log.samples.empty());
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

// Replicas are added up; the same requests under another server's names are not.
TEST(Prometheus, NamesOfSeveralServersCountOnce) {
    const auto server =
        read_server(parse_prometheus("llamacpp:requests_processing 20\n"
                                     "llamacpp:requests_deferred 3\n"
                                     "vllm:num_requests_running{engine=\"0\"} 12\n"
                                     "num_requests_running 20\n"
                                     "num_request_max 64\n"
                                     "vllm:num_requests_running{engine=\"1\"} 8\n"));
    ASSERT_TRUE(server);
    EXPECT_EQ(server->running, 20);
    EXPECT_EQ(server->waiting, 3);
    EXPECT_EQ(server->max_running, 64);
    EXPECT_FALSE(server->kv_usage);
}

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
        // It wants a whole core; ticks make a little more of it.
        DiagnosisCase{"limit_of_one_busy_thread",
                      kIdle,
                      CgroupSample{.quota_cores = 0.2, .usage_cores = 0.21, .periods = 10, .throttled = 10, .throttled_cores = 0.8},
                      {},
                      {},
                      0,
                      {Cause::cpu_limit_too_low},
                      {"limit 0.2 cores, used 0.21", "to 1.0 "}},
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
        DiagnosisCase{"node_in_bursts",
                      {.cores = 8, .busy = 0.8, .steal = 0, .load1 = 9, .stall = 0.4},
                      kFree,
                      {agent(0.6, 0.3)},
                      {},
                      0,
                      {Cause::node_busy},
                      {"80 %", "40 %"}},
        // Short waits on a half idle machine.
        DiagnosisCase{"pressure_alone", {.cores = 2, .busy = 0.48, .steal = 0, .load1 = 2, .stall = 0.26}, kFree, {}, {}, 0, {}, {}},
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

// One core's worth in the process of the load generator is the agent's when that runs there.
TEST(InProcess, TheAgentsCodeIsNotTheTesters) {
    const std::deque<Sample> samples(20, Sample{.machine = kIdle, .processes = {own(0.99)}, .cgroup = kFree, .gpus = {}});
    DiagnosisInput input{.samples = samples};
    EXPECT_EQ(diagnose(input).at(0).cause, Cause::client_saturated);
    input.agent_in_process = true;
    const auto findings = diagnose(input);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].cause, Cause::cpu_bound_code);
}

struct TargetCase {
    const char* name;
    std::vector<std::pair<int, std::optional<Error>>> calls;  // second of the end, and how it ended
    std::vector<Cause> expected;
    const char* words = "";
};

class TargetDiagnosis : public testing::TestWithParam<TargetCase> {};

// The load generator's core is full in all of them: refusals cost little time each.
TEST_P(TargetDiagnosis, TellsATargetThatIsNoneFromABusyTester) {
    LoadPlan plan;
    LoadStats stats(plan);
    for (const auto& [second, error] : GetParam().calls) {
        SessionRecord session;
        session.calls.push_back({.end = second * 1'000'000'000ll + 1000, .error = error, .token_us = {}});
        stats.add(session);
    }
    stats.finish({});
    const std::deque<Sample> samples(20, Sample{.processes = {own(0.97)}, .gpus = {}});
    std::vector<Cause> causes;
    std::string text;
    for (const Finding& finding : diagnose({.samples = samples, .failures = find_failures(stats)})) {
        causes.push_back(finding.cause);
        text += finding.text;
    }
    EXPECT_EQ(causes, GetParam().expected) << text;
    EXPECT_THAT(text, testing::HasSubstr(GetParam().words));
}

const Error kRefused{ErrorCode::connect, "connecting: Connection refused"};
const Error kTooMany{ErrorCode::http_status, "HTTP 429: slow down", 429};
const std::optional<Error> kFine;

INSTANTIATE_TEST_SUITE_P(
    Targets, TargetDiagnosis,
    testing::Values(TargetCase{"fine", {{0, kFine}, {1, kFine}, {2, kFine}}, {Cause::client_saturated}},
                    TargetCase{"never_there", {{0, kRefused}, {0, kRefused}, {1, kRefused}}, {Cause::target_gone}, "refused"},
                    TargetCase{
                        "killed", {{0, kFine}, {1, kFine}, {2, kRefused}, {3, kRefused}, {3, kRefused}}, {Cause::target_gone}, "second 1"},
                    TargetCase{"came_back", {{0, kRefused}, {0, kRefused}, {0, kRefused}, {1, kFine}}, {Cause::client_saturated}},
                    TargetCase{"refuses", {{0, kTooMany}, {0, kTooMany}, {1, kFine}}, {Cause::target_refuses}, "HTTP 429: slow down"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(DiagnosisOfNothing, SaysNothing) {
    const std::deque<Sample> none;
    EXPECT_TRUE(diagnose({.samples = none}).empty());
    const std::deque<Sample> empty(3);
    EXPECT_TRUE(diagnose({.samples = empty}).empty());
}

}  // namespace
}  // namespace plimsoll::load
