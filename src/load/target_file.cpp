#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "config/node.h"
#include "config/problems.h"
#include "config/yaml.h"
#include "load/http_target.h"

namespace plimsoll::load {
namespace {

using config::Node;

// Reads the description of a target; every problem goes to `problems`, with its place.
class TargetReader {
  public:
    TargetReader(config::Problems& problems, const GetEnv& getenv) : problems_(problems), getenv_(getenv) {}

    HttpTargetSpec read(const Node& root, const std::string& base_url) {
        HttpTargetSpec spec;
        spec.kind = HttpKind::described;
        if (!root.is_map()) {
            problems_.error(root.mark, "", "a target is a mapping");
            return spec;
        }
        std::vector<RequestTemplate> requests;
        if (const config::Member* list = config::find_member(root, "requests")) {
            for (const config::Member& member : root.members) {
                if (member.key == "headers")
                    read_headers(member, spec.headers);
                else if (member.key != "requests")
                    problems_.error(member.mark, member.key, "beside requests there is only headers");
            }
            if (list->value.kind != Node::Kind::list || list->value.items.empty())
                problems_.error(list->value.mark, "requests", "is a list of mappings");
            for (const Node& item : list->value.items) requests.push_back(read_request(item, base_url));
        } else {
            requests.push_back(read_request(root, base_url));
        }
        if (std::ranges::all_of(requests, [](const RequestTemplate& request) { return request.rules.token.empty(); }))
            problems_.error(root.mark, "answer.token", "is missing: which events carry the answer?");
        if (requests.size() == 1) {
            RequestTemplate& only = requests.front();
            spec.method = std::move(only.method);
            spec.url = std::move(only.url);
            spec.headers.insert(spec.headers.end(), only.headers.begin(), only.headers.end());
            spec.body = std::move(only.body);
            spec.rules = std::move(only.rules);
        } else {
            spec.requests = std::move(requests);
        }
        return spec;
    }

  private:
    RequestTemplate read_request(const Node& node, const std::string& base_url) {
        RequestTemplate request;
        std::string path;
        if (!node.is_map()) problems_.error(node.mark, "requests", "is a list of mappings");
        for (const config::Member& member : node.members) {
            if (member.key == "method")
                request.method = text(member);
            else if (member.key == "path")
                path = text(member);
            else if (member.key == "url")
                request.url = text(member);
            else if (member.key == "headers")
                read_headers(member, request.headers);
            else if (member.key == "body")
                read_body(member.value, request.body);
            else if (member.key == "answer")
                read_answer(member, request.rules);
            else
                problems_.error(member.mark, member.key, "unknown key; known are method, path, url, headers, body, answer");
        }
        if (request.url.empty() && base_url.empty()) problems_.error(node.mark, "url", "is missing, and no --url was given");
        if (request.url.empty()) request.url = path.empty() ? base_url : net::join_url(base_url, path);
        std::string all = request.url + request.body;
        for (const auto& [name, value] : request.headers) all += value;
        for (const std::string& name : placeholders(all))
            if (!known_.contains(name))
                problems_.error(node.mark, "", fmt::format("${{{}}} is neither input, messages, session nor captured before", name));
        for (const CaptureRule& rule : request.rules.captures) known_.insert(rule.name);
        return request;
    }

    std::string text(const config::Member& member) {
        if (member.value.kind != Node::Kind::scalar) {
            problems_.error(member.value.mark, member.key, "is a text");
            return {};
        }
        return with_environment(member.value);
    }

    // ${env:NAME}; a name that is not set is a problem.
    std::string with_environment(const Node& node) {
        constexpr std::string_view kOpen = "${env:";
        std::string out = node.text;
        for (std::size_t at = 0; (at = out.find(kOpen, at)) != std::string::npos;) {
            const std::size_t end = out.find('}', at);
            const std::string name = out.substr(at + kOpen.size(), end == std::string::npos ? end : end - at - kOpen.size());
            const char* value = end == std::string::npos ? nullptr : getenv_(name);
            if (!value) {
                problems_.error(node.mark, "", fmt::format("the environment variable {} is not set", name));
                return out;
            }
            const std::string_view found(value);
            out.replace(at, end + 1 - at, found);
            at += found.size();
        }
        return out;
    }

    void read_headers(const config::Member& member, net::Headers& out) {
        if (!member.value.is_map()) return problems_.error(member.value.mark, "headers", "is a mapping");
        for (const config::Member& header : member.value.members) out.emplace_back(header.key, text(header));
    }

