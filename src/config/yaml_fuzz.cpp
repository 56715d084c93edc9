// Any bytes as a YAML file: never a crash, a hang or a wild allocation. What parses is written back, and that parses too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/expand.h"
#include "config/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace plimsoll::config;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    Problems problems;
    const int source = problems.add_source("fuzz.yml");
    const auto root = parse_yaml(text, source, problems);
    if (!root && problems.in_file_order().empty()) std::abort();  // refused without a reason
    if (root && root->is_map()) {
        Config config;
        config.root = to_json(*root).as_object();
        const std::string written = to_effective_yaml(config, {});
        if (written.size() <= kMaxFileBytes && !parse_yaml(written, source, problems)) std::abort();
    }
    const auto expanded = expand(text, [](const std::string&) -> const char* { return nullptr; }, kMaxTextBytes);
    if (expanded && expanded->size() > kMaxTextBytes) std::abort();
    return 0;
}
