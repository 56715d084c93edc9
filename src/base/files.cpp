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
    if (path.has_parent_path()) PLIMSOLL_TRY(make_folder(path.parent_path()));
    const std::string temporary = fmt::format("{}.{}.part", path.string(), ::getpid());
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return fail(errno_error(fmt::format("writing {}", path.string()), errno));
    auto written = write_all(fd, text, path.string());
    if (written && ::fsync(fd) != 0) written = fail(errno_error(fmt::format("writing {}", path.string()), errno));
    if (::close(fd) != 0 && written) written = fail(errno_error(fmt::format("writing {}", path.string()), errno));
    if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
        written = fail(errno_error(fmt::format("writing {}", path.string()), errno));
    if (!written) ::unlink(temporary.c_str());
    return written;
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
