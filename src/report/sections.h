// The sections of a report's page, one a file (<name>_section.cpp). Each gives a whole <section> element, or nothing when
// there is nothing to show. They render typed results of the profile and of sizing and compute nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "profile/profiler.h"
#include "report/html_report.h"

namespace plimsoll::report {

// `body` is HTML; `title` is escaped. An empty body: nothing.
std::string section_html(std::string_view id, std::string_view title, const std::string& body);
// Plots side by side.
std::string plot_pair_html(const std::vector<Plot>& plots);
std::string pictures_html(const std::vector<Picture>& pictures);
// What the colours mean, a line of HTML.
std::string legend_html();

std::string sizing_section(const SizingView& sizing);
std::string forecast_section(const ForecastView& forecast);
std::string load_run_section(const LoadRunView& load);
std::string findings_section(const std::vector<std::string>& findings);
std::string sessions_section(const std::vector<profile::ChosenSession>& sessions, const std::map<std::size_t, SessionText>& texts);
std::string flame_section(const profile::FlameGraph& flame);
std::string path_section(const profile::CriticalPaths& paths);
std::string what_if_section(const profile::WhatIf& what_if);
std::string steps_section(const std::vector<profile::StepLatency>& steps);
std::string timing_section(const profile::LlmTimings& timings);
std::string load_section(const profile::LoadCurve& load);
std::string tokens_section(const profile::Insights& insights);
std::string prefixes_section(const profile::PrefixNode& root);
std::string failures_section(const profile::ErrorCost& errors, const profile::WastedWork& waste);
std::string variation_section(const profile::Variation& variation, const profile::ColdStart& cold);

}  // namespace plimsoll::report
