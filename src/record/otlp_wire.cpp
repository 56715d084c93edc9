#include "record/otlp_wire.h"

namespace plimsoll::record {
namespace {

enum WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
constexpr std::size_t kMaxVarintBytes = 10;

}  // namespace

bool WireReader::read_varint(std::string_view& bytes, std::uint64_t& number) {
    number = 0;
    for (std::size_t i = 0; i < bytes.size() && i < kMaxVarintBytes; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        number |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            bytes.remove_prefix(i + 1);
            return true;
        }
    }
    return false;
}

bool WireReader::read_fixed(std::size_t size, std::uint64_t& number) {
    if (rest_.size() < size) return false;
    number = 0;
    for (std::size_t i = size; i-- > 0;) number = number << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(size);
    return true;
}

bool WireReader::read_value(std::uint64_t type, Field& field) {
    switch (type) {
        case kVarint: return read_varint(rest_, field.number);
        case kFixed64: return read_fixed(8, field.number);
        case kFixed32: return read_fixed(4, field.number);
        case kBytes: {
            std::uint64_t size = 0;
            if (!read_varint(rest_, size)) return false;
            damaged_ = size > rest_.size();
            field.is_bytes = true;
            field.bytes = rest_.substr(0, size);
            rest_.remove_prefix(field.bytes.size());
            return true;
        }
        default: return false;
    }
}

bool WireReader::next(Field& field) {
    if (damaged_ || rest_.empty()) return false;
    field = {};
    std::uint64_t key = 0;
    if (!read_varint(rest_, key) || key >> 3 == 0 || !read_value(key & 7, field)) {
        damaged_ = true;
        return false;
    }
    field.tag = key >> 3;
    return true;
}

}  // namespace plimsoll::record
