#include "cli/workflow_host.h"

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "cli/catalogue.h"
#include "record/logging.h"

namespace plimsoll::cli {
namespace {

asio::awaitable<eval::SessionOutcome> run_item(std::shared_ptr<event::Session> session, const std::string& type,
                                               functions::Function& workflow, json::value question) {
    auto output = co_await functions::run_session(std::move(session), type, workflow, std::move(question), {});
    if (!output) co_return eval::SessionOutcome{nullptr, std::move(output).error()};
    co_return eval::SessionOutcome{std::move(*output), std::nullopt};
}

}  // namespace

WorkflowHost::WorkflowHost(const config::Config& config, int io_threads) : config_(config), pool_(io_threads) {}

WorkflowHost::~WorkflowHost() {
    for (const auto& exporter : exporters_) exporter->shutdown();
}

Result<std::unique_ptr<WorkflowHost>> WorkflowHost::make(const config::Config& config, int io_threads, std::filesystem::path log_folder,
                                                         bool build_workflow) {
    auto host = std::unique_ptr<WorkflowHost>(new WorkflowHost(config, io_threads));
    for (const auto& [name, component] : config.logging) {
        const auto started = record::start_logging(component.type, component.settings);
        if (!started) return fail(started.error().with_context("general.telemetry.logging." + name));
    }
    for (const auto& [name, component] : config.tracing) {
        auto exporter = record::make_exporter(component.type, component.settings, host->pool_);
        if (!exporter) return fail(exporter.error().with_context("general.telemetry.tracing." + name));
        host->sinks_.push_back(exporter->get());
        host->exporters_.push_back(std::move(*exporter));
    }
    host->builder_ = std::make_unique<functions::Builder>(config, all_function_types(), host->pool_, std::move(log_folder));
    if (!build_workflow) return host;
    const auto workflow = host->builder_->workflow();
    if (!workflow) return fail(workflow.error());
    host->workflow_ = *workflow;
    return host;
}

eval::SessionRunner WorkflowHost::local_runner() {
    return [this](std::shared_ptr<event::Session> session, eval::DatasetItem item) {
        return run_item(std::move(session), config_.workflow.type, *workflow_, std::move(item.question));
    };
}

int default_io_threads() {
    constexpr int kMost = 4;
    return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMost);
}

}  // namespace plimsoll::cli
