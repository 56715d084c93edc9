#include "base/random.h"

namespace plimsoll {
namespace {

constexpr char kHex[] = "0123456789abcdef";

std::uint64_t rotate_left(std::uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

}  // namespace

Random::Random(std::uint64_t seed) {
    for (auto& word : state_) {
        std::uint64_t z = (seed += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        word = z ^ (z >> 31);
    }
}

Random Random::from_entropy() {
    std::random_device device;
    return Random(static_cast<std::uint64_t>(device()) << 32 | device());
}

std::uint64_t Random::operator()() {
    auto& s = state_;
    const std::uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double Random::uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

double Random::uniform(double low, double high) { return low + (high - low) * uniform(); }

std::string Random::uuid() {
    std::uint64_t high = (*this)();
    std::uint64_t low = (*this)();
    high = (high & ~0xf000ull) | 0x4000;
    low = (low & ~(3ull << 62)) | 2ull << 62;
    std::string out(36, '-');
    for (int i = 0, at = 0; i < 32; ++i, ++at) {
        if (at == 8 || at == 13 || at == 18 || at == 23) ++at;
        const std::uint64_t word = i < 16 ? high : low;
        out[at] = kHex[word >> (60 - 4 * (i % 16)) & 15];
    }
    return out;
}

std::string Random::hex(int digits) {
    std::string out(digits, '0');
    for (auto& digit : out) digit = kHex[(*this)() >> 60];
    return out;
}

}  // namespace plimsoll
