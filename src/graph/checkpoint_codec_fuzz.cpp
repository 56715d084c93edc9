// Bytes of a damaged file never crash the decoder, and what it accepts it writes again so that it reads back equal.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graph/checkpoint_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace plimsoll::graph;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto stored = unpack_checkpoint({"thread", "", "id"}, bytes)) {
        const std::string parent = stored->parent ? stored->parent->id : "";
        const std::string packed = pack_checkpoint(parent, stored->checkpoint, stored->metadata);
        const auto again = unpack_checkpoint({"thread", "", "id"}, packed);
        PLIMSOLL_CHECK(again.has_value() && again->checkpoint.versions == stored->checkpoint.versions, packed);
    }
    static_cast<void>(unpack_strings(bytes));
    return 0;
}
