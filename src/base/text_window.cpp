#include "base/text_window.h"

#include <algorithm>

namespace plimsoll {

bool TextWindow::grow() {
    if (!source_ || text_.size() >= kMaxText) return false;
    buffer_.erase(0, buffer_.size() - text_.size());
    const std::size_t before = buffer_.size(), wanted = before + std::max(block_, before / 2);
    std::size_t size = before;
    buffer_.resize(wanted);
    while (size < wanted) {
        const std::size_t got = source_(buffer_.data() + size, wanted - size);
        if (got == 0) {
            source_ = nullptr;
            break;
        }
        size += got;
    }
    buffer_.resize(size);
    text_ = buffer_;
    return size > before;
}

void TextWindow::pass(std::size_t bytes) {
    text_.remove_prefix(bytes);
    position_ += bytes;
}

}  // namespace plimsoll
