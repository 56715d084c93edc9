#include "cli/what_if.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "llm/sim_profile.h"

namespace plimsoll::cli {
namespace {

forecast::StepLaw to_law(const llm::SimEngineOptions& engine) {
    const llm::SimStepLaw& from = engine.law;
    forecast::StepLaw law;
    const bool roofline = from.form == llm::SimStepLaw::Form::roofline;
    law.form = roofline ? forecast::LawForm::roofline : forecast::LawForm::linear;
    if (roofline) law.overhead = from.overhead;
    law.a = from.fixed;
    law.b = from.per_sequence;
    law.c = from.per_context;
    law.d = from.per_prompt_token;
    law.ingest = std::chrono::duration<double>(engine.ingest).count();
    return law;
}

forecast::ReplicaLimits to_limits(const llm::SimBatchLimits& from) {
    const std::int64_t memory = std::int64_t{from.kv_blocks} * from.block_tokens;
    return {.max_num_seqs = from.max_sequences,
            .kv_tokens = memory > 0 ? memory : forecast::kUnlimited,
            .max_batched_tokens = from.max_batched_tokens,
            .chunked_prefill = from.chunked_prefill};
}

}  // namespace

Result<int> parse_count(std::string_view flag, std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value <= 0)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{}: \"{}\" is no whole number from 1 to {}", flag, text, std::numeric_limits<int>::max()));
    return value;
}

Result<std::vector<int>> parse_counts(std::string_view flag, const std::string& text) {
    std::vector<int> counts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const auto count = parse_count(flag, std::string_view(text).substr(at, comma - at));
        if (!count) return fail(count.error());
        counts.push_back(*count);
        at = comma + 1;
    }
    std::ranges::sort(counts);
    const auto [first, last] = std::ranges::unique(counts);
    counts.erase(first, last);
    return counts;
}

Result<forecast::LeaveOut> parse_at_most(const std::string& text) {
    // A step's name may hold an equals sign, a number not.
    const std::size_t equals = text.rfind('=');
    forecast::LeaveOut out;
    const std::string_view number = equals == std::string::npos ? "" : std::string_view(text).substr(equals + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.keep);
    if (error != std::errc() || end != number.data() + number.size() || out.keep < 0 || equals == 0)
        return fail(ErrorCode::invalid_argument, fmt::format("--at_most: \"{}\" is not NAME=K with a whole number K", text));
    out.name = text.substr(0, equals);
    return out;
}

Result<void> add_machine(const std::string& text, std::map<std::string, forecast::OtherMachine>& machines) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        return fail(ErrorCode::invalid_argument, fmt::format("--law: \"{}\" is not MODEL=PROFILE", text));
    const std::string profile_name = text.substr(equals + 1);
    const auto profile = llm::load_sim_profile(profile_name);
    if (!profile) return fail(profile.error().with_context("--law"));
    machines[text.substr(0, equals)] = {profile_name, to_law(profile->engine), to_limits(profile->engine.limits)};
    return {};
}

}  // namespace plimsoll::cli
