#include "llm/sim_histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace plimsoll::llm {

void SimHistogram::observe(double value) {
    ++counts_[static_cast<std::size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin())];
    sum_ += value;
}

std::uint64_t SimHistogram::count() const { return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0}); }

void SimHistogram::append_to(std::string& text, std::string_view name, std::string_view labels) const {
    auto out = std::back_inserter(text);
    fmt::format_to(out, "# TYPE {} histogram\n", name);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        below += counts_[i];
        const std::string bound = i < bounds_.size() ? fmt::format("{}", bounds_[i]) : "+Inf";
        fmt::format_to(out, "{}_bucket{{le=\"{}\",{}}} {}\n", name, bound, labels, below);
    }
    fmt::format_to(out, "{0}_sum{{{1}}} {2}\n{0}_count{{{1}}} {3}\n", name, labels, sum_, below);
}

}  // namespace plimsoll::llm
