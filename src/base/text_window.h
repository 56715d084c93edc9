// A text from outside that is read piece by piece: only what is not yet passed is in memory.
//
//   TextWindow window([&](char* out, std::size_t size) { return file.read(out, size); });
//   while (!window.text().empty() || window.grow()) window.pass(use(window.text()));
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace plimsoll {

class TextWindow {
  public:
    // Writes up to `size` bytes to `out` and says how many; 0 at the end.
    using Source = std::function<std::size_t(char* out, std::size_t size)>;

    // All of it at once. `whole` must outlive this.
    explicit TextWindow(std::string_view whole) : text_(whole) {}
    explicit TextWindow(Source source, std::size_t block = kBlock) : source_(std::move(source)), block_(block) {}
    TextWindow(const TextWindow&) = delete;
    TextWindow& operator=(const TextWindow&) = delete;

    // What was read and not passed. Valid until grow().
    std::string_view text() const { return text_; }

    // Reads on, so that text() gets longer, each time by at least half of what it is. False at the end, and once kMaxText is reached:
    // whoever needs more than that for one value takes it for damage.
    bool grow();

    // Gives up the first bytes of text().
    void pass(std::size_t bytes);

    std::uint64_t position() const { return position_; }  // of text() in the whole

    static constexpr std::size_t kBlock = 1 << 20;
    static constexpr std::size_t kMaxText = std::size_t{1} << 30;

  private:
    Source source_;
    std::size_t block_ = kBlock;
    std::string buffer_;  // ends as text_ does
    std::string_view text_;
    std::uint64_t position_ = 0;
};

}  // namespace plimsoll
