// What a config names, alive: the io threads, the built workflow, the telemetry exporters. Commands make one and run sessions on it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "eval/runner.h"
#include "functions/function.h"
#include "net/io_pool.h"
#include "record/telemetry.h"

namespace plimsoll::cli {

namespace asio = boost::asio;

class WorkflowHost {
  public:
    // Builds the workflow; with `build_workflow` off only the exporters (a remote endpoint runs the sessions).
    // `log_folder` takes the logs of local model servers. Errors: config, not_found, connect, timeout.
    static Result<std::unique_ptr<WorkflowHost>> make(const config::Config& config, int io_threads, std::filesystem::path log_folder,
                                                      bool build_workflow = true);
    ~WorkflowHost();

    net::IoPool& pool() { return pool_; }
    functions::Builder& builder() { return *builder_; }
    functions::Function& workflow() { return *workflow_; }
    const std::string& workflow_type() const { return config_.workflow.type; }
    const std::vector<event::StepSink*>& sinks() const { return sinks_; }

    // Runs one item in this process.
    eval::SessionRunner local_runner();

  private:
    WorkflowHost(const config::Config& config, int io_threads);

    const config::Config& config_;
    net::IoPool pool_;
    std::vector<std::unique_ptr<record::Exporter>> exporters_;
    std::vector<event::StepSink*> sinks_;
    std::unique_ptr<functions::Builder> builder_;
    functions::Function* workflow_ = nullptr;
};

// A thread a core, four at most: sessions wait far more than they compute.
int default_io_threads();

}  // namespace plimsoll::cli
