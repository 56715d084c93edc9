#include "eval/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace plimsoll::eval {

Result<FolderLock> FolderLock::take(const std::filesystem::path& folder) {
    FolderLock lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock.fd_ < 0) return fail(errno_error(fmt::format("opening {}", folder.string()), errno));
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) return fail(ErrorCode::in_use, fmt::format("another run writes to {}", folder.string()));
    return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace plimsoll::eval
