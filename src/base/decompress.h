// gzip and zstd texts from outside, expanded with a bound: a small file may expand to any size.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

enum class Compression : std::uint8_t { none, gzip, zstd };

// By the first bytes.
Compression detect_compression(std::string_view bytes);

// Expands piece by piece. Several gzip members or zstd frames one after another are one text.
class Expander {
  public:
    enum class Step : std::uint8_t { more, member_ended, damaged };

    explicit Expander(Compression compression);  // gzip or zstd
    ~Expander();

    // Takes what it uses from `in` and says how many bytes of `out` it wrote.
    Step read(std::string_view& in, std::span<char> out, std::size_t& produced);

  private:
    struct Reader;
    std::unique_ptr<Reader> reader_;
};

// What `bytes` expand to; several gzip members or zstd frames one after another are one text. The bytes are gone through once, in blocks.
struct Expanded {
    std::string text;
    bool cut = false;  // the compressed bytes ended early or were damaged: `text` is what came before that
};
// Errors: limit when more than `max_bytes` would come out; parse when nothing did.
Result<Expanded> decompress(std::string_view bytes, Compression compression, std::uint64_t max_bytes);

}  // namespace plimsoll
