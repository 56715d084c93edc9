#include "base/decompress.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <variant>
#include <vector>

namespace plimsoll {
namespace {

constexpr std::size_t kBlock = 1 << 18;

// zlib counts its input in 32 bits.
constexpr std::size_t kMaxInput = 1u << 30;

using Step = Expander::Step;

class GzipReader {
  public:
    GzipReader() {
        constexpr int kGzipWithLargestWindow = 15 + 16;
        PLIMSOLL_CHECK(inflateInit2(&stream_, kGzipWithLargestWindow) == Z_OK, "zlib");
    }
    ~GzipReader() { inflateEnd(&stream_); }
    GzipReader(const GzipReader&) = delete;
    GzipReader& operator=(const GzipReader&) = delete;

    Step read(std::string_view& in, std::span<char> out, std::size_t& produced) {
        const std::size_t given = std::min(in.size(), kMaxInput), room = std::min(out.size(), kMaxInput);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
        stream_.avail_in = static_cast<uInt>(given);
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(room);
        const int code = inflate(&stream_, Z_NO_FLUSH);
        in.remove_prefix(given - stream_.avail_in);
        produced = room - stream_.avail_out;
        if (code == Z_STREAM_END) return inflateReset(&stream_) == Z_OK ? Step::member_ended : Step::damaged;
        return code == Z_OK || code == Z_BUF_ERROR ? Step::more : Step::damaged;
    }

  private:
    z_stream stream_{};
};

class ZstdReader {
  public:
    Step read(std::string_view& in, std::span<char> out, std::size_t& produced) {
        ZSTD_inBuffer input{in.data(), in.size(), 0};
        ZSTD_outBuffer output{out.data(), out.size(), 0};
        const std::size_t code = ZSTD_decompressStream(stream_.get(), &output, &input);
        in.remove_prefix(input.pos);
        produced = output.pos;
        if (ZSTD_isError(code)) return Step::damaged;
        return code == 0 ? Step::member_ended : Step::more;
    }

  private:
    struct Free {
        void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
    };
    std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
};

}  // namespace

struct Expander::Reader {
    std::variant<GzipReader, ZstdReader> of;
};

Expander::Expander(Compression compression) : reader_(std::make_unique<Reader>()) {
    PLIMSOLL_CHECK(compression != Compression::none, "nothing to expand");
    if (compression == Compression::zstd) reader_->of.emplace<ZstdReader>();
}

Expander::~Expander() = default;

Step Expander::read(std::string_view& in, std::span<char> out, std::size_t& produced) {
    return std::visit([&](auto& reader) { return reader.read(in, out, produced); }, reader_->of);
}

Compression detect_compression(std::string_view bytes) {
    if (bytes.starts_with("\x1f\x8b")) return Compression::gzip;
    if (bytes.starts_with("\x28\xb5\x2f\xfd")) return Compression::zstd;
    return Compression::none;
}

Result<Expanded> decompress(std::string_view bytes, Compression compression, std::uint64_t max_bytes) {
    Expanded out;
    if (compression == Compression::none) {
        out.text = bytes;
        return out;
    }
    Expander expander(compression);
    std::vector<char> block(kBlock);
    Step step = Step::more;
    while (step != Step::damaged) {
        const std::size_t before = bytes.size();
        std::size_t produced = 0;
        step = expander.read(bytes, block, produced);
        if (out.text.size() + produced > max_bytes) return fail(ErrorCode::limit, fmt::format("expands to more than {} bytes", max_bytes));
        out.text.append(block.data(), produced);
        if (step == Step::member_ended && bytes.empty()) return out;
        if (produced == 0 && bytes.size() == before) break;  // the bytes end inside a member
    }
    out.cut = true;
    if (out.text.empty()) return fail(ErrorCode::parse, "damaged compressed data");
    return out;
}

}  // namespace plimsoll
