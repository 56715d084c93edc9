#include "base/memory.h"

#include <malloc.h>

namespace plimsoll {

void return_large_blocks() {
    // glibc raises its threshold to the size of each such block that is freed, up to 32 MB, unless it is set.
    constexpr int kLargeBlock = 1 << 18;
    ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
}

}  // namespace plimsoll
