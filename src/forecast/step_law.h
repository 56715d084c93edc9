// How long one batch step of a model server takes: n sequences that each get a token, K tokens of context they attend to,
// p prompt tokens of np calls that are read in the same step.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace plimsoll::forecast {

enum class LawForm : std::uint8_t {
    table,     // g(n) + cK without prompts, with them a' + b'n + cK + dp + e np
    roofline,  // h + max(a + cK, d(n + p)): memory or arithmetic, whichever is slower
    linear,    // a + bn + cK + dp
};
inline constexpr LawForm kLawForms[] = {LawForm::table, LawForm::roofline, LawForm::linear};
std::string_view to_string(LawForm form);

struct StepLaw {
    LawForm form = LawForm::linear;
    double overhead = 0;        // seconds a step besides all else (roofline)
    double a = 0;               // seconds a step
    double b = 0;               // a sequence
    double c = 0;               // a token of context
    double d = 0;               // a prompt token (roofline: any token)
    double e = 0;               // a prompt (table)
    double prompt_a = 0;        // a' (table)
    double prompt_b = 0;        // b' (table)
    std::vector<double> table;  // g(n) at index n; beyond its end b more a sequence
    double ingest = 0;          // seconds from sending a call until the server may batch it
    double decode_scale = 1;    // of what a step takes without prompts
    double prompt_scale = 1;    // of what the prompts of a step add

    // Seconds. n and np count calls, K and p tokens.
    double step_seconds(double n, double context, double prompt_tokens, double prompts) const {
        const double decode = raw_seconds(n, context, 0, 0);
        if (prompt_tokens <= 0) return decode_scale * decode;
        return decode_scale * decode + prompt_scale * (raw_seconds(n, context, prompt_tokens, prompts) - decode);
    }

  private:
    double raw_seconds(double n, double context, double prompt_tokens, double prompts) const;
};

}  // namespace plimsoll::forecast
