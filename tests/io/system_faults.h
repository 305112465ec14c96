// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

/// This program's own write, fsync and rename stand before the C library's: they fail, shorten
/// or log on demand.
namespace weft::test {

struct SystemFaults {
  int fail_at = 0;            ///< the n-th of these calls fails, 1 = next; 0 = none
  int error = 0;              ///< with this errno
  bool once = true;           ///< false: all later ones fail too
  bool short_writes = false;  ///< every write takes one byte
  int calls = 0;
  std::vector<std::string> log = {};  ///< names of the calls
};

/// Active while it lives, on this thread.
class FaultScope {
 public:
  explicit FaultScope(SystemFaults faults);
  ~FaultScope();
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
  const SystemFaults& faults() const { return faults_; }

 private:
  SystemFaults faults_;
};

}  // namespace weft::test
