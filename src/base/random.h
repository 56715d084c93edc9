// Randomness comes in as a parameter: the same seed gives the same run.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace plimsoll {

// xoshiro256++ (Blackman and Vigna, 2019), seeded by splitmix64. Not for secrets. One per thread or session.
class Random {
  public:
    using result_type = std::uint64_t;

    explicit Random(std::uint64_t seed);
    static Random from_entropy();

    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return ~result_type{0}; }
    result_type operator()();

    double uniform();                         // [0, 1)
    double uniform(double low, double high);  // [low, high)
    std::string uuid();                       // RFC 4122 version 4, lower case with dashes
    std::string hex(int digits);              // lower case

  private:
    std::uint64_t state_[4];
};

}  // namespace plimsoll
