#include "serve/front_end.h"

namespace plimsoll::serve {
namespace {

constexpr const char* kNotThere[] = {"root_path",
                                     "reload",
                                     "workers",
                                     "use_gunicorn",
                                     "runner_class",
                                     "scheduler_address",
                                     "db_url",
                                     "max_running_async_jobs",
                                     "dask_workers",
                                     "dask_threads_per_worker",
                                     "dask_worker_memory_limit",
                                     "dask_log_level",
                                     "step_adaptor",
                                     "accepted_identity_credentials",
                                     "identity_authentication",
                                     "identity_header",
                                     "workflow",
                                     "evaluate",
                                     "evaluate_item",
                                     "endpoints",
                                     "oauth2_callback_path",
                                     "cors",
                                     "object_store",
                                     "disable_legacy_routes",
                                     "enable_interactive_extensions"};

const Schema<FrontEnd>& schema() {
    constexpr int kMaxPort = 65535;
    static const auto instance = Schema<FrontEnd>("front_end", "fastapi", "the workflow over HTTP, on NAT's routes")
                                     .field("host", &FrontEnd::host, "address to listen on")
                                     .field("port", &FrontEnd::port, "0 = any free one")
                                     .range(0, kMaxPort);
    return instance;
}

}  // namespace

ComponentInfo front_end_info() {
    ComponentInfo info = schema().info();
    for (const char* name : kNotThere)
        info.fields.push_back({.name = name,
                               .nullable = true,
                               .doc = "accepted for NAT's files, unused",
                               .no_effect = "`plimsoll serve` has no such setting"});
    return info;
}

Result<FrontEnd> parse_front_end(const json::object& settings) { return schema().parse(settings); }

}  // namespace plimsoll::serve
