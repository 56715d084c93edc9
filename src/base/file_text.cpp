#include "base/file_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/files.h"

namespace plimsoll {
namespace {

constexpr std::size_t kBlock = 1 << 18;

}  // namespace

Result<std::unique_ptr<FileText>> FileText::open(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(errno_error(fmt::format("reading {}", path.string()), errno));
    std::unique_ptr<FileText> file(new FileText(fd, path));
    constexpr std::size_t kMagicBytes = 4;
    while (file->in_.size() < kMagicBytes && file->refill()) {
    }
    PLIMSOLL_TRY(file->status_);
    if (const Compression compression = detect_compression(file->in_); compression != Compression::none)
        file->expander_.emplace(compression);
    return file;
}

FileText::~FileText() { ::close(fd_); }

// Behind what is left of the block.
bool FileText::refill() {
    block_.erase(0, block_.size() - in_.size());
    const std::size_t before = block_.size();
    block_.resize(before + kBlock);
    ssize_t got = 0;
    do got = ::read(fd_, block_.data() + before, kBlock);
    while (got < 0 && errno == EINTR);
    if (got < 0) status_ = fail(errno_error(fmt::format("reading {}", path_.string()), errno));
    block_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    in_ = block_;
    return got > 0;
}

std::size_t FileText::read(char* out, std::size_t size) {
    if (!expander_) {
        if (in_.empty()) refill();
        const std::size_t taken = in_.copy(out, size);
        in_.remove_prefix(taken);
        return taken;
    }
    while (step_ != Expander::Step::damaged) {
        const bool ended = in_.empty() && !refill();
        if (ended && step_ == Expander::Step::member_ended) return 0;
        std::size_t produced = 0;
        const std::size_t before = in_.size();
        step_ = expander_->read(in_, {out, size}, produced);
        if (produced > 0) return produced;
        const bool stuck = in_.size() == before;
        if (stuck && (ended || !refill())) step_ = Expander::Step::damaged;  // the bytes end inside a member
    }
    return 0;
}

Result<WholeFile> WholeFile::open(const std::filesystem::path& path, std::uint64_t max_bytes) {
    WholeFile file;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(errno_error(fmt::format("reading {}", path.string()), errno));
    struct stat status{};
    if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        const auto size = static_cast<std::size_t>(status.st_size);
        void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (mapped != MAP_FAILED) file.mapped_ = {static_cast<const char*>(mapped), size};
    }
    ::close(fd);
    if (!file.mapped_.data()) {
        auto text = load_file(path, max_bytes);
        if (!text) return fail(text.error());
        file.owned_ = std::make_unique<std::string>(std::move(*text));
    }
    const Compression compression = detect_compression(file.text());
    if (compression == Compression::none) return file;
    auto expanded = decompress(file.text(), compression, max_bytes);
    if (!expanded) return fail(expanded.error().with_context(path.string()));
    WholeFile whole;
    whole.owned_ = std::make_unique<std::string>(std::move(expanded->text));
    whole.cut_ = expanded->cut;
    return whole;
}

WholeFile::WholeFile(WholeFile&& other) noexcept
    : mapped_(std::exchange(other.mapped_, {})), owned_(std::move(other.owned_)), cut_(other.cut_) {}

WholeFile& WholeFile::operator=(WholeFile&& other) noexcept {
    std::swap(mapped_, other.mapped_);
    std::swap(owned_, other.owned_);
    std::swap(cut_, other.cut_);
    return *this;
}

WholeFile::~WholeFile() {
    if (mapped_.data()) ::munmap(const_cast<char*>(mapped_.data()), mapped_.size());
}

void WholeFile::looked_at(std::size_t bytes) {
    constexpr std::size_t kOften = std::size_t{64} << 20;
    looked_at_ += bytes;
    if (!mapped_.data() || looked_at_ < kOften) return;
    looked_at_ = 0;
    ::madvise(const_cast<char*>(mapped_.data()), mapped_.size(), MADV_DONTNEED);
}

}  // namespace plimsoll
