#include "functions/chat_completion.h"

namespace plimsoll::functions {
namespace {

struct ChatCompletionConfig {
    std::string llm_name;
    std::string system_prompt = "You are a helpful assistant. Answer briefly and truthfully.";
    std::optional<std::string> description;
    std::optional<std::string> workflow_alias;
    bool verbose = false;
};

const Schema<ChatCompletionConfig>& schema() {
    static const auto instance =
        Schema<ChatCompletionConfig>("functions", "chat_completion", "asks a language model once")
            .required("llm_name", &ChatCompletionConfig::llm_name, "model that answers")
            .refers_to("llms")
            .field("system_prompt", &ChatCompletionConfig::system_prompt, "instruction in front of the question")
            .field("description", &ChatCompletionConfig::description, "what the function is for, told to agents")
            .field("workflow_alias", &ChatCompletionConfig::workflow_alias, "name for exporters")
            .field("verbose", &ChatCompletionConfig::verbose, "accepted for NAT's files; steps are always recorded");
    return instance;
}

// A question, or {"messages": […]} as chat clients send it, or {"input_message": "…"}.
Result<std::vector<llm::ChatMessage>> to_messages(const ChatCompletionConfig& config, const json::value& input) {
    std::vector<llm::ChatMessage> messages;
    if (!config.system_prompt.empty()) messages.push_back({"system", config.system_prompt});
    if (const auto* list = find(input, "messages"); list && list->is_array()) {
        for (const json::value& message : list->get_array()) {
            const auto role = get_string(message, "role");
            const auto* content = find(message, "content");
            if (!role || !content) return fail(ErrorCode::invalid_argument, "messages: each needs role and content");
            messages.push_back({*role, to_text(*content)});
        }
        return messages;
    }
    const auto* question = find(input, "input_message");
    messages.push_back({"user", to_text(question ? *question : input)});
    return messages;
}

class ChatCompletion : public Function {
  public:
    ChatCompletion(ChatCompletionConfig config, llm::ChatModel& model) : config_(std::move(config)), model_(model) {}

    asio::awaitable<Result<json::value>> invoke(event::Context context, json::value input) override {
        auto messages = to_messages(config_, input);
        if (!messages) co_return fail(messages.error());
        llm::ChatRequest request;
        request.messages = std::move(*messages);
        auto answer = co_await model_.chat(context, std::move(request), [context](std::string_view piece, bool reasoning) {
            if (!reasoning) context.write_stream({{"answer", piece}});
        });
        if (!answer) co_return fail(answer.error());
        co_return json::value(answer->content);
    }

  private:
    ChatCompletionConfig config_;
    llm::ChatModel& model_;
};

}  // namespace

FunctionType chat_completion_type() {
    return {schema().info(), [](Builder& builder, const std::string&, const json::object& settings) -> Result<std::unique_ptr<Function>> {
                auto config = schema().parse(settings);
                if (!config) return fail(config.error());
                auto model = builder.llm(config->llm_name);
                if (!model) return fail(model.error());
                return std::make_unique<ChatCompletion>(std::move(*config), **model);
            }};
}

}  // namespace plimsoll::functions
