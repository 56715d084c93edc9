// Any bytes, in any cut, must end in an outcome.
#include <cstddef>
#include <cstdint>

#include "eval/remote_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    plimsoll::eval::RemoteAnswer answer([](plimsoll::event::Step) {});
    const std::size_t cut = size > 0 ? data[0] % size : 0;
    if (answer.feed(text.substr(0, cut)) && answer.feed(text.substr(cut))) answer.finish();
    return 0;
}
