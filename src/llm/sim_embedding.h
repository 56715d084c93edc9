// Embeddings without a model: signed feature hashing of words, word pairs and letter triples (Weinberger et al., 2009), so
// that texts that share words are close and others nearly orthogonal. The same text always has the same vector.
#pragma once

#include <string_view>
#include <vector>

namespace plimsoll::llm {

// Unit length; `dimensions` >= 1. A text without words has the first unit vector.
std::vector<float> compute_sim_embedding(std::string_view text, int dimensions);

}  // namespace plimsoll::llm
