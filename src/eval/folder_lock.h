// One run a folder at a time; the kernel gives the lock back when the process dies.
#pragma once

#include <filesystem>

#include "base/error.h"

namespace plimsoll::eval {

class FolderLock {
  public:
    // Errors: in_use when another run has it, not_found, io.
    static Result<FolderLock> take(const std::filesystem::path& folder);
    FolderLock(FolderLock&& other) noexcept;
    FolderLock& operator=(FolderLock&&) = delete;
    ~FolderLock();

  private:
    explicit FolderLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace plimsoll::eval
