// Telemetry `file`: one step as JSON a line.
#pragma once

#include <atomic>
#include <filesystem>

#include "base/files.h"
#include "record/telemetry.h"
#include "record/write_behind.h"

namespace plimsoll::record {

struct FileExporterConfig {
    std::string output_path;
    std::string project;
    std::string mode = "append";
    bool enable_rolling = false;
    std::int64_t max_file_size = 10 << 20;  // bytes
    int max_files = 5;
    bool cleanup_on_init = false;
};
const Schema<FileExporterConfig>& file_exporter_schema();

// With rolling, a file that would exceed max_file_size becomes <path>.1, what was <path>.1 becomes <path>.2, and so on; max_files counts
// the current one. A line longer than the limit gets a file of its own. Steps above kQueueBytes waiting for the disk are dropped and
// counted.
class FileExporter final : public Exporter {
  public:
    static constexpr std::size_t kQueueBytes = 64u << 20;

    static Result<std::unique_ptr<FileExporter>> open(FileExporterConfig config);
    ~FileExporter() override { shutdown(); }

    void on_step(const event::Session& session, const event::Step& step) override;
    void on_session_end(const event::Session&, const Error*) override {}
    void shutdown() override;
    ExportCounters counters() const override;

  private:
    FileExporter(FileExporterConfig config, AppendFile file, std::uint64_t size);
    Result<void> write(std::string_view lines);
    Result<void> roll();

    const FileExporterConfig config_;
    AppendFile file_;  // the queue's thread only, like size_
    std::uint64_t size_;
    std::atomic<std::uint64_t> pushed_ = 0;
    WriteBehind queue_;
};

}  // namespace plimsoll::record
