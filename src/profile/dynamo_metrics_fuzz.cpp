// Any bytes from a Prometheus server are a finite number, nothing, or an error.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "profile/dynamo_metrics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace plimsoll;
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    for (const auto& answer : {profile::parse_instant_answer(body), profile::parse_range_answer(body)})
        if (answer && *answer) PLIMSOLL_CHECK(std::isfinite(**answer), std::to_string(**answer));
    return 0;
}
