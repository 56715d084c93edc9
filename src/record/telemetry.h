// Exporters of `general.telemetry.tracing`: sinks that send the steps of all sessions elsewhere while they happen.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/schema.h"
#include "event/session.h"
#include "net/io_pool.h"

namespace plimsoll::record {

struct ExportCounters {
    std::uint64_t exported = 0;        // spans or steps that arrived
    std::uint64_t dropped = 0;         // those that did not: queue full, refused, or left at the end
    std::uint64_t failed_batches = 0;  // attempts that failed
};

// Shared by all sessions of a run, from any io thread. Never blocks one.
class Exporter : public event::StepSink {
  public:
    // Delivers what is queued within the exporter's own time bound; later steps are dropped. Called from no io thread, while the
    // pool still runs; again does nothing. The destructor calls it.
    virtual void shutdown() = 0;
    virtual ExportCounters counters() const = 0;
};

// The types a config may name, section "telemetry.tracing".
Catalogue telemetry_catalogue();

// Errors: unsupported for an unknown type; config; io when a file cannot be opened. `pool` outlives the exporter.
Result<std::unique_ptr<Exporter>> make_exporter(const std::string& type, const json::object& settings, net::IoPool& pool);

}  // namespace plimsoll::record
