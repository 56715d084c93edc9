#include "load/prometheus.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <sstream>

namespace plimsoll::load {
namespace {

enum class Meaning : std::uint8_t { running, waiting, max_running, kv_usage };

constexpr std::size_t kMeanings = 4;

// Whose name it is. A server that speaks several of these languages at once says the same thing in each, so that one of them counts:
// the first that says it.
enum class Family : std::uint8_t { vllm, nim, sglang, tgi, llamacpp, triton, none };

struct KnownName {
    std::string_view name;
    Family family;
    Meaning meaning;
};

constexpr KnownName kNames[] = {
    {"vllm:num_requests_running", Family::vllm, Meaning::running},
    {"vllm:num_requests_waiting", Family::vllm, Meaning::waiting},
    {"vllm:kv_cache_usage_perc", Family::vllm, Meaning::kv_usage},
    {"vllm:gpu_cache_usage_perc", Family::vllm, Meaning::kv_usage},
    {"num_requests_running", Family::nim, Meaning::running},
    {"num_requests_waiting", Family::nim, Meaning::waiting},
    {"num_request_max", Family::nim, Meaning::max_running},
    {"gpu_cache_usage_perc", Family::nim, Meaning::kv_usage},
    {"sglang:num_running_reqs", Family::sglang, Meaning::running},
    {"sglang:num_queue_reqs", Family::sglang, Meaning::waiting},
    {"sglang:token_usage", Family::sglang, Meaning::kv_usage},
    {"tgi_batch_current_size", Family::tgi, Meaning::running},
    {"tgi_queue_size", Family::tgi, Meaning::waiting},
    {"llamacpp:requests_processing", Family::llamacpp, Meaning::running},
    {"llamacpp:requests_deferred", Family::llamacpp, Meaning::waiting},
    {"llamacpp:kv_cache_usage_ratio", Family::llamacpp, Meaning::kv_usage},
    {"nv_inference_pending_request_count", Family::triton, Meaning::waiting},
};

std::string label_of(const MetricValue& metric, std::string_view name) {
    const std::string start = std::string(name) + "=\"";
    const std::size_t at = metric.labels.find(start);
    if (at == std::string::npos) return {};
    const std::size_t from = at + start.size();
    return metric.labels.substr(from, metric.labels.find('"', from) - from);
}

// "# TYPE name gauge"; the samples of a type's name, or of one that begins with it (name_bucket, name_total), follow.
struct TypeLine {
    std::string name;
    bool is_gauge = true;
};

TypeLine parse_type(std::string_view line) {
    std::istringstream words{std::string(line)};
    std::string hash, keyword, type;
    TypeLine out;
    words >> hash >> keyword >> out.name >> type;
    out.is_gauge = type != "counter" && type != "histogram" && type != "summary";
    return out;
}

// name{label="a } b",…} value [timestamp]
std::optional<MetricValue> parse_line(std::string_view line) {
    MetricValue out;
    const std::size_t name_end = line.find_first_of("{ \t");
    if (name_end == 0 || name_end == std::string_view::npos) return std::nullopt;
    out.name = line.substr(0, name_end);
    std::size_t at = name_end;
    if (line[at] == '{') {
        const std::size_t first = ++at;
        bool in_text = false;
        for (; at < line.size() && (in_text || line[at] != '}'); ++at) {
            if (in_text && line[at] == '\\')
                ++at;
            else if (line[at] == '"')
                in_text = !in_text;
        }
        if (at >= line.size()) return std::nullopt;
        out.labels = line.substr(first, at - first);
        ++at;
    }
    at = line.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) return std::nullopt;
    const auto [end, error] = std::from_chars(line.data() + at, line.data() + line.size(), out.value);
    if (error != std::errc() || !std::isfinite(out.value)) return std::nullopt;
    return out;
}

}  // namespace

std::vector<MetricValue> parse_prometheus(std::string_view text) {
    std::vector<MetricValue> out;
    TypeLine type;
    while (!text.empty() && out.size() < kMaxMetrics) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.starts_with("# TYPE ")) type = parse_type(line);
        if (line.empty() || line.front() == '#') continue;
        auto metric = parse_line(line);
        if (!metric) continue;
        metric->is_gauge = type.name.empty() || !metric->name.starts_with(type.name) || type.is_gauge;
        out.push_back(std::move(*metric));
    }
    return out;
}

std::optional<ServerSample> read_server(const std::vector<MetricValue>& metrics) {
    struct Taken {
        Family family = Family::none;
        double value = 0;
    };
    std::array<Taken, kMeanings> taken;
    for (const MetricValue& metric : metrics) {
        const auto known = std::ranges::find(kNames, std::string_view(metric.name), &KnownName::name);
        if (known == std::end(kNames)) continue;
        Taken& place = taken[static_cast<std::size_t>(known->meaning)];
        if (known->family > place.family) continue;
        if (known->family < place.family) place = {known->family, 0};
        place.value = known->meaning == Meaning::kv_usage ? std::max(place.value, metric.value) : place.value + metric.value;
    }
    if (std::ranges::all_of(taken, [](const Taken& place) { return place.family == Family::none; })) return std::nullopt;
    const auto value_of = [&](Meaning meaning) {
        const Taken& place = taken[static_cast<std::size_t>(meaning)];
        return place.family == Family::none ? std::nullopt : std::optional(place.value);
    };
    return ServerSample{.running = value_of(Meaning::running),
                        .waiting = value_of(Meaning::waiting),
                        .max_running = value_of(Meaning::max_running),
                        .kv_usage = value_of(Meaning::kv_usage)};
}

std::optional<ServerSample> add_up(const std::vector<std::optional<ServerSample>>& servers) {
    std::optional<ServerSample> sum;
    bool all_limited = true;
    const auto add = [](std::optional<double>& to, const std::optional<double>& more) {
        if (more) to = to.value_or(0) + *more;
    };
    for (const auto& server : servers) {
        if (!server) continue;
        if (!sum) sum.emplace();
        add(sum->running, server->running);
        add(sum->waiting, server->waiting);
        add(sum->max_running, server->max_running);
        if (server->kv_usage) sum->kv_usage = std::max(sum->kv_usage.value_or(0), *server->kv_usage);
        if (server->running && !server->max_running) all_limited = false;
    }
    if (sum && !all_limited) sum->max_running.reset();
    return sum;
}

std::vector<GpuSample> read_dcgm(const std::vector<MetricValue>& metrics) {
    constexpr double kPercent = 100, kMebibyte = 1 << 20;
    std::map<std::string, GpuSample> gpus;
    std::map<std::string, double> free;
    for (const MetricValue& metric : metrics) {
        if (!metric.name.starts_with("DCGM_FI_DEV_")) continue;
        const std::string id = label_of(metric, "gpu");
        GpuSample& gpu = gpus[id];
        const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), gpu.index);
        if (error != std::errc()) gpu.index = static_cast<int>(gpus.size()) - 1;
        if (metric.name == "DCGM_FI_DEV_GPU_UTIL") gpu.utilization = metric.value / kPercent;
        if (metric.name == "DCGM_FI_DEV_FB_USED") gpu.memory_used = metric.value * kMebibyte;
        if (metric.name == "DCGM_FI_DEV_FB_FREE") free[id] = metric.value * kMebibyte;
        if (metric.name == "DCGM_FI_DEV_POWER_USAGE") gpu.power_w = metric.value;
    }
    std::vector<GpuSample> out;
    for (auto& [id, gpu] : gpus) {
        gpu.memory_total = gpu.memory_used + free[id];
        out.push_back(gpu);
    }
    return out;
}

}  // namespace plimsoll::load
