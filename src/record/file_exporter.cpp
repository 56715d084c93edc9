#include "record/file_exporter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "record/redact.h"

namespace plimsoll::record {
namespace {

namespace fs = std::filesystem;

fs::path rolled_path(const FileExporterConfig& config, int number) { return fmt::format("{}.{}", config.output_path, number); }

}  // namespace

const Schema<FileExporterConfig>& file_exporter_schema() {
    static const auto schema = Schema<FileExporterConfig>("telemetry.tracing", "file", "one step as JSON a line in a file")
                                   .required("output_path", &FileExporterConfig::output_path, "the file")
                                   .required("project", &FileExporterConfig::project, "name of the project")
                                   .field("mode", &FileExporterConfig::mode, "what happens to a file that is there")
                                   .one_of({"append", "overwrite"})
                                   .field("enable_rolling", &FileExporterConfig::enable_rolling, "start a new file at max_file_size")
                                   .field("max_file_size", &FileExporterConfig::max_file_size, "bytes")
                                   .at_least(1)
                                   .field("max_files", &FileExporterConfig::max_files, "files kept, the current one included")
                                   .at_least(1)
                                   .field("cleanup_on_init", &FileExporterConfig::cleanup_on_init, "remove rolled files at the start");
    return schema;
}

Result<std::unique_ptr<FileExporter>> FileExporter::open(FileExporterConfig config) {
    std::error_code ignored;  // what cannot be removed shows when the file is opened
    if (config.mode == "overwrite") fs::remove(config.output_path, ignored);
    if (config.cleanup_on_init)
        for (int number = 1; number < config.max_files; ++number) fs::remove(rolled_path(config, number), ignored);
    auto file = AppendFile::open(config.output_path);
    if (!file) return fail(file.error());
    const auto size = fs::file_size(config.output_path, ignored);
    return std::unique_ptr<FileExporter>(new FileExporter(std::move(config), std::move(*file), ignored ? 0 : size));
}

FileExporter::FileExporter(FileExporterConfig config, AppendFile file, std::uint64_t size)
    : config_(std::move(config)),
      file_(std::move(file)),
      size_(size),
      queue_([this](std::string_view lines, bool) { return write(lines); }, {kQueueBytes, kQueueBytes},
             [](const Error& error) { log_warning("telemetry file: {}; further steps are not written", error.message); }) {}

void FileExporter::on_step(const event::Session&, const event::Step& step) {
    json::value value = event::to_json(step);
    redact(value);
    ++pushed_;
    queue_.push(to_compact_json(value) + "\n", WriteBehind::Kind::droppable);
}

Result<void> FileExporter::write(std::string_view lines) {
    const auto limit = static_cast<std::uint64_t>(config_.max_file_size);
    while (!lines.empty()) {
        // The longest run of whole lines that fits, at least one.
        std::size_t take = lines.size();
        if (config_.enable_rolling && size_ + take > limit) {
            const std::size_t room = size_ < limit ? limit - size_ : 0;
            const std::size_t end = room > 0 ? lines.substr(0, std::min(room, lines.size())).rfind('\n') : std::string_view::npos;
            if (end == std::string_view::npos && size_ > 0) {
                PLIMSOLL_TRY(roll());
                continue;
            }
            take = (end == std::string_view::npos ? lines.find('\n') : end) + 1;
        }
        PLIMSOLL_TRY(file_.append(lines.substr(0, take)));
        size_ += take;
        lines.remove_prefix(take);
    }
    return {};
}

Result<void> FileExporter::roll() {
    std::error_code error;
    for (int number = config_.max_files - 1; number > 0; --number) {
        const fs::path from = number == 1 ? fs::path(config_.output_path) : rolled_path(config_, number - 1);
        if (fs::exists(from, error)) fs::rename(from, rolled_path(config_, number), error);
        if (error) return fail(errno_error(fmt::format("rolling {}", config_.output_path), error.value()));
    }
    if (config_.max_files == 1) fs::remove(config_.output_path, error);
    auto file = AppendFile::open(config_.output_path);
    if (!file) return fail(file.error());
    file_ = std::move(*file);
    size_ = 0;
    return {};
}

void FileExporter::shutdown() {
    // An error was reported when it happened, and counters() says what was lost.
    [[maybe_unused]] const auto closed = queue_.close();
}

ExportCounters FileExporter::counters() const {
    const std::uint64_t dropped = queue_.dropped();
    return {pushed_ - dropped, dropped, queue_.status() ? 0u : 1u};
}

}  // namespace plimsoll::record
