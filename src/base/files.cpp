#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace plimsoll {
namespace {

namespace fs = std::filesystem;

Result<void> write_all(int fd, std::string_view text, std::string_view path) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail(errno_error(fmt::format("writing {}", path), errno));
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Result<std::string> load_file(const fs::path& path, std::uint64_t max_bytes) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(errno_error(fmt::format("reading {}", path.string()), errno));
    std::string text;
    constexpr std::size_t kBlock = 1 << 16;
    for (;;) {
        const std::size_t size = text.size();
        text.resize(size + kBlock);
        const ssize_t got = ::read(fd, text.data() + size, kBlock);
        text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            const int error_number = errno;
            ::close(fd);
            return fail(errno_error(fmt::format("reading {}", path.string()), error_number));
        }
        if (got == 0) break;
        if (text.size() > max_bytes) {
            ::close(fd);
            return fail(ErrorCode::limit, fmt::format("{} is larger than {} bytes", path.string(), max_bytes));
        }
    }
    ::close(fd);
    return text;
}

Result<void> save_file(const fs::path& path, std::string_view text) {
    auto file = FileWriter::create(path);
    if (!file) return fail(file.error());
    PLIMSOLL_TRY(file->append(text));
    return file->commit();
}

Result<FileWriter> FileWriter::create(const fs::path& path) {
    if (path.has_parent_path()) PLIMSOLL_TRY(make_folder(path.parent_path()));
    std::string temporary = fmt::format("{}.{}.part", path.string(), ::getpid());
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return fail(errno_error(fmt::format("writing {}", path.string()), errno));
    return FileWriter(fd, path.string(), std::move(temporary));
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      written_(other.written_),
      block_(std::move(other.block_)),
      status_(std::move(other.status_)) {}

FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(temporary_, other.temporary_);
    std::swap(written_, other.written_);
    std::swap(block_, other.block_);
    std::swap(status_, other.status_);
    return *this;
}

FileWriter::~FileWriter() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(temporary_.c_str());
}

Result<void> FileWriter::give_up(Result<void> failed) {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    ::unlink(temporary_.c_str());
    return status_ = std::move(failed);
}

Result<void> FileWriter::flush() {
    PLIMSOLL_TRY(write(block_));
    block_.clear();
    return {};
}

Result<void> FileWriter::write(std::string_view text) {
    if (auto written = write_all(fd_, text, path_); !written) return give_up(std::move(written));
    written_ += text.size();
    return {};
}

Result<void> FileWriter::append(std::string_view text) {
    constexpr std::size_t kBlock = 1 << 18;
    PLIMSOLL_TRY(status_);
    if (block_.size() + text.size() < kBlock) {
        block_ += text;
        return {};
    }
    PLIMSOLL_TRY(flush());
    return write(text);
}

Result<void> FileWriter::cut(std::uint64_t size) {
    PLIMSOLL_TRY(status_);
    if (size >= written_) {
        block_.resize(size - written_);
        return {};
    }
    block_.clear();
    written_ = size;
    const auto end = static_cast<off_t>(size);
    if (::ftruncate(fd_, end) == 0 && ::lseek(fd_, end, SEEK_SET) == end) return {};
    return give_up(fail(errno_error(fmt::format("writing {}", path_), errno)));
}

Result<void> FileWriter::commit() {
    PLIMSOLL_TRY(status_);
    PLIMSOLL_TRY(flush());
    const bool synced = ::fsync(fd_) == 0;
    const int sync_error = errno;
    const bool closed = ::close(std::exchange(fd_, -1)) == 0;
    if (!synced) return give_up(fail(errno_error(fmt::format("writing {}", path_), sync_error)));
    if (closed && ::rename(temporary_.c_str(), path_.c_str()) == 0) return {};
    return give_up(fail(errno_error(fmt::format("writing {}", path_), errno)));
}

Result<void> make_folder(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return fail(errno_error(fmt::format("making folder {}", path.string()), error.value()));
    return {};
}

TemporaryFolder::TemporaryFolder() {
    const char* parent = std::getenv("TMPDIR");
    std::string pattern = fmt::format("{}/plimsoll.XXXXXX", parent && *parent ? parent : "/tmp");
    PLIMSOLL_CHECK(::mkdtemp(pattern.data()) != nullptr, pattern);
    path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;  // a folder that cannot be removed is left to the system's own cleaning
    fs::remove_all(path_, ignored);
}

Result<AppendFile> AppendFile::open(const fs::path& path) {
    if (path.has_parent_path()) PLIMSOLL_TRY(make_folder(path.parent_path()));
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return fail(errno_error(fmt::format("opening {}", path.string()), errno));
    return AppendFile(fd, path.string());
}

AppendFile::AppendFile(AppendFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    return *this;
}

AppendFile::~AppendFile() {
    if (fd_ >= 0) ::close(fd_);
}

Result<void> AppendFile::append(std::string_view text) { return write_all(fd_, text, path_); }

Result<void> AppendFile::sync() {
    if (::fdatasync(fd_) != 0) return fail(errno_error(fmt::format("syncing {}", path_), errno));
    return {};
}

}  // namespace plimsoll
