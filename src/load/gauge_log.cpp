#include <fmt/format.h>

#include "base/csv.h"
#include "load/run_files.h"
#include "load/sampler.h"

namespace plimsoll::load {

void GaugeLog::add(double at_s, const std::string& url, const std::vector<MetricValue>& metrics) {
    for (const MetricValue& metric : metrics) {
        if (!metric.is_gauge) continue;
        std::string key = fmt::format("{}\n{}\n{}", url, metric.name, metric.labels);
        const auto known = index_.find(key);
        if (known != index_.end() && series[known->second].last == metric.value) continue;
        if (rows.size() == kMaxRows || (known == index_.end() && series.size() == kMaxSeries)) {
            ++dropped;
            continue;
        }
        const std::size_t place = known == index_.end() ? series.size() : known->second;
        if (known == index_.end()) {
            series.push_back({url, metric.name, metric.labels, metric.value});
            index_.emplace(std::move(key), place);
        }
        series[place].last = metric.value;
        rows.push_back({at_s, place, metric.value});
    }
}

std::string gauges_csv(const GaugeLog& log) {
    if (log.rows.empty()) return "";
    std::string out = "at_s,url,metric,labels,value\n";
    for (const GaugeLog::Row& row : log.rows) {
        const GaugeLog::Series& series = log.series[row.series];
        fmt::format_to(std::back_inserter(out), "{:.3f},{},{},{},{}\n", row.at_s, csv_field(series.url), series.name,
                       csv_field(series.labels), row.value);
    }
    return out;
}

std::string last_scrapes_text(const SampleLog& log) {
    std::string out;
    for (const auto& [url, text] : log.last_scrapes) {
        if (log.last_scrapes.size() > 1) out += fmt::format("# {}\n", url);
        out += text;
        if (!text.ends_with('\n')) out += '\n';
    }
    return out;
}

}  // namespace plimsoll::load
