#include "research/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace plimsoll::research {
namespace {

// Gives each chunk its number at first use; chunks of one page of one document share it.
class Citations {
  public:
    explicit Citations(const std::vector<Evidence>& evidence) {
        for (const Evidence& found : evidence)
            for (const retrieval::Hit& hit : found.hits) retrieved_.emplace(hit.chunk.id, &hit.chunk);
    }

    // " [3]", or nothing for a chunk that was never retrieved.
    std::string cite(std::int64_t chunk_id) {
        if (chunk_id == 0) return "";
        const auto found = retrieved_.find(chunk_id);
        if (found == retrieved_.end()) {
            ++dropped;
            return "";
        }
        const retrieval::Chunk& chunk = *found->second;
        const auto [entry, is_new] = numbers_.emplace(std::pair(chunk.document, chunk.page), static_cast<int>(sources.size()) + 1);
        if (is_new) sources.push_back({entry->second, chunk});
        return fmt::format(" [{}]", entry->second);
    }

    std::vector<Source> sources;
    int dropped = 0;

  private:
    std::map<std::int64_t, const retrieval::Chunk*> retrieved_;
    std::map<std::pair<std::string, int>, int> numbers_;
};

// Sections are written side by side and may pick the same sentence; the first one keeps it.
void drop_repeated_quotes(std::vector<Section>& sections) {
    std::set<std::string> seen;
    for (Section& section : sections)
        std::erase_if(section.sentences, [&](const Sentence& sentence) { return sentence.quoted && !seen.insert(sentence.text).second; });
}

std::string section_text(const Section& section, Citations& citations) {
    std::string out = fmt::format("## {}\n\n", section.title);
    std::string paragraph;
    for (const Sentence& sentence : section.sentences) {
        if (sentence.quoted) continue;
        paragraph += (paragraph.empty() ? "" : " ") + sentence.text + citations.cite(sentence.chunk_id);
    }
    if (!paragraph.empty()) out += paragraph + "\n\n";
    for (const Sentence& sentence : section.sentences)
        if (sentence.quoted) out += fmt::format("> \"{}\"{}\n\n", sentence.text, citations.cite(sentence.chunk_id));
    return out;
}

}  // namespace

FinishedReport assemble_report(const std::string& topic, std::vector<Section> sections, const std::vector<Evidence>& evidence,
                               const std::vector<std::string>& notes) {
    std::ranges::stable_sort(sections, {}, &Section::order);
    drop_repeated_quotes(sections);
    Citations citations(evidence);
    std::string text = fmt::format("# {}\n\n", topic);
    bool any = false;
    for (const Section& section : sections) {
        if (section.sentences.empty()) continue;
        any = true;
        text += section_text(section, citations);
    }
    if (!any) text += "The collection holds nothing on this question.\n\n";
    if (!citations.sources.empty()) {
        text += "## Sources\n\n";
        for (const Source& source : citations.sources)
            text +=
                fmt::format("[{}] {}, {}, p. {}\n", source.number, source.chunk.title.empty() ? source.chunk.document : source.chunk.title,
                            source.chunk.document, source.chunk.page);
    }
    if (!notes.empty()) {
        text += "\n---\n";
        for (const std::string& note : notes) text += fmt::format("Note: {}\n", note);
    }
    return {std::move(text), std::move(citations.sources), citations.dropped};
}

}  // namespace plimsoll::research
