// Any bytes must end in records or an error, and a record never has zero fields.
#include <cstddef>
#include <cstdint>

#include "eval/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto records = plimsoll::eval::parse_csv({reinterpret_cast<const char*>(data), size});
    if (records)
        for (const auto& record : *records) PLIMSOLL_CHECK(!record.fields.empty(), "a record without a field");
    return 0;
}
