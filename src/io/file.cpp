// SPDX-License-Identifier: Apache-2.0
#include "weft/io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::io {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(std::string_view action, const fs::path& path, int code) {
  std::string hint;
  if (code == ENOSPC || code == EDQUOT) hint = "free some space or choose another directory";
  throw Error(
      ErrorKind::io,
      cat("cannot ", action, " ", path.string(), ": ", std::generic_category().message(code)),
      std::move(hint));
}

/// Closes on scope exit; `close` reports what delayed writes may have lost.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int open_retrying(const fs::path& path, int flags, mode_t mode = 0) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

int fsync_retrying(int fd) {
  int result = 0;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

std::size_t size_of_regular_file(int fd, const fs::path& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) fail("read", path, errno);
  if (S_ISDIR(status.st_mode)) fail("read", path, EISDIR);
  return static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
}

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void sync_directory(const fs::path& directory) {
  const Descriptor fd(open_retrying(directory, O_RDONLY | O_DIRECTORY));
  if (fd.get() < 0) fail("open directory", directory, errno);
  // Some network file systems cannot sync a directory and say EINVAL; there is nothing to add
  // there.
  if (fsync_retrying(fd.get()) != 0 && errno != EINVAL) fail("sync directory", directory, errno);
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor fd(open_retrying(path, O_RDONLY));
  if (fd.get() < 0) fail("open", path, errno);
  std::string contents(size_of_regular_file(fd.get(), path), '\0');
  std::size_t done = 0;
  // The size is only a first guess: pipes and files of /proc say 0 and have contents.
  for (;;) {
    if (done == contents.size()) contents.resize(done + std::max<std::size_t>(done / 2, 4096));
    const ssize_t n = ::read(fd.get(), contents.data() + done, contents.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", path, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  contents.resize(done);
  return contents;
}

MappedFile::MappedFile(const fs::path& path) {
  const Descriptor fd(open_retrying(path, O_RDONLY));
  if (fd.get() < 0) fail("open", path, errno);
  size_ = size_of_regular_file(fd.get(), path);
  if (size_ == 0) return;
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) fail("map", path, errno);
  data_ = static_cast<const std::byte*>(data);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

namespace {

// A rename would put a file in the place of a link, device or pipe.
fs::path regular_target(fs::path path) {
  std::error_code code;
  if (fs::is_symlink(fs::symlink_status(path, code))) path = fs::weakly_canonical(path, code);
  const fs::file_status status = fs::status(path, code);
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status)) {
    throw Error(ErrorKind::io,
                cat("cannot replace ", weft::quoted(path.string()), ": it is not a regular file"),
                "name a file; or write to standard output and redirect it");
  }
  return path;
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(regular_target(std::move(path))) {
  static std::atomic<unsigned> counter{0};
  do {
    temporary_ = directory_of(path_) / cat(".", path_.filename().string(), ".tmp-", ::getpid(), "-",
                                           counter.fetch_add(1, std::memory_order_relaxed));
    descriptor_ = open_retrying(temporary_, O_WRONLY | O_CREAT | O_EXCL, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail("create", path_, errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write", path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void AtomicFile::commit() {
  if (fsync_retrying(descriptor_) != 0) fail("sync", path_, errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("close", path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("replace", path_, errno);
  temporary_.clear();
  sync_directory(directory_of(path_));
}

void write_file_atomically(const fs::path& path, std::string_view contents) {
  AtomicFile file(path);
  file.write(contents);
  file.commit();
}

}  // namespace weft::io
