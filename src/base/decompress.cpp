#include "base/decompress.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace plimsoll {
namespace {

constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::size_t kBlock = 1 << 18;
constexpr int kGzipWindow = 15 + 16;  // 32 KB of history, gzip header

struct InflateEnd {
    void operator()(z_stream* stream) const { inflateEnd(stream); }
};

}  // namespace

Result<std::string> decompress(std::string_view bytes, std::size_t limit) {
    if (!bytes.starts_with(kGzipMagic)) {
        if (bytes.size() > limit) return fail(ErrorCode::limit, fmt::format("more than {} bytes", limit));
        return std::string(bytes);
    }
    z_stream stream{};
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) return fail(ErrorCode::internal, "zlib does not start");
    const std::unique_ptr<z_stream, InflateEnd> owner(&stream);
    std::string out;
    std::string block(kBlock, '\0');
    while (true) {
        if (stream.avail_in == 0) {
            const auto next = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max());
            // zlib's interface is older than const; it does not write here.
            stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
            stream.avail_in = static_cast<uInt>(next);
            bytes.remove_prefix(next);
        }
        stream.next_out = reinterpret_cast<Bytef*>(block.data());
        stream.avail_out = static_cast<uInt>(block.size());
        const int code = inflate(&stream, Z_NO_FLUSH);
        out.append(block, 0, block.size() - stream.avail_out);
        if (out.size() > limit) return fail(ErrorCode::limit, fmt::format("grows beyond {} bytes", limit));
        if (code == Z_STREAM_END) {
            if (stream.avail_in == 0 && bytes.empty()) return out;
            if (inflateReset(&stream) != Z_OK) return fail(ErrorCode::internal, "zlib does not start again");
        } else if (code != Z_OK) {
            const bool cut = code == Z_BUF_ERROR;
            return fail(ErrorCode::parse, cut ? "gzip data is cut short" : "gzip data is damaged");
        }
    }
}

}  // namespace plimsoll
