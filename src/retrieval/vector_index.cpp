#include "retrieval/vector_index.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace plimsoll::retrieval {
namespace {

// Sums in several lanes: floating-point addition may not be reordered, so one running sum could not be vectorised.
float dot(const float* a, const float* b, std::size_t size) {
    constexpr std::size_t kLanes = 16;
    std::array<float, kLanes> sums{};
    std::size_t i = 0;
    for (; i + kLanes <= size; i += kLanes)
        for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
    float sum = 0;
    for (const float part : sums) sum += part;
    for (; i < size; ++i) sum += a[i] * b[i];
    return sum;
}

}  // namespace

void VectorIndex::add(std::int64_t id, std::span<const float> vector) {
    PLIMSOLL_CHECK(vector.size() == dimension_, "dimension");
    ids_.push_back(id);
    matrix_.insert(matrix_.end(), vector.begin(), vector.end());
}

std::vector<std::pair<std::int64_t, double>> VectorIndex::nearest(std::span<const float> query, std::size_t k) const {
    PLIMSOLL_CHECK(query.size() == dimension_, "dimension");
    std::vector<float> unit(query.begin(), query.end());
    normalise(unit);
    std::vector<std::pair<std::int64_t, double>> found(ids_.size());
    for (std::size_t row = 0; row < ids_.size(); ++row) found[row] = {ids_[row], dot(&matrix_[row * dimension_], unit.data(), dimension_)};
    const auto better = [](const auto& a, const auto& b) { return a.second != b.second ? a.second > b.second : a.first < b.first; };
    const std::size_t count = std::min(k, found.size());
    std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(count), better);
    found.resize(count);
    return found;
}

bool normalise(std::vector<float>& vector) {
    double squares = 0;
    for (const float value : vector) squares += static_cast<double>(value) * value;
    if (!std::isfinite(squares)) return false;
    if (squares == 0) return true;
    const double length = std::sqrt(squares);
    for (float& value : vector) value = static_cast<float>(value / length);
    return true;
}

}  // namespace plimsoll::retrieval
