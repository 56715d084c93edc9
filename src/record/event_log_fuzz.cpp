// Any bytes must load: damage is counted, every session that counts as finished has an end.
#include <cstddef>
#include <cstdint>

#include "record/event_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto contents = plimsoll::record::parse_event_log({reinterpret_cast<const char*>(data), size});
    if (!contents) PLIMSOLL_CHECK(contents.error().code == plimsoll::ErrorCode::unsupported, contents.error().message);
    return 0;
}
