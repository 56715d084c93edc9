// The ways in which the simulated model server misbehaves on request.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace plimsoll::llm {

enum class SimFault : std::uint8_t {
    none,
    http_500,    // "500": an error body
    http_503,    // "503"
    http_429,    // "429": with SimOptions::retry_after
    hang,        // no answer until the client leaves
    hang_mid,    // half an answer, then nothing until the client leaves
    reset,       // RST before any answer
    cut,         // half an answer, then its end: a stream without finish_reason and [DONE], a plain body cut short
    garbage,     // 200 with bytes that are no JSON
    bad_json,    // a malformed data line amid a stream, a plain body that breaks off in mid-JSON
    html,        // 200 with a web page, as a proxy's login page would
    slow_start,  // SimOptions::slow_start before the first token
};
inline constexpr std::size_t kSimFaultCount = 12;

std::string_view to_string(SimFault fault);
// nullopt for a name that is none; "none" is one.
std::optional<SimFault> parse_sim_fault(std::string_view name);
// Every name but "none", for help texts.
std::vector<std::string_view> sim_fault_names();

// Probability of each fault, indexed by SimFault; the one of `none` is unused.
using SimFaultRates = std::array<double, kSimFaultCount>;

// "500=0.01,hang=0.001"; empty is no fault. Errors: invalid_argument (unknown name, no number, outside [0, 1], sum above 1).
Result<SimFaultRates> parse_sim_fault_rates(std::string_view text);

// Draws once, so that the n-th request of a seed meets the same fault whatever runs beside it.
SimFault draw_sim_fault(const SimFaultRates& rates, Random& random);

}  // namespace plimsoll::llm
