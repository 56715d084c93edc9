// The little Markdown that the research agent writes, as HTML: headings, paragraphs, block quotes, bullet lists, rules.
// Everything else is text; nothing in it can become markup.
#pragma once

#include <string>
#include <string_view>

namespace plimsoll::report {

std::string markdown_to_html(std::string_view markdown);

}  // namespace plimsoll::report
