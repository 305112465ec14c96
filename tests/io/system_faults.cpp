// SPDX-License-Identifier: Apache-2.0
#include "tests/io/system_faults.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace {

thread_local weft::test::SystemFaults* active = nullptr;

bool fails(const char* name) {
  if (active == nullptr) return false;
  active->log.emplace_back(name);
  ++active->calls;
  const bool due = active->fail_at != 0 && (active->once ? active->calls == active->fail_at
                                                         : active->calls >= active->fail_at);
  if (due) errno = active->error;
  return due;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, std::size_t size) {
  if (fails("write")) return -1;
  if (active != nullptr && active->short_writes) size = std::min<std::size_t>(size, 1);
  return syscall(SYS_write, fd, data, size);
}

int fsync(int fd) {
  if (fails("fsync")) return -1;
  return static_cast<int>(syscall(SYS_fsync, fd));
}

int rename(const char* from, const char* to) noexcept {
  if (fails("rename")) return -1;
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

}  // extern "C"

namespace weft::test {

FaultScope::FaultScope(SystemFaults faults) : faults_(std::move(faults)) { active = &faults_; }
FaultScope::~FaultScope() { active = nullptr; }

}  // namespace weft::test
