// The sections of a report's page, one a file (<name>_section.cpp): whole <section> elements of sizing, forecast and load, and bodies of
// the profile's sections, whose titles and order are in html_report.cpp. Nothing when there is nothing to show. They render typed results
// and compute nothing.
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

std::string sessions_html(const std::vector<profile::ChosenSession>& sessions, const std::map<std::size_t, SessionText>& texts);
std::string flame_html(const profile::FlameGraph& flame);
std::string path_html(const profile::CriticalPaths& paths);
std::string what_if_html(const profile::WhatIf& what_if);
std::string steps_html(const std::vector<profile::StepLatency>& steps);
std::string timing_html(const profile::LlmTimings& timings);
std::string load_html(const profile::LoadCurve& load);
std::string token_histograms_html(const profile::Insights& insights);
std::string token_cost_html(const profile::TokenCost& cost);
std::string prefixes_html(const profile::PrefixNode& root);
std::string failed_calls_html(const profile::ErrorCost& errors);
std::string wasted_work_html(const profile::WastedWork& waste);
std::string variation_html(const profile::Variation& variation);
std::string cold_start_html(const profile::ColdStart& cold);
std::string skipped_html(const event::SkipReport& skipped, std::size_t orphan_steps);

}  // namespace plimsoll::report
