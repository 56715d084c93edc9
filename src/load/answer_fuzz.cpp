// Any bytes as an answer or as metrics: nothing crashes, and an answer cut into pieces counts as many tokens as in one.
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "load/answer.h"
#include "load/prometheus.h"

namespace {

using plimsoll::load::Answer;
using plimsoll::load::Clock;

std::uint32_t pieces(int kind, std::string_view bytes, std::size_t step) {
    Answer answer;
    const auto reader = kind == 2 ? plimsoll::load::make_rule_reader(plimsoll::load::nat_rules(), answer)
                                  : plimsoll::load::make_openai_reader(kind == 0, answer);
    for (bool more = true; more && !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), step)))
        more = reader->feed(bytes.substr(0, step), Clock::time_point());
    reader->finish();
    return answer.error ? 0 : answer.pieces;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const int kind = data[0] % 3;
    if (pieces(kind, bytes, 1) != pieces(kind, bytes, size)) __builtin_trap();
    std::ignore = plimsoll::load::read_server(plimsoll::load::parse_prometheus(bytes));
    return 0;
}
