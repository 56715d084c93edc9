// Walks the fields of a protobuf message in bytes from outside. Other readers refuse a message that is cut; this one gives what is there.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace plimsoll::record {

class WireReader {
  public:
    explicit WireReader(std::string_view bytes) : rest_(bytes) {}

    struct Field {
        std::uint64_t tag = 0;
        std::uint64_t number = 0;  // of a varint, fixed32 or fixed64
        std::string_view bytes;    // of a length-delimited field
        bool is_bytes = false;

        double as_double() const { return std::bit_cast<double>(number); }
        std::int64_t as_int() const { return static_cast<std::int64_t>(number); }
    };

    // False at the end and at damage. A length-delimited field that is cut is given as far as it goes.
    bool next(Field& field);

    // The bytes ended inside a field or were no protobuf.
    bool damaged() const { return damaged_; }
    std::string_view rest() const { return rest_; }

    // Errors: false when `bytes` hold no whole varint.
    static bool read_varint(std::string_view& bytes, std::uint64_t& number);

  private:
    bool read_fixed(std::size_t size, std::uint64_t& number);
    bool read_value(std::uint64_t type, Field& field);

    std::string_view rest_;
    bool damaged_ = false;
};

}  // namespace plimsoll::record
