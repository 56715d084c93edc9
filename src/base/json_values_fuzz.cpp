// However a text arrives, it reads the same.
#include <cstddef>
#include <cstdint>

#include "base/json_values.h"

namespace {

struct Seen {
    std::string values;
    std::size_t damaged = 0;
    bool cut_off = false;
    bool operator==(const Seen&) const = default;
};

Seen read(plimsoll::JsonValues values) {
    Seen seen;
    while (const auto value = values.next()) {
        if (*value)
            seen.values += plimsoll::to_compact_json(**value) + std::to_string(values.offset()) + "\n";
        else
            ++seen.damaged;
    }
    seen.cut_off = values.cut_off();
    return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Seen whole = read(plimsoll::JsonValues(text));
    for (const std::size_t block : {1, 5, 64}) {
        plimsoll::TextWindow window(
            [rest = text](char* out, std::size_t wanted) mutable {
                const std::size_t got = rest.copy(out, wanted);
                rest.remove_prefix(got);
                return got;
            },
            block);
        PLIMSOLL_CHECK(read(plimsoll::JsonValues(window)) == whole, std::to_string(block));
    }
    return 0;
}
