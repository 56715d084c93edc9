// The files of a profile as they are written: one or two at a time, piece by piece, since those of a long run fit into no memory.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"

namespace plimsoll::profile {

// One file. Without commit() nothing of it stays. What cannot be written is the business of whoever gave it: the calls have no errors.
class ArtefactWriter {
  public:
    virtual ~ArtefactWriter() = default;
    virtual void append(std::string_view text) = 0;
    virtual std::uint64_t size() const = 0;
    virtual void cut(std::uint64_t size) = 0;  // takes back what came after the first `size` bytes
    virtual void commit() = 0;
};

class ArtefactStore {
  public:
    virtual ~ArtefactStore() = default;
    virtual std::unique_ptr<ArtefactWriter> open(const std::string& file_name) = 0;
};

struct Artefact {
    std::string file_name;
    std::string content;
};

// In memory, in the order in which they were committed.
class ArtefactList : public ArtefactStore {
  public:
    std::unique_ptr<ArtefactWriter> open(const std::string& file_name) override;
    std::vector<Artefact> list;
};

// For whoever wants the results alone.
class NoArtefacts : public ArtefactStore {
  public:
    std::unique_ptr<ArtefactWriter> open(const std::string& file_name) override;
};

// In a folder, each whole or absent.
class ArtefactFolder : public ArtefactStore {
  public:
    explicit ArtefactFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
    std::unique_ptr<ArtefactWriter> open(const std::string& file_name) override;

    // The first error of any file. Errors: io, no_space.
    const Result<void>& saved() const { return saved_; }

  private:
    class Writer;
    std::filesystem::path folder_;
    Result<void> saved_;
};

}  // namespace plimsoll::profile
