#include "llm/sim_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace plimsoll::llm {
namespace {

constexpr std::array<std::string_view, kSimFaultCount> kNames = {"none",  "500", "503",     "429",      "hang", "hang_mid",
                                                                 "reset", "cut", "garbage", "bad_json", "html", "slow_start"};

}  // namespace

std::string_view to_string(SimFault fault) { return kNames[static_cast<std::size_t>(fault)]; }

std::optional<SimFault> parse_sim_fault(std::string_view name) {
    const auto found = std::ranges::find(kNames, name);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<SimFault>(found - kNames.begin());
}

std::vector<std::string_view> sim_fault_names() { return {kNames.begin() + 1, kNames.end()}; }

Result<SimFaultRates> parse_sim_fault_rates(std::string_view text) {
    SimFaultRates rates{};
    double sum = 0;
    while (!text.empty()) {
        const auto item = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), item.size() + 1));
        const auto name = item.substr(0, item.find('='));
        const auto number = item.substr(std::min(item.size(), name.size() + 1));
        const auto fault = parse_sim_fault(name);
        double rate = -1;
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rate);
        const bool is_rate = error == std::errc() && end == number.data() + number.size() && rate >= 0 && rate <= 1;
        if (!fault || *fault == SimFault::none || !is_rate)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("fault rate '{}' is not NAME=PROBABILITY; names: {}", item, fmt::join(sim_fault_names(), ", ")));
        rates[static_cast<std::size_t>(*fault)] = rate;
    }
    for (const double rate : rates) sum += rate;
    if (sum > 1) return fail(ErrorCode::invalid_argument, fmt::format("fault rates add up to {}, more than 1", sum));
    return rates;
}

SimFault draw_sim_fault(const SimFaultRates& rates, Random& random) {
    double draw = random.uniform();
    for (std::size_t i = 1; i < rates.size(); ++i) {
        if (draw < rates[i]) return static_cast<SimFault>(i);
        draw -= rates[i];
    }
    return SimFault::none;
}

}  // namespace plimsoll::llm