    void read_body(const Node& node, std::string& out) {
        out = node.kind == Node::Kind::scalar ? with_environment(node) : json::serialize(config::to_json(node));
    }

    void read_answer(const config::Member& member, AnswerRules& out) {
        if (!member.value.is_map()) return problems_.error(member.value.mark, "answer", "is a mapping");
        for (const config::Member& part : member.value.members) {
            if (part.key == "token")
                read_rules(part, out.token);
            else if (part.key == "end")
                read_rules(part, out.end);
            else if (part.key == "error")
                read_rules(part, out.error);
            else if (part.key == "capture")
                read_captures(part, out.captures);
            else if (part.key == "sse")
                read_flag(part, out.sse);
            else
                problems_.error(part.mark, "answer." + part.key, "unknown key; known are sse, token, end, error, capture");
        }
    }

    void read_flag(const config::Member& member, bool& out) {
        const auto value = config::to_json(member.value);
        if (const auto* flag = value.if_bool())
            out = *flag;
        else
            problems_.error(member.value.mark, "answer." + member.key, "is true or false");
    }

    void read_rules(const config::Member& member, std::vector<EventRule>& out) {
        const std::string path = "answer." + member.key;
        if (member.value.kind != Node::Kind::list) return problems_.error(member.value.mark, path, "is a list of mappings");
        for (const Node& item : member.value.items) {
            std::string no_header;
            out.push_back(read_rule(item, path, no_header));
            if (!no_header.empty()) problems_.error(item.mark, path + ".header", "is for capture");
        }
    }

    void read_captures(const config::Member& member, std::vector<CaptureRule>& out) {
        if (!member.value.is_map()) return problems_.error(member.value.mark, "answer.capture", "is a mapping");
        for (const config::Member& name : member.value.members) {
            CaptureRule rule{.name = name.key, .where = {}, .header = {}};
            if (std::ranges::find(kOwnPlaceholders, name.key) != std::end(kOwnPlaceholders))
                problems_.error(name.mark, "answer.capture." + name.key, "is the name of a value that is there already");
            rule.where = read_rule(name.value, "answer.capture." + name.key, rule.header);
            out.push_back(std::move(rule));
        }
    }

    EventRule read_rule(const Node& node, const std::string& path, std::string& header) {
        EventRule rule;
        if (!node.is_map()) problems_.error(node.mark, path, "is made of mappings");
        for (const config::Member& key : node.members) {
            if (key.key == "field")
                rule.field = text(key);
            else if (key.key == "event")
                rule.event = text(key);
            else if (key.key == "path")
                rule.path = text(key);
            else if (key.key == "equals")
                rule.equals = text(key);
            else if (key.key == "header")
                header = text(key);
            else
                problems_.error(key.mark, path + "." + key.key, "unknown key; known are field, event, path, equals, header");
        }
        return rule;
    }

    config::Problems& problems_;
    const GetEnv& getenv_;
    std::set<std::string> known_{std::begin(kOwnPlaceholders), std::end(kOwnPlaceholders)};  // placeholders of the next request
};

// Name and text of every file; the build writes the table.
constexpr std::pair<std::string_view, std::string_view> kKnownTargets[] = {
#include "load_target_table.inc"
};

}  // namespace

std::vector<std::string_view> known_target_names() {
    std::vector<std::string_view> names;
    for (const auto& [name, text] : kKnownTargets) names.push_back(name);
    return names;
}

std::optional<std::string_view> find_known_target(std::string_view name) {
    const auto found = std::ranges::find(kKnownTargets, name, &std::pair<std::string_view, std::string_view>::first);
    return found == std::end(kKnownTargets) ? std::nullopt : std::optional(found->second);
}

Result<HttpTargetSpec> parse_target(std::string_view yaml, const std::string& file_name, const std::string& base_url,
                                    const GetEnv& getenv) {
    config::Problems problems;
    const auto root = config::parse_yaml(yaml, problems.add_source(file_name), problems);
    HttpTargetSpec spec;
    if (root) spec = TargetReader(problems, getenv).read(*root, base_url);
    if (!problems.has_error()) return spec;
    std::string message;
    for (const config::Problem& problem : problems.in_file_order()) message += (message.empty() ? "" : "\n") + problem.text();
    return fail(ErrorCode::config, message);
}

}  // namespace plimsoll::load
