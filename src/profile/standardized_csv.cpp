#include "profile/standardized_csv.h"

#include <optional>

#include "base/csv.h"

namespace plimsoll::profile {
namespace {

using event::Category;
using event::Phase;

void append_field(std::string& out, std::string_view text) {
    append_csv_field(out, text);
    out += ',';
}

void append_float(std::string& out, double number) { append_field(out, to_compact_json(number)); }
void append_whole(std::string& out, std::int64_t number) { append_field(out, std::to_string(number)); }
void append_optional(std::string& out, const std::optional<std::string>& text) { append_field(out, text ? *text : std::string_view()); }

void append_row_end(std::string& out) { out.back() = '\n'; }

void append_header(std::string& out, bool nova, bool text) {
    out += "event_type,event_timestamp,example_number,prompt_tokens,completion_tokens,total_tokens,";
    if (text) out += "llm_text_input,llm_text_output,llm_new_token,";
    out += "llm_name,tool_name,function_name,function_id,parent_function_name,parent_function_id,UUID,framework,";
    if (nova)
        out +=
            "NOVA-Event-ID,NOVA-Requests-Remaining-In-Event,NOVA-Time-To-Next-Event,NOVA-Time-To-Event-End,NOVA-Predicted-OSL,"
            "NOVA-Time-To-Session-End,";
    append_row_end(out);
}

void append_texts(std::string& out, const event::Payload& payload, TextOf text_of) {
    const bool llm = payload.event_type.category == Category::llm && payload.data;
    const auto text = [&](Phase phase, const json::value event::StepData::* member) {
        return llm && payload.event_type.phase == phase && !((*payload.data).*member).is_null() ? text_of((*payload.data).*member) : "";
    };
    append_field(out, text(Phase::start, &event::StepData::input));
    append_field(out, text(Phase::end, &event::StepData::output));
    append_field(out, text(Phase::chunk, &event::StepData::chunk));
}

void append_step(std::string& out, const event::Step& step, std::size_t session, bool text, TextOf text_of) {
    const auto& payload = step.payload;
    const auto& function = step.function_ancestry;
    const event::TokenUsage usage = payload.usage_info ? payload.usage_info->token_usage : event::TokenUsage{};
    append_field(out, event::to_string(payload.event_type));
    append_float(out, payload.event_timestamp);
    append_whole(out, static_cast<std::int64_t>(session));
    append_whole(out, usage.prompt_tokens);
    append_whole(out, usage.completion_tokens);
    append_whole(out, usage.total_tokens);
    if (text) append_texts(out, payload, text_of);

    const bool whole_call = payload.event_type.phase != Phase::chunk;
    const auto name_for = [&](Category category) {
        return whole_call && payload.event_type.category == category ? payload.name.value_or("") : std::string();
    };
    append_field(out, name_for(Category::llm));
    append_field(out, name_for(Category::tool));
    append_field(out, function.function_name);
    append_field(out, function.function_id);
    append_optional(out, function.parent_name);
    append_optional(out, function.parent_id);
    append_field(out, payload.uuid);
    append_optional(out, payload.framework);
}

constexpr std::string_view kFloat = ".0";

// NAT's column turns from whole numbers to floats as soon as one group of the run has an LLM_START; `whole` is where the number ends.
void append_outlook(std::string& out, const event::Step& step, const StepOutlook& outlook, std::size_t& whole) {
    append_field(out, step.function_ancestry.function_name);
    append_whole(out, outlook.requests_remaining);
    whole = out.size() - 1;
    append_float(out, outlook.time_to_next_ms);
    append_float(out, outlook.time_to_event_end_ms);
    if (outlook.output_tokens)
        append_float(out, static_cast<double>(*outlook.output_tokens));
    else
        append_field(out, std::string_view());
    append_float(out, outlook.time_to_session_end_ms);
}

}  // namespace

void StandardizedCsv::add(const event::SessionTrace& session, const std::vector<StepOutlook>* outlooks) {
    const std::size_t number = sessions_++;
    if (session.steps.empty()) return;
    if (!has_steps_) append_header(rows_, nova_, text_);
    has_steps_ = true;
    for (std::size_t i = 0; i < session.steps.size(); ++i) {
        const event::Step& step = session.steps[i];
        append_step(rows_, step, number, text_, text_of_);
        if (nova_) {
            std::size_t whole = 0;
            append_outlook(rows_, step, outlooks ? (*outlooks)[i] : StepOutlook(), whole);
            wholes_.push_back(whole);
            const bool llm_start = step.payload.event_type == event::EventType{Category::llm, Phase::start};
            if (llm_start && remaining_ == Remaining::unknown) remaining_ = Remaining::floats;
        }
        append_row_end(rows_);
    }
}

std::string StandardizedCsv::take_rows() {
    if (nova_ && remaining_ == Remaining::unknown) return "";
    std::string out;
    std::size_t from = 0;
    if (remaining_ == Remaining::floats)
        for (const std::size_t whole : wholes_) {
            out.append(rows_, from, whole - from);
            out += kFloat;
            from = whole;
        }
    out.append(rows_, from);
    rows_.clear();
    wholes_.clear();
    return out;
}

std::string StandardizedCsv::take_rest() {
    if (!has_steps_) return "\n";
    if (remaining_ == Remaining::unknown) remaining_ = Remaining::whole;
    return take_rows();
}

}  // namespace plimsoll::profile
