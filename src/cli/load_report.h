// A load run as one self-contained HTML page.
#pragma once

#include <string>

#include "load/sampler.h"
#include "load/summary.h"

namespace plimsoll::cli {

std::string load_report_html(const load::SummaryInput& summary, const load::SampleLog& samples);

}  // namespace plimsoll::cli
