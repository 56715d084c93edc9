#include "forecast/step_law.h"

#include <algorithm>

namespace plimsoll::forecast {

std::string_view to_string(LawForm form) {
    switch (form) {
        case LawForm::table: return "table";
        case LawForm::roofline: return "roofline";
        case LawForm::linear: return "linear";
    }
    return "";
}

double StepLaw::raw_seconds(double n, double context, double prompt_tokens, double prompts) const {
    switch (form) {
        case LawForm::roofline: return overhead + std::max(a + c * context, d * (n + prompt_tokens));
        case LawForm::linear: return a + b * n + c * context + d * prompt_tokens;
        case LawForm::table: break;
    }
    if (prompt_tokens > 0) return prompt_a + prompt_b * n + c * context + d * prompt_tokens + e * prompts;
    if (n <= 0) return a;
    const auto low = static_cast<std::size_t>(n);
    if (table.empty()) return a + b * n + c * context;
    if (low + 1 >= table.size()) return table.back() + b * (n - static_cast<double>(table.size() - 1)) + c * context;
    return table[low] + (table[low + 1] - table[low]) * (n - static_cast<double>(low)) + c * context;
}

}  // namespace plimsoll::forecast
