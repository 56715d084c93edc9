#include <fmt/format.h>

#include <algorithm>

#include "functions/chat_completion.h"
#include "functions/current_datetime.h"
#include "functions/function.h"
#include "llm/providers.h"

namespace plimsoll::functions {

FunctionTypes function_types() { return {chat_completion_type(), current_datetime_type()}; }

struct Builder::Impl {
    FunctionTypes types;
    llm::LocalServers locals;
    std::map<std::string, std::unique_ptr<llm::ChatModel>> llms;
    std::map<std::string, std::unique_ptr<llm::EmbeddingModel>> embedders;
    std::map<std::string, std::unique_ptr<Function>> functions;
    std::vector<std::string> being_built;  // to see a cycle

    Impl(FunctionTypes function_types, std::filesystem::path log_folder)
        : types(std::move(function_types)), locals(std::move(log_folder)) {}
};

Builder::Builder(const config::Config& config, FunctionTypes types, net::IoPool& pool, std::filesystem::path log_folder)
    : config_(config), pool_(pool), impl_(std::make_unique<Impl>(std::move(types), std::move(log_folder))) {}

Builder::~Builder() = default;

llm::LocalServers& Builder::local_servers() { return impl_->locals; }

namespace {

// Looks a component up in its section of the config, makes it at first use and keeps it.
template <class T, class Make>
Result<T*> get_or_make(std::map<std::string, std::unique_ptr<T>>& made, const std::map<std::string, config::Component>& section,
                       const std::string& section_name, const std::string& name, const Make& make) {
    if (const auto found = made.find(name); found != made.end()) return found->second.get();
    const auto component = section.find(name);
    if (component == section.end()) return fail(ErrorCode::not_found, fmt::format("{}.{}: there is no such component", section_name, name));
    Result<std::unique_ptr<T>> result = make(component->second);
    if (!result) return fail(result.error().with_context(section_name + "." + name));
    return (made[name] = std::move(*result)).get();
}

}  // namespace

Result<llm::ChatModel*> Builder::llm(const std::string& name) {
    return get_or_make(impl_->llms, config_.llms, "llms", name, [&](const config::Component& component) {
        return llm::make_chat_model(name, component.type, component.settings, impl_->locals);
    });
}

Result<llm::EmbeddingModel*> Builder::embedder(const std::string& name) {
    return get_or_make(impl_->embedders, config_.embedders, "embedders", name, [&](const config::Component& component) {
        return llm::make_embedding_model(name, component.type, component.settings, impl_->locals);
    });
}

Result<Function*> Builder::function(const std::string& name) {
    const bool is_workflow = name == "<workflow>";
    std::map<std::string, config::Component> workflow_section;
    if (is_workflow) workflow_section.emplace(name, config_.workflow);
    const auto make = [&](const config::Component& component) -> Result<std::unique_ptr<Function>> {
        auto& stack = impl_->being_built;
        if (std::ranges::find(stack, name) != stack.end())
            return fail(ErrorCode::config,
                        fmt::format("functions refer to each other in a circle: {} -> {}", fmt::join(stack, " -> "), name));
        const auto type = std::ranges::find(impl_->types, component.type, [](const FunctionType& t) { return t.info.type; });
        if (type == impl_->types.end()) return fail(ErrorCode::config, fmt::format("unknown _type \"{}\"", component.type));
        stack.push_back(name);
        auto result = type->make(*this, name, component.settings);
        stack.pop_back();
        return result;
    };
    return get_or_make(impl_->functions, is_workflow ? workflow_section : config_.functions, is_workflow ? "workflow" : "functions", name,
                       make);
}

Result<Function*> Builder::workflow() {
    if (config_.workflow.type.empty()) return fail(ErrorCode::config, "the file has no workflow: section");
    return function("<workflow>");
}

}  // namespace plimsoll::functions
