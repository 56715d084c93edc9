#include "llm/sim_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"

namespace plimsoll::llm {
namespace {

constexpr std::uint64_t kMaxScriptBytes = 64u << 20;

std::unexpected<Error> bad(std::string what) { return fail(ErrorCode::invalid_argument, std::move(what)); }

bool is_true(const json::value* value) { return value && value->is_bool() && value->get_bool(); }

// A message's content: a text, nothing, or a list of parts of which the texts count.
std::string content_text(const json::value* content) {
    if (!content || content->is_null()) return {};
    if (content->is_string()) return std::string(content->get_string());
    std::string text;
    if (content->is_array())
        for (const auto& part : content->get_array()) text += get_string(part, "text").value_or("");
    return text;
}

// `answered_by_tool`: a tool's answer stands after the last user message.
Result<void> take_messages(const json::value& body, SimRequest& request, bool& answered_by_tool) {
    const auto* messages = find(body, "messages");
    if (!messages || !messages->is_array() || messages->get_array().empty()) return bad("messages is a list of at least one message");
    bool seen_user = false;
    for (const auto& message : messages->get_array()) {
        const auto role = get_string(message, "role");
        if (!role) return bad("every message has a role");
        const auto text = content_text(find(message, "content"));
        request.thinking |= text.contains("thinking on");
        request.prompt += text;
        request.prompt += '\n';
        ++request.messages;
        if (*role == "user") {
            request.last_user = text;
            seen_user = true;
        }
        answered_by_tool = *role == "tool" || (answered_by_tool && *role != "user");
    }
    if (!seen_user) request.last_user = request.prompt;
    return {};
}

Result<void> take_prompt(const json::value& body, SimRequest& request) {
    const auto* prompt = find(body, "prompt");
    if (prompt && prompt->is_array() && prompt->get_array().size() == 1) prompt = &prompt->get_array()[0];
    if (!prompt || !prompt->is_string()) return bad("prompt is a text or a list of one text");
    request.prompt = request.last_user = std::string(prompt->get_string());
    request.messages = 1;
    return {};
}

Result<void> take_tools(const json::value& body, bool answered_by_tool, SimRequest& request) {
    const auto* tools = find(body, "tools");
    if (!tools || tools->is_null()) return {};
    if (!tools->is_array()) return bad("tools is a list");
    for (const auto& tool : tools->get_array()) {
        const auto* function = find(tool, "function");
        const auto name = function ? get_string(*function, "name") : std::nullopt;
        if (!name || name->empty()) continue;  // a kind of tool that is no function
        const auto* parameters = find(*function, "parameters");
        request.tools.push_back({*name, parameters ? *parameters : json::value()});
    }
    if (request.tools.empty()) return {};
    const auto* choice = find(body, "tool_choice");
    const auto* named = choice ? find(*choice, "function") : nullptr;
    const auto name = named ? get_string(*named, "name") : std::nullopt;
    const auto find_tool = [&](auto is_meant) -> std::optional<std::size_t> {
        const auto found = std::ranges::find_if(request.tools, is_meant);
        if (found == request.tools.end()) return std::nullopt;
        return static_cast<std::size_t>(found - request.tools.begin());
    };
    if (name) {
        request.tool = find_tool([&](const SimTool& tool) { return tool.name == *name; });
        if (!request.tool) return bad(fmt::format("tool_choice names {}, which is no tool", *name));
        return {};
    }
    const auto word = get_string(body, "tool_choice").value_or("auto");
    if (word != "none" && word != "auto" && word != "required") return bad("tool_choice is none, auto, required or a function");
    if (word == "none" || (word == "auto" && answered_by_tool)) return {};
    request.tool = find_tool([&](const SimTool& tool) { return request.last_user.contains(tool.name); }).value_or(0);
    return {};
}

Result<void> take_stop(const json::value* stop, SimRequest& request) {
    if (!stop || stop->is_null()) return {};
    const json::array one = {*stop};
    for (const auto& text : stop->is_array() ? stop->get_array() : one) {
        if (!text.is_string() || text.get_string().empty()) return bad("stop is a text or a list of texts");
        request.stop.emplace_back(text.get_string());
    }
    return {};
}

Result<void> take_format(const json::value* format, SimRequest& request) {
    if (!format || format->is_null()) return {};
    const auto type = get_string(*format, "type");
    if (type == "text") return {};
    if (type != "json_object" && type != "json_schema") return bad("response_format has type text, json_object or json_schema");
    request.wants_json = true;
    if (type == "json_object") return {};
    const auto* holder = find(*format, "json_schema");
    const auto* schema = holder ? find(*holder, "schema") : nullptr;
    if (!schema) return bad("response_format json_schema has no schema");
    request.schema = *schema;
    return {};
}

}  // namespace

Result<SimRequest> parse_sim_request(SimRoute route, std::string_view body) {
    const auto parsed = parse_json(body);
    if (!parsed) return fail(parsed.error());
    if (!parsed->is_object()) return bad("the body is a JSON object");
    SimRequest request;
    request.route = route;
    request.model = get_string(*parsed, "model").value_or("");
    bool answered_by_tool = false;
    PLIMSOLL_TRY(route == SimRoute::chat ? take_messages(*parsed, request, answered_by_tool) : take_prompt(*parsed, request));
    if (route == SimRoute::chat) PLIMSOLL_TRY(take_tools(*parsed, answered_by_tool, request));
    PLIMSOLL_TRY(take_stop(find(*parsed, "stop"), request));
    PLIMSOLL_TRY(take_format(find(*parsed, "response_format"), request));
    if (get_int(*parsed, "n").value_or(1) != 1) return bad("n is 1");
    request.stream = is_true(find(*parsed, "stream"));
    if (const auto* options = find(*parsed, "stream_options")) request.include_usage = is_true(find(*options, "include_usage"));
    request.max_tokens = get_int(*parsed, "max_completion_tokens");
    if (!request.max_tokens) request.max_tokens = get_int(*parsed, "max_tokens");
    if (request.max_tokens && *request.max_tokens < 1) return bad("max_tokens is at least 1");
    request.session = get_string(*parsed, "user").value_or("");
    if (request.session.empty()) request.session = get_string(*parsed, "prompt_cache_key").value_or("");
    request.ignore_eos = is_true(find(*parsed, "ignore_eos"));
    if (const auto* settings = find(*parsed, "chat_template_kwargs"))
        request.thinking |= is_true(find(*settings, "thinking")) || is_true(find(*settings, "enable_thinking"));
    return request;
}

Result<SimEmbeddingRequest> parse_sim_embedding_request(std::string_view body, int dimensions) {
    const auto parsed = parse_json(body);
    if (!parsed) return fail(parsed.error());
    const auto* input = find(*parsed, "input");
    if (!input) return bad("input is missing");
    SimEmbeddingRequest request;
    const json::array one = {*input};
    std::size_t bytes = 0;
    for (const auto& text : input->is_array() ? input->get_array() : one) {
        if (!text.is_string()) return bad("input is a text or a list of texts");
        request.texts.emplace_back(text.get_string());
        bytes += request.texts.back().size();
    }
    if (request.texts.empty() || request.texts.size() > kMaxSimTexts || bytes > kMaxSimTextBytes)
        return bad(fmt::format("input has between 1 and {} texts of at most {} bytes in all", kMaxSimTexts, kMaxSimTextBytes));
    const auto asked = get_int(*parsed, "dimensions").value_or(dimensions);
    if (asked < 1 || asked > kMaxSimDimensions) return bad(fmt::format("dimensions is between 1 and {}", kMaxSimDimensions));
    request.dimensions = static_cast<int>(asked);
    request.model = get_string(*parsed, "model").value_or("");
    request.base64 = get_string(*parsed, "encoding_format") == "base64";
    return request;
}

Result<std::vector<SimRule>> parse_sim_script(std::string_view text) {
    const auto parsed = parse_json(text);
    if (!parsed) return fail(parsed.error());
    if (!parsed->is_array()) return fail(ErrorCode::config, "a script is a list of entries");
    if (parsed->get_array().size() > kMaxSimRules)
        return fail(ErrorCode::limit, fmt::format("a script has at most {} entries", kMaxSimRules));
    std::vector<SimRule> rules;
    for (const auto& entry : parsed->get_array()) {
        const auto wrong = [&](std::string_view what) {
            return fail(ErrorCode::config, fmt::format("script entry {}: {}", rules.size() + 1, what));
        };
        if (!entry.is_object()) return wrong("an entry is an object");
        SimRule rule;
        for (const auto& [key, value] : entry.get_object()) {
            if (key != "match" && key != "reply" && key != "think" && key != "tool" && key != "fault")
                return wrong(fmt::format("unknown field {}", std::string_view(key)));
            if (!value.is_string()) return wrong(fmt::format("{} is a text", std::string_view(key)));
            const std::string content(value.get_string());
            if (key == "match") rule.match = content;
            if (key == "reply") rule.reply = content;
            if (key == "think") rule.think = content;
            if (key == "tool") rule.tool = content;
            if (key != "fault") continue;
            const auto fault = parse_sim_fault(content);
            if (!fault) return wrong(fmt::format("no fault is called {}", content));
            rule.fault = *fault;
        }
        rules.push_back(std::move(rule));
    }
    return rules;
}

Result<std::vector<SimRule>> load_sim_script(const std::filesystem::path& path) {
    const auto text = load_file(path, kMaxScriptBytes);
    if (!text) return fail(text.error());
    auto rules = parse_sim_script(*text);
    if (!rules) return fail(rules.error().with_context(path.string()));
    return rules;
}

const SimRule* find_rule(const std::vector<SimRule>& rules, const SimRequest& request) {
    const auto found = std::ranges::find_if(rules, [&](const SimRule& rule) { return request.last_user.contains(rule.match); });
    return found == rules.end() ? nullptr : &*found;
}

}  // namespace plimsoll::llm
