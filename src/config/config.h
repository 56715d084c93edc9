// NAT's YAML, read with every problem found at once and its place said: `eval.yml:12:5: llms.nim.base_url: …`.
//
// Order of work: parse YAML, merge `base:` files, apply overrides, expand ${VAR:-default} in the parsed scalars (never in the raw
// text, so a value cannot inject YAML), read `file://` texts, then check against the catalogue.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/schema.h"

namespace plimsoll::config {

struct Override {
    std::string path;  // "a.b.c"
    std::string value;
};

struct Problem {
    enum class Severity : std::uint8_t { warning, error };
    Severity severity = Severity::error;
    std::string place;  // "file:line:column"
    std::string path;   // "llms.nim.base_url", may be empty
    std::string message;
    std::string text() const;  // "place: path: message"
};

struct Component {
    std::string section;    // "llms", "functions", "workflow", "general.telemetry.tracing", "eval.evaluators"
    std::string name;       // key in the section; "<workflow>" for the workflow
    std::string type;       // `_type`
    json::object settings;  // checked, aliases resolved, without `_type`; unset fields are absent
    bool known = true;      // false: no such type in the catalogue (a Python plugin's); allowed where only `profile` reads
};

struct Config {
    std::filesystem::path file;
    json::object root;     // the whole effective tree: merged, overridden, expanded; `_type` kept as written
    std::string original;  // bytes of the main file
    std::map<std::string, Component> llms, embedders, functions, tracing, logging, evaluators;
    Component workflow;         // type empty when the file has none
    Component front_end;        // how `serve` listens; type empty when the file has none
    json::object eval_general;  // with dataset/profiler also taken from directly under `eval` (as published articles show it)

    // Every component of every section.
    std::vector<const Component*> components() const;
    // Path of a file named in the config: as given when it exists from the working folder, else from the config's folder.
    std::filesystem::path resolve(const std::string& path) const;
};

struct LoadOptions {
    std::vector<Override> overrides;
    bool strict = false;           // unknown keys are errors
    bool check_components = true;  // false: `profile` reads its own section only
    // ${VAR}; tests pass their own. nullptr = not set.
    std::function<const char*(const std::string&)> getenv;
};

struct Loaded {
    Config config;
    std::vector<Problem> problems;  // in file order; `config` is usable only when none is an error
    bool ok() const;
};

Loaded load(const std::filesystem::path& file, const Catalogue& catalogue, const LoadOptions& options = {});

// The effective tree with its secrets masked: the settings that are, texts under names of credentials, and what a URL says before its @.
json::object masked_root(const Config& config, const Catalogue& catalogue);

// The overrides that led to `config`, their secrets masked likewise.
std::vector<Override> masked_overrides(std::vector<Override> overrides, const Config& config, const Catalogue& catalogue);

// masked_root() as block YAML that loads again.
std::string to_effective_yaml(const Config& config, const Catalogue& catalogue);

// Closest of `candidates` by edit distance when near enough to be a typo; empty otherwise.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace plimsoll::config
