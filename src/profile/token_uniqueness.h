// How many new words each prompt brings against the session's previous prompt to the same model (NAT 1.9.0). A low number
// says that prompt caching has much to gain.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "event/step.h"
#include "profile/confidence.h"
#include "profile/python_text.h"

namespace plimsoll::profile {

// By model name. A session's first prompt to a model, and one after a prompt that was not recorded, count for nothing; models
// without any other are absent.
class TokenUniqueness {
  public:
    explicit TokenUniqueness(TextOf text_of = to_plain_text) : text_of_(text_of) {}
    void add(const std::vector<event::Step>& steps);  // of a session
    std::map<std::string, Percentiles> compute() const;

  private:
    TextOf text_of_;
    std::map<std::string, std::vector<double>> new_words_;
};

// Runs of letters, digits and underscores, lower-cased: what \w matches in a regular expression over Unicode. A capital sigma
// becomes σ, also at the end of a word.
std::unordered_set<std::string> split_words(std::string_view text);

}  // namespace plimsoll::profile
