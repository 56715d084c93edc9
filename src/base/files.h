// Files that are whole or absent: what a reader sees after kill -9 is the old text or the new one, never half of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// Errors: not_found, io, limit (larger than max_bytes).
Result<std::string> load_file(const std::filesystem::path& path, std::uint64_t max_bytes = 1ull << 32);

// Writes beside the target, fsyncs, renames over it; makes missing parent folders. Errors: io, no_space.
Result<void> save_file(const std::filesystem::path& path, std::string_view text);

// The same for a file that is written piece by piece: it appears with commit(), and without leaves nothing. Not thread-safe. Text is
// handed to the system in blocks. After an error every further call returns it, and what was written is gone at once.
class FileWriter {
  public:
    // Errors: io, no_space.
    static Result<FileWriter> create(const std::filesystem::path& path);
    FileWriter(FileWriter&& other) noexcept;
    FileWriter& operator=(FileWriter&& other) noexcept;
    ~FileWriter();

    Result<void> append(std::string_view text);
    std::uint64_t size() const { return written_ + block_.size(); }
    Result<void> cut(std::uint64_t size);  // takes back what came after the first `size` bytes
    Result<void> commit();                 // fsync and rename; the last call

  private:
    FileWriter(int fd, std::string path, std::string temporary) : fd_(fd), path_(std::move(path)), temporary_(std::move(temporary)) {}
    Result<void> flush();
    Result<void> write(std::string_view text);
    Result<void> give_up(Result<void> failed);

    int fd_ = -1;
    std::string path_, temporary_;
    std::uint64_t written_ = 0;
    std::string block_;
    Result<void> status_;
};

// Makes the folder and its parents. Errors: io, no_space.
Result<void> make_folder(const std::filesystem::path& path);

// A path that a program's own data may use: $TMPDIR or /tmp, unique, made, removed with the object.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

// Append-only file for logs that must survive kill -9. Not thread-safe. Every failure of write or sync is returned once
// and again on each later call: a log that lost a record is broken.
class AppendFile {
  public:
    static Result<AppendFile> open(const std::filesystem::path& path);
    AppendFile(AppendFile&& other) noexcept;
    AppendFile& operator=(AppendFile&& other) noexcept;
    ~AppendFile();

    Result<void> append(std::string_view text);  // one write(2) as a rule
    Result<void> sync();                         // fdatasync

  private:
    explicit AppendFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    int fd_ = -1;
    std::string path_;
};

}  // namespace plimsoll
