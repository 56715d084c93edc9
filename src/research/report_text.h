// Puts sections together into the final Markdown: numbered citations to chunks that were really retrieved, each source once.
#pragma once

#include <string>
#include <vector>

#include "research/types.h"

namespace plimsoll::research {

struct Source {
    int number = 0;  // as cited, from 1 in order of first use
    retrieval::Chunk chunk;
};

struct FinishedReport {
    std::string markdown;
    std::vector<Source> sources;
    int dropped_citations = 0;  // sentences that named a chunk outside the evidence; their citation is left off
};

// Sections in their order, without the empty ones; `notes` (what went wrong on the way) as a closing remark.
FinishedReport assemble_report(const std::string& topic, std::vector<Section> sections, const std::vector<Evidence>& evidence,
                               const std::vector<std::string>& notes);

}  // namespace plimsoll::research
