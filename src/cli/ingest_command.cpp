#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "net/io_pool.h"
#include "research/deep_research.h"

namespace plimsoll::cli {
namespace {

struct IngestFlags {
    ConfigFlags config;
    std::string folder;
    std::string collection = ".plimsoll/research.db";
    std::string embedder;
};

Result<void> ingest(const IngestFlags& flags) {
    const auto config = load_config(flags.config);
    if (!config) return fail(config.error());
    std::string embedder = flags.embedder;
    if (embedder.empty() && config->embedders.size() == 1) embedder = config->embedders.begin()->first;
    if (embedder.empty()) return fail(ErrorCode::config, "the file has several embedders or none: name one with --embedder");

    net::IoPool pool(1);
    functions::Builder builder(*config, all_function_types(), pool, std::filesystem::path(flags.collection).parent_path() / "logs");
    auto model = builder.embedder(embedder);
    if (!model) return fail(model.error());
    auto collection = retrieval::Collection::open(flags.collection, (*model)->model());
    if (!collection) return fail(collection.error());
    const auto report = research::ingest(pool, config->resolve(flags.folder), **collection, **model,
                                         [](const std::string& line) { std::printf("  %s\n", line.c_str()); });
    if (!report) return fail(report.error());
    for (const auto& [name, error] : report->failures) log_warning("{}: {}", name, error.message);
    std::printf("%d documents in %s: %d new or changed (%d pages, %d chunks), %d unchanged, %d removed, %d failed\n", report->documents,
                flags.collection.c_str(), report->updated, report->pages, report->chunks, report->unchanged, report->removed,
                report->failed);
    if (report->failed > 0 && report->updated + report->unchanged == 0)
        return fail(ErrorCode::unsupported, "no document of the folder could be read");
    return {};
}

}  // namespace

void add_ingest_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("ingest", "reads a folder of md, txt, html and pdf files into a collection");
    const auto flags = std::make_shared<IngestFlags>();
    add_config_flags(*command, flags->config, true);
    command->add_option("--folder", flags->folder, "documents")->required();
    command->add_option("--collection", flags->collection, "file of the collection, made when absent")->capture_default_str();
    command->add_option("--embedder", flags->embedder, "name under embedders:; needed when there are several");
    command->footer(
        "Exit codes: 0 done, though single documents may have failed; 1 failed, or not one document could be read; 2 wrong usage.");
    command->callback([&run, flags] {
        run = [flags] {
            const auto done = ingest(*flags);
            if (!done) log_error("{}", done.error().message);
            return done ? 0 : 1;
        };
    });
}

}  // namespace plimsoll::cli
