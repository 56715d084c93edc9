// The text of a file from outside, plain or as gzip or zstd, either read piece by piece or looked at as a whole.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/decompress.h"
#include "base/error.h"

namespace plimsoll {

// Expanded as it is read, however long it is; of pipes too.
class FileText {
  public:
    // Errors: not_found, io.
    static Result<std::unique_ptr<FileText>> open(const std::filesystem::path& path);
    ~FileText();
    FileText(const FileText&) = delete;
    FileText& operator=(const FileText&) = delete;

    // Writes up to `size` bytes to `out` and says how many; 0 at the end, which an error or damage is too.
    std::size_t read(char* out, std::size_t size);

    // After the end. Errors: io.
    const Result<void>& status() const { return status_; }
    bool cut() const { return step_ == Expander::Step::damaged; }  // the compressed bytes ended early or were damaged

  private:
    FileText(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
    bool refill();

    int fd_;
    std::filesystem::path path_;
    Result<void> status_;
    std::optional<Expander> expander_;
    Expander::Step step_ = Expander::Step::more;
    std::string block_;
    std::string_view in_;  // what is left of block_
};

// As a whole and without a copy: pages come and go with the system's need. What is no plain file is read into memory, and compressed bytes
// are expanded there.
class WholeFile {
  public:
    // Errors: not_found, io; limit when more than `max_bytes` would have to be in memory; parse for damaged compressed data.
    static Result<WholeFile> open(const std::filesystem::path& path, std::uint64_t max_bytes);
    WholeFile(WholeFile&& other) noexcept;
    WholeFile& operator=(WholeFile&& other) noexcept;
    ~WholeFile();

    std::string_view text() const { return mapped_.data() ? mapped_ : std::string_view(*owned_); }
    bool cut() const { return cut_; }

    // Says that so many bytes more were looked at; from time to time the pages go back to the system. They can be looked at again.
    void looked_at(std::size_t bytes);

  private:
    WholeFile() = default;
    std::size_t looked_at_ = 0;
    std::string_view mapped_;
    std::unique_ptr<std::string> owned_;
    bool cut_ = false;
};

}  // namespace plimsoll
