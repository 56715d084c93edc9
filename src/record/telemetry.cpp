#include "record/telemetry.h"

#include <fmt/format.h>

#include "record/file_exporter.h"
#include "record/otlp_exporter.h"

namespace plimsoll::record {

Catalogue telemetry_catalogue() { return {otlp_exporter_schema().info(), file_exporter_schema().info()}; }

Result<std::unique_ptr<Exporter>> make_exporter(const std::string& type, const json::object& settings, net::IoPool& pool) {
    if (type == "otelcollector") {
        auto config = otlp_exporter_schema().parse(settings);
        if (!config) return fail(config.error());
        return std::make_unique<OtlpExporter>(std::move(*config), pool.next().get_executor());
    }
    if (type == "file") {
        auto config = file_exporter_schema().parse(settings);
        if (!config) return fail(config.error());
        return FileExporter::open(std::move(*config));
    }
    return fail(ErrorCode::unsupported, fmt::format("telemetry type {} is not known", type));
}

}  // namespace plimsoll::record
