// Asks the Prometheus server of a Dynamo deployment what profile/dynamo_metrics.h wants to know. Blocks; nothing fails but by a line in
// `errors`, of which the first is also a warning. After a server that does not answer the further questions are not asked.
#pragma once

#include "profile/dynamo_metrics.h"

namespace plimsoll::eval {

// The window is the settings' workflow_start_timestamp to workflow_end_timestamp; without them it ends now, and is lookback_seconds long,
// or ten minutes.
profile::DynamoMetrics fetch_dynamo_metrics(const profile::DynamoSettings& settings);

}  // namespace plimsoll::eval
