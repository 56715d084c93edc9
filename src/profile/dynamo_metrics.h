// What a Dynamo deployment said of itself while the run went on (NAT 1.9.0, dynamo_metrics): the questions to its Prometheus server, and
// what the answers mean. Asking is the caller's business, see eval/dynamo_fetch.h.
//
// A question is asked at the run's end first (instant query, the first series counts). Where that knows nothing, or only 0, which is what a
// rate says after the work, the mean of all values above 0 in the run's window counts (range query).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "profile/profiler_config.h"

namespace plimsoll::profile {

struct DynamoQuery {
    std::string key;     // of the result
    std::string promql;  // with the settings' query_range
};
std::vector<DynamoQuery> dynamo_queries(const DynamoSettings& settings);

// Body of /api/v1/query or /api/v1/query_range. Nothing when there is no value but 0. Errors: bad_response, with the server's words.
Result<std::optional<double>> parse_instant_answer(std::string_view body);
Result<std::optional<double>> parse_range_answer(std::string_view body);

struct DynamoMetrics {
    std::map<std::string, double> values;  // by key
    double collected = 0;                  // seconds since the epoch
    std::string prometheus_url;
    std::vector<std::string> errors;
};

// Every key of NAT's result, null where nothing is known.
json::object to_json(const DynamoMetrics& metrics);

}  // namespace plimsoll::profile
