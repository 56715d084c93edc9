#include "graph/memory_saver.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "graph/checkpoint_codec.h"

namespace plimsoll::graph {
namespace {

// The values in order of their names. Those that did not change become the parent's own when the caller made copies of them.
std::vector<Blob> take_values(Checkpoint& checkpoint, const StoredCheckpoint* parent, const std::vector<std::string>& changed) {
    std::vector<Blob> values;
    values.reserve(checkpoint.values.size());
    for (auto& [name, blob] : checkpoint.values) {
        PLIMSOLL_CHECK(blob != nullptr, "a checkpoint's value is null: " + name);
        if (parent != nullptr && is_unchanged(name, checkpoint, &parent->checkpoint, changed))
            values.push_back(parent->checkpoint.values.find(name)->second);
        else
            values.push_back(std::move(blob));
    }
    return values;
}

// True when every value outside `changed` already is one of the parent's objects, as it is in a running graph.
bool shares_already(const Checkpoint& checkpoint, const std::vector<Blob>& parents, const std::vector<std::string>& changed) {
    return std::ranges::all_of(checkpoint.values, [&](const auto& item) {
        return std::ranges::find(parents, item.second) != parents.end() || std::ranges::find(changed, item.first) != changed.end();
    });
}

asio::awaitable<Result<void>> answer(Result<void> result) { co_return result; }

}  // namespace

MemorySaver::Space* MemorySaver::find_space(const CheckpointKey& key) {
    const auto thread = threads_.find(key.thread);
    if (thread == threads_.end()) return nullptr;
    const auto space = thread->second.find(key.space);
    return space == thread->second.end() ? nullptr : &space->second;
}

MemorySaver::Entry* MemorySaver::find_entry(const CheckpointKey& key) {
    Space* space = find_space(key);
    if (space == nullptr) return nullptr;
    if (key.id.empty()) return &space->back();
    const auto entry = std::ranges::lower_bound(*space, key.id, {}, &Entry::id);
    return entry != space->end() && entry->id == key.id ? &*entry : nullptr;
}

Result<StoredCheckpoint> MemorySaver::load(const std::string& thread, const std::string& space, const Entry& entry) {
    auto stored = unpack_checkpoint({thread, space, entry.id}, entry.packed);
    if (!stored) return stored;
    auto value = entry.values.begin();
    for (auto& [name, blob] : stored->checkpoint.values) blob = *value++;
    stored->writes = entry.writes;
    return stored;
}

// Not a coroutine itself: its parameters need not be moved into a frame.
asio::awaitable<Result<void>> MemorySaver::put(CheckpointKey key, Checkpoint checkpoint, CheckpointMetadata metadata,
                                               std::vector<std::string> changed) {
    return answer(store(key, checkpoint, metadata, changed));
}

Result<void> MemorySaver::store(CheckpointKey& key, Checkpoint& checkpoint, const CheckpointMetadata& metadata,
                                const std::vector<std::string>& changed) {
    std::string packed = pack_checkpoint(key.id, checkpoint, metadata);
    packed.shrink_to_fit();
    const std::lock_guard lock(mutex_);
    std::optional<StoredCheckpoint> parent;
    if (const Entry* entry = key.id.empty() ? nullptr : find_entry(key);
        entry != nullptr && !shares_already(checkpoint, entry->values, changed)) {
        auto loaded = load(key.thread, key.space, *entry);
        if (!loaded) return fail(std::move(loaded).error());
        parent = std::move(*loaded);
    }
    std::vector<Blob> values = take_values(checkpoint, parent ? &*parent : nullptr, changed);

    Space& space = threads_[std::move(key.thread)][std::move(key.space)];
    auto place = std::ranges::lower_bound(space, checkpoint.id, {}, &Entry::id);
    if (place == space.end() || place->id != checkpoint.id) place = space.insert(place, Entry{std::move(checkpoint.id), {}, {}, {}});
    place->packed = std::move(packed);
    place->values = std::move(values);
    if (keep_latest_ != 0 && space.size() > keep_latest_)
        space.erase(space.begin(), space.end() - static_cast<std::ptrdiff_t>(keep_latest_));
    return {};
}

asio::awaitable<Result<void>> MemorySaver::put_writes(CheckpointKey key, std::string task, std::vector<PendingWrite> writes) {
    const std::lock_guard lock(mutex_);
    Entry* entry = find_entry(key);
    if (entry == nullptr) co_return fail(ErrorCode::not_found, "no checkpoint " + key.id + " of thread " + key.thread);
    const auto earlier = [&](const PendingWrite& write) { return write.task == task && !replaces_earlier(write.channel); };
    const bool written = std::ranges::any_of(entry->writes, earlier);
    std::erase_if(writes, [&](const PendingWrite& write) { return written && !replaces_earlier(write.channel); });
    if (std::ranges::any_of(writes, replaces_earlier, &PendingWrite::channel))
        std::erase_if(entry->writes, [&](const PendingWrite& old) {
            return old.task == task && replaces_earlier(old.channel) &&
                   std::ranges::find(writes, old.channel, &PendingWrite::channel) != writes.end();
        });
    // Room for no more than this, where it mostly is all: a step of one task, or one question.
    if (entry->writes.empty()) entry->writes.reserve(writes.size());
    for (PendingWrite& write : writes) {
        write.task = task;
        entry->writes.push_back(std::move(write));
    }
    co_return Result<void>{};
}

asio::awaitable<Result<std::optional<StoredCheckpoint>>> MemorySaver::get(CheckpointKey key) {
    const std::lock_guard lock(mutex_);
    const Entry* entry = find_entry(key);
    if (entry == nullptr) co_return std::optional<StoredCheckpoint>();
    auto stored = load(key.thread, key.space, *entry);
    if (!stored) co_return fail(std::move(stored).error());
    co_return std::move(*stored);
}

asio::awaitable<Result<std::vector<StoredCheckpoint>>> MemorySaver::list(std::string thread, ListOptions options) {
    const std::lock_guard lock(mutex_);
    std::vector<StoredCheckpoint> result;
    const auto found = threads_.find(thread);
    if (found == threads_.end()) co_return result;
    std::vector<std::pair<const std::string*, const Entry*>> entries;
    for (const auto& [name, space] : found->second)
        if (!options.space || *options.space == name)
            for (const Entry& entry : space)
                if (options.before.empty() || entry.id < options.before) entries.emplace_back(&name, &entry);
    std::ranges::sort(entries, std::ranges::greater{}, [](const auto& item) -> const std::string& { return item.second->id; });
    for (const auto& [space, entry] : entries) {
        if (options.limit && result.size() >= *options.limit) break;
        auto stored = load(thread, *space, *entry);
        if (!stored) co_return fail(std::move(stored).error());
        if (matches(stored->metadata, options.filter)) result.push_back(std::move(*stored));
    }
    co_return result;
}

asio::awaitable<Result<void>> MemorySaver::delete_thread(std::string thread) {
    const std::lock_guard lock(mutex_);
    threads_.erase(thread);
    co_return Result<void>{};
}

asio::awaitable<Result<void>> MemorySaver::copy_thread(std::string from, std::string to) {
    const std::lock_guard lock(mutex_);
    const auto source = threads_.find(from);
    if (source == threads_.end()) co_return Result<void>{};
    if (threads_.contains(to)) co_return fail(ErrorCode::in_use, "thread " + to + " has checkpoints already");
    Thread copy = source->second;
    threads_.emplace(std::move(to), std::move(copy));
    co_return Result<void>{};
}

asio::awaitable<Result<void>> MemorySaver::prune(std::vector<std::string> threads, Keep keep) {
    const std::lock_guard lock(mutex_);
    for (const std::string& name : threads) {
        const auto thread = threads_.find(name);
        if (thread == threads_.end()) continue;
        if (keep == Keep::none) {
            threads_.erase(thread);
            continue;
        }
        for (auto& [space_name, space] : thread->second) {
            space.erase(space.begin(), std::prev(space.end()));
            space.shrink_to_fit();
        }
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> MemorySaver::delete_runs(std::vector<std::string> runs) {
    const std::lock_guard lock(mutex_);
    Result<void> result;
    const auto is_of_runs = [&](const Entry& entry) {
        const auto stored = unpack_checkpoint({}, entry.packed);
        if (!stored) result = fail(stored.error());
        return stored && !stored->metadata.run.empty() && std::ranges::find(runs, stored->metadata.run) != runs.end();
    };
    for (auto& [name, thread] : threads_) {
        for (auto& [space_name, space] : thread) std::erase_if(space, is_of_runs);
        std::erase_if(thread, [](const auto& item) { return item.second.empty(); });
    }
    std::erase_if(threads_, [](const auto& item) { return item.second.empty(); });
    co_return result;
}

}  // namespace plimsoll::graph
