// The bytes in which savers keep a checkpoint: everything about it except its id, its values and its pending writes, which
// a saver keeps beside them in its own way. A few hundred bytes for a graph of ten channels.
//
// Pure functions, any thread. The format has a version of its own; unpack_checkpoint() takes bytes from a damaged file.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"

namespace plimsoll::graph {

std::string pack_checkpoint(std::string_view parent_id, const Checkpoint& checkpoint, const CheckpointMetadata& metadata);

// The packed checkpoint `key`. Its values are there by name, in order, and null: the saver fills them in.
// Errors: parse; unsupported for bytes of a newer version.
Result<StoredCheckpoint> unpack_checkpoint(CheckpointKey key, std::string_view bytes);

std::string pack_strings(std::span<const std::string> strings);
Result<std::vector<std::string>> unpack_strings(std::string_view bytes);

// True when the metadata has every member of `filter` (ListOptions::filter).
bool matches(const CheckpointMetadata& metadata, const json::object& filter);

// True for a channel that did not change between the parent (null: none) and a checkpoint that was put with `changed`.
bool is_unchanged(const std::string& channel, const Checkpoint& checkpoint, const Checkpoint* parent,
                  const std::vector<std::string>& changed);

// The reserved channels of which a task's later write replaces its earlier one.
bool replaces_earlier(std::string_view channel);

}  // namespace plimsoll::graph
