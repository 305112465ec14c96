// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "run/yaml_document.h"
#include "weft/base/error.h"

namespace weft {

/// Collects what is wrong with a config, to report all at once.
class Problems {
 public:
  void add(const Origin& origin, std::string message, std::string hint = {});
  void add(const Error& error);
  bool empty() const { return found_.empty(); }
  /// Throws Error(config) with a line per problem, in the order of the file; nothing when there is
  /// none.
  void raise();

 private:
  struct Problem {
    Origin origin;
    Error error;
  };
  std::vector<Problem> found_;
};

}  // namespace weft
