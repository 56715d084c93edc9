#include "profile/artefacts.h"

namespace plimsoll::profile {
namespace {

class ListWriter : public ArtefactWriter {
  public:
    ListWriter(std::vector<Artefact>& list, std::string file_name) : list_(list), artefact_{std::move(file_name), {}} {}
    void append(std::string_view text) override { artefact_.content += text; }
    std::uint64_t size() const override { return artefact_.content.size(); }
    void cut(std::uint64_t size) override { artefact_.content.resize(size); }
    void commit() override { list_.push_back(std::move(artefact_)); }

  private:
    std::vector<Artefact>& list_;
    Artefact artefact_;
};

class NoWriter : public ArtefactWriter {
  public:
    void append(std::string_view) override {}
    std::uint64_t size() const override { return 0; }
    void cut(std::uint64_t) override {}
    void commit() override {}
};

}  // namespace

std::unique_ptr<ArtefactWriter> NoArtefacts::open(const std::string&) { return std::make_unique<NoWriter>(); }

std::unique_ptr<ArtefactWriter> ArtefactList::open(const std::string& file_name) { return std::make_unique<ListWriter>(list, file_name); }

class ArtefactFolder::Writer : public ArtefactWriter {
  public:
    Writer(Result<FileWriter> file, Result<void>& saved) : saved_(saved) {
        if (file)
            file_.emplace(std::move(*file));
        else
            note(fail(file.error()));
    }
    void append(std::string_view text) override {
        if (file_) note(file_->append(text));
    }
    std::uint64_t size() const override { return file_ ? file_->size() : 0; }
    void cut(std::uint64_t size) override {
        if (file_) note(file_->cut(size));
    }
    void commit() override {
        if (file_) note(file_->commit());
    }

  private:
    void note(Result<void> done) {
        if (done) return;
        file_.reset();
        if (saved_) saved_ = std::move(done);
    }

    Result<void>& saved_;
    std::optional<FileWriter> file_;
};

std::unique_ptr<ArtefactWriter> ArtefactFolder::open(const std::string& file_name) {
    return std::make_unique<Writer>(FileWriter::create(folder_ / file_name), saved_);
}

}  // namespace plimsoll::profile
