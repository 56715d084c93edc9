// What is said when the command line names a command or flag that does not exist.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace plimsoll::cli {

// After a failed parse: the words that nothing takes, in their order, and what the first of them may have been meant to be. Empty when
// there are none, so that the parser's own message is the better one.
std::string describe_unknown_words(const CLI::App& app);

}  // namespace plimsoll::cli
