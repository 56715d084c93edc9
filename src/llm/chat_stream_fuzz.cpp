// Whatever a server sends, the decoder neither crashes nor depends on how the bytes were cut into pieces.
#include <cstdint>

#include "llm/chat_stream.h"

namespace {

using plimsoll::llm::ChatResult;
using plimsoll::llm::ChatStream;

struct Outcome {
    plimsoll::Result<ChatResult> result;
    std::string deltas;
};

Outcome decode(std::string_view body, std::size_t piece) {
    Outcome out{plimsoll::fail(plimsoll::ErrorCode::internal, ""), {}};
    ChatStream stream([&](std::string_view text) { out.deltas += text; }, {});
    for (std::size_t at = 0; at < body.size(); at += piece)
        if (!stream.feed(body.substr(at, piece))) break;
    out.result = stream.finish();
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    // The first byte says how large the pieces are.
    const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto whole = decode(body, body.size() + 1);
    const auto cut = decode(body, data[0] + std::size_t{1});
    PLIMSOLL_CHECK(whole.deltas == cut.deltas, "deltas depend on the cut");
    PLIMSOLL_CHECK(whole.result.has_value() == cut.result.has_value(), "success depends on the cut");
    if (whole.result) {
        PLIMSOLL_CHECK(whole.result->content == cut.result->content, "the answer depends on the cut");
        PLIMSOLL_CHECK(whole.result->reasoning == cut.result->reasoning, "the reasoning depends on the cut");
    }
    const auto parsed = ChatStream::parse_whole(body, {});
    PLIMSOLL_CHECK(parsed || !parsed.error().message.empty(), "an error without words");
    return 0;
}
