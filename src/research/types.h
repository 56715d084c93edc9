// What a deep-research session passes from step to step. Plain values: the graph's channels hold them.
#pragma once

#include <string>
#include <vector>

#include "retrieval/collection.h"

namespace plimsoll::research {

struct Query {
    std::string text;     // what to search for
    std::string section;  // heading of the section it feeds
    int round = 0;        // 0 = from the plan, k = from the k-th reflection
    int order = 0;        // position in the report
};

struct Evidence {
    Query query;
    std::vector<retrieval::Hit> hits;  // best first; may be empty
};

// A sentence of a section and the chunk that it was taken from or is supported by; chunk id 0 = none.
struct Sentence {
    std::string text;
    std::int64_t chunk_id = 0;
    bool quoted = false;  // word for word from the chunk
};

struct Section {
    std::string title;
    int order = 0;
    std::vector<Sentence> sentences;
};

}  // namespace plimsoll::research
