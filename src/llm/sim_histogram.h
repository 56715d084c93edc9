// A histogram as Prometheus has them: counts in intervals with fixed upper bounds, and their sum.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::llm {

class SimHistogram {
  public:
    // Rising upper bounds; one more interval is open.
    SimHistogram(std::initializer_list<double> bounds) : bounds_(bounds), counts_(bounds.size() + 1) {}

    void observe(double value);
    double sum() const { return sum_; }
    std::uint64_t count() const;
    // Appends it in the text format under `name`, with `labels` as in {labels}.
    void append_to(std::string& text, std::string_view name, std::string_view labels) const;

  private:
    std::vector<double> bounds_;
    std::vector<std::uint64_t> counts_;
    double sum_ = 0;
};

}  // namespace plimsoll::llm
