#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <mutex>

#include "llm/local_server.h"

namespace plimsoll::llm {
namespace {

namespace fs = std::filesystem;

bool is_models_folder(const fs::path& folder) {
    std::error_code ignored;  // an unreadable folder is as good as none
    return fs::is_regular_file(folder / "bin" / "llama-server", ignored);
}

// Everything that makes two servers different; the log and the patience do not.
std::string key_of(const LocalServerOptions& o) {
    return fmt::format("{}\n{}\n{}\n{} {} {} {}", o.server.string(), o.model_file.string(), o.alias, o.embeddings, o.slots,
                       o.context_per_slot, o.threads);
}

std::string file_name(std::string_view alias) {
    std::string name(alias.empty() ? "model" : alias);
    for (char& c : name)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '_') c = '_';
    return name;
}

}  // namespace

Result<fs::path> find_models_folder() {
    if (const char* chosen = std::getenv("PLIMSOLL_MODELS"); chosen && *chosen) {
        // A wrong choice is an error: silently using another folder would hide it.
        if (is_models_folder(chosen)) return fs::absolute(chosen);
        return fail(ErrorCode::not_found,
                    fmt::format("PLIMSOLL_MODELS is {}, which has no bin/llama-server; `make models` makes one", chosen));
    }
    std::error_code error;
    std::vector<fs::path> places;
    if (const auto here = fs::current_path(error); !error) places.push_back(here / ".models");
    if (const auto binary = fs::read_symlink("/proc/self/exe", error); !error)
        places.push_back(binary.parent_path().parent_path() / ".models");
    if (const char* home = std::getenv("HOME"); home && *home) places.push_back(fs::path(home) / ".cache" / "plimsoll" / "models");
    for (const auto& place : places)
        if (is_models_folder(place)) return place;
    return fail(ErrorCode::not_found, "no local models found; `make models` makes them, or set PLIMSOLL_MODELS to their folder");
}

struct LocalServers::Impl {
    struct Entry {
        std::mutex starting;  // held during start(), so that a second caller waits for the first one's server
        std::unique_ptr<LocalServer> server;
    };

    fs::path log_folder;
    mutable std::mutex mutex;                               // of the map and its entries' `server` pointers
    std::map<std::string, std::unique_ptr<Entry>> entries;  // as many as a config has local models
};

LocalServers::LocalServers(fs::path log_folder) : impl_(std::make_unique<Impl>()) { impl_->log_folder = std::move(log_folder); }
LocalServers::~LocalServers() = default;

Result<LocalServer*> LocalServers::get(const LocalServerOptions& options) {
    Impl::Entry* entry = nullptr;
    std::size_t number = 0;
    {
        const std::lock_guard lock(impl_->mutex);
        auto& slot = impl_->entries[key_of(options)];
        if (!slot) slot = std::make_unique<Impl::Entry>();
        entry = slot.get();
        number = impl_->entries.size();
    }
    const std::lock_guard starting(entry->starting);
    if (entry->server) return entry->server.get();  // only a holder of `starting` writes it
    auto chosen = options;
    if (chosen.log_file.empty()) chosen.log_file = impl_->log_folder / fmt::format("{}-{}.log", file_name(options.alias), number);
    auto server = LocalServer::start(std::move(chosen));
    if (!server) return fail(server.error());
    const std::lock_guard lock(impl_->mutex);
    entry->server = std::move(*server);
    return entry->server.get();
}

std::vector<LocalServer*> LocalServers::all() const {
    const std::lock_guard lock(impl_->mutex);
    std::vector<LocalServer*> servers;
    for (const auto& [key, entry] : impl_->entries)
        if (entry->server) servers.push_back(entry->server.get());
    return servers;
}

}  // namespace plimsoll::llm
