// `deep_research`: answers a question with a cited report from a collection of documents.
//
//   plan ──Send──> search × n ──> outline ──Send──> write × n ──> reflect ──(gap)──> search …
//                                                                    └──(enough)──> finalize
//
// It is a graph of its own functions; each node, model call and search shows up in the trace. Every model call has a deadline,
// and none of them can end the session: what fails leaves a note in the report and a {"warning": …} on the stream.
#pragma once

#include "functions/function.h"
#include "retrieval/ingest.h"

namespace plimsoll::research {

functions::FunctionTypes function_types();

// Brings a collection up to date with a folder; blocks, so call it off the io threads. Errors: those of retrieval::ingest_folder().
Result<retrieval::IngestReport> ingest(net::IoPool& pool, const std::filesystem::path& folder, retrieval::Collection& collection,
                                       llm::EmbeddingModel& embedder, retrieval::OnProgress progress = {});

struct DeepResearchConfig {
    std::string llm_name;
    std::optional<std::string> planner_llm_name;
    std::string embedder_name;
    std::string collection = ".plimsoll/research.db";
    std::optional<std::string> documents;
    int num_queries = 3;
    int num_reflections = 1;
    int top_k = 4;
    int quotes_per_section = 2;
    int section_tokens = 90;
    std::string report_organization;
    double plan_timeout = 300;
    double write_timeout = 300;
    std::optional<std::string> description;
};
const Schema<DeepResearchConfig>& deep_research_schema();

}  // namespace plimsoll::research
