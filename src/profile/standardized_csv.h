// standardized_data_all.csv: one row a step, sessions in order (NAT 1.9.0). RFC 4180 with "\n" line ends; numbers in the
// shortest form that reads back equal; null as an empty field.
//
//   StandardizedCsv csv({.nova = true});
//   for (const auto& session : sessions) { csv.add(session, &outlooks); file.append(csv.take_rows()); }
//   file.append(csv.take_rest());
#pragma once

#include <string>
#include <vector>

#include "event/trace.h"
#include "profile/llm_metrics.h"
#include "profile/python_text.h"

namespace plimsoll::profile {

class StandardizedCsv {
  public:
    struct Columns {
        bool nova = false;
        bool text = true;  // the three llm_text columns
    };
    explicit StandardizedCsv(Columns columns, TextOf text_of = to_plain_text)
        : nova_(columns.nova), text_(columns.text), text_of_(text_of) {}

    // `outlooks` are those of its steps; without them the NOVA cells say that nothing is known.
    void add(const event::SessionTrace& session, const std::vector<StepOutlook>* outlooks);

    // What can be written. With NOVA columns nothing before the first LLM_START of the run: a run without any keeps all rows to its end.
    std::string take_rows();
    // At the end; no steps at all: a single line end.
    std::string take_rest();

    // What is known of the run before its sessions are added: whether any has an LLM_START.
    void expect(bool any_llm_start) { remaining_ = any_llm_start ? Remaining::floats : Remaining::whole; }

  private:
    bool nova_, text_;
    TextOf text_of_;
    std::string rows_;
    std::vector<std::size_t> wholes_;  // places in rows_ behind numbers that become floats with the first LLM_START
    std::size_t sessions_ = 0;
    bool has_steps_ = false;
    enum class Remaining : std::uint8_t { unknown, whole, floats } remaining_ = Remaining::unknown;
};

}  // namespace plimsoll::profile
