#include "cli/limits_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "config/config.h"
#include "config/yaml.h"

namespace plimsoll::cli {
namespace {

using config::Node;
using config::Problems;

const std::vector<std::string> kModelKeys = {"replicas",           "routing",         "max_num_seqs",    "kv_tokens",
                                             "max_batched_tokens", "chunked_prefill", "gpus_per_replica"};
const std::vector<std::string> kToolKeys = {"servers"};
constexpr std::int64_t kMostReplicas = 1'000'000;
constexpr std::int64_t kMostGpus = 10'000;  // of a replica

class LimitsReader {
  public:
    LimitsReader(Problems& problems, const forecast::ResourceNames& names) : problems_(problems), names_(names) {}

    forecast::Limits read(const Node& root) {
        if (root.is_null()) return {};
        if (!root.is_map()) {
            problems_.error(root.mark, "", "a mapping of model and tool names is wanted");
            return {};
        }
        for (const config::Member& member : root.members) {
            const auto& [key, mark, value] = member;
            if (!value.is_map())
                problems_.error(value.mark, key, "a mapping of limits is wanted");
            else if (std::ranges::find(names_.models, key) != names_.models.end())
                read_model(key, value);
            else if (std::ranges::find(names_.tools, key) != names_.tools.end())
                read_tool(key, value);
            else
                problems_.error(mark, key, "the traces have no model or tool of this name" + suggestion(key, known_names()));
        }
        return std::move(limits_);
    }

  private:
    static std::string suggestion(const std::string& word, const std::vector<std::string>& candidates) {
        const std::string near = config::did_you_mean(word, candidates);
        return near.empty() ? fmt::format(" (there are {})", fmt::join(candidates, ", ")) : fmt::format("; did you mean \"{}\"?", near);
    }

    std::vector<std::string> known_names() const {
        std::vector<std::string> all = names_.models;
        all.insert(all.end(), names_.tools.begin(), names_.tools.end());
        return all;
    }

    // Nothing when the value is unknown or wrong.
    std::optional<std::int64_t> read_count(const std::string& path, const Node& node, std::int64_t most = forecast::kUnlimited) {
        if (node.kind == Node::Kind::scalar && (node.text == "unknown" || node.is_null())) return std::nullopt;
        if (node.kind == Node::Kind::scalar && node.text == "unlimited" && most == forecast::kUnlimited) return forecast::kUnlimited;
        const json::value value = config::to_json(node);
        if (const auto* number = value.if_int64(); number && *number >= 1 && *number <= most) return *number;
        problems_.error(node.mark, path, fmt::format("a whole number from 1 to {}, `unknown` or `unlimited` is wanted", most));
        return std::nullopt;
    }

    void read_model(const std::string& name, const Node& node) {
        forecast::EndpointLimits& out = limits_.endpoints[name];
        for (const auto& [key, mark, value] : node.members) {
            const std::string path = config::join_path(name, key);
            if (key == "replicas") {
                if (const auto count = read_count(path, value, kMostReplicas)) out.replicas = static_cast<int>(*count);
            } else if (key == "gpus_per_replica") {
                if (const auto count = read_count(path, value, kMostGpus)) out.gpus_per_replica = static_cast<int>(*count);
            } else if (key == "max_num_seqs") {
                out.max_num_seqs = read_count(path, value);
            } else if (key == "kv_tokens") {
                out.kv_tokens = read_count(path, value);
            } else if (key == "max_batched_tokens") {
                out.max_batched_tokens = read_count(path, value);
            } else if (key == "routing") {
                if (value.text == "unknown" || value.is_null()) continue;
                out.routing = forecast::parse_routing(value.text);
                if (!out.routing) problems_.error(value.mark, path, "round_robin, least_loaded, random or unknown is wanted");
            } else if (key == "chunked_prefill") {
                if (value.text == "unknown" || value.is_null()) continue;
                const json::value flag = config::to_json(value);
                if (flag.is_bool())
                    out.chunked_prefill = flag.get_bool();
                else
                    problems_.error(value.mark, path, "true, false or unknown is wanted");
            } else {
                problems_.error(mark, path, "no such limit" + suggestion(key, kModelKeys));
            }
        }
    }

    void read_tool(const std::string& name, const Node& node) {
        for (const auto& [key, mark, value] : node.members) {
            const std::string path = config::join_path(name, key);
            if (key != "servers")
                problems_.error(mark, path, "no such limit" + suggestion(key, kToolKeys));
            else if (const auto count = read_count(path, value))
                limits_.tool_servers[name] = *count >= kMostReplicas ? 0 : static_cast<int>(*count);
        }
    }

    Problems& problems_;
    const forecast::ResourceNames& names_;
    forecast::Limits limits_;
};

}  // namespace

Result<forecast::Limits> load_limits(const std::filesystem::path& path, const forecast::ResourceNames& names) {
    const auto text = load_file(path, config::kMaxFileBytes);
    if (!text) return fail(text.error());
    Problems problems;
    const int source = problems.add_source(path.string());
    forecast::Limits limits;
    if (const auto root = config::parse_yaml(*text, source, problems)) limits = LimitsReader(problems, names).read(*root);
    if (!problems.has_error()) return limits;
    std::string message;
    for (const config::Problem& problem : problems.in_file_order()) message += (message.empty() ? "" : "\n") + problem.text();
    return fail(ErrorCode::config, message);
}

}  // namespace plimsoll::cli
