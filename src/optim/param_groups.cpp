// SPDX-License-Identifier: Apache-2.0
#include "optim/param_groups.h"

#include <algorithm>
#include <cmath>

#include "weft/base/error.h"
#include "weft/base/glob.h"
#include "weft/base/text.h"

namespace weft::optim {

void require_not_negative(std::string_view name, double value) {
  if (value >= 0 && std::isfinite(value)) return;
  throw Error(ErrorKind::value,
              cat("optimizer: ", name, " is ", value, " but must be finite and at least 0"));
}

std::vector<Parameter> each_once(std::span<const Parameter> given) {
  std::vector<Parameter> out;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (!given[i].defined()) {
      throw Error(ErrorKind::value, cat("optimizer: parameters[", i, "] is undefined"));
    }
    const bool seen = std::any_of(out.begin(), out.end(),
                                  [&](const Parameter& other) { return other.same_as(given[i]); });
    if (!seen) out.push_back(given[i]);
  }
  if (out.empty()) {
    throw Error(ErrorKind::value, "optimizer: there are no parameters", "pass model.parameters()");
  }
  return out;
}

Device common_device(const std::vector<Parameter>& parameters) {
  const Parameter& first = parameters.front();
  for (const Parameter& other : parameters) {
    if (other.device() == first.device()) continue;
    throw Error(ErrorKind::device,
                cat("optimizer: `", first.name(), "` is on ", first.device(), " but `",
                    other.name(), "` is on ", other.device()),
                "make one optimizer for each device, or move the model before");
  }
  return first.device();
}

std::vector<GroupSettings> group_settings(std::span<const ParamGroup> groups, double lr,
                                          double weight_decay) {
  if (groups.size() >= kMaxParamGroups) {
    throw Error(ErrorKind::value,
                cat("optimizer: ", groups.size(), " groups are given but there may be at most ",
                    kMaxParamGroups - 1));
  }
  std::vector<GroupSettings> out;
  for (const ParamGroup& group : groups) {
    out.push_back(
        {group.lr.value_or(lr), group.weight_decay.value_or(weight_decay), group.lr.has_value()});
  }
  out.push_back({lr, weight_decay, false});
  for (const GroupSettings& group : out) {
    require_not_negative("lr", group.lr);
    require_not_negative("weight_decay", group.weight_decay);
  }
  return out;
}

std::vector<std::int32_t> group_indices(std::span<const ParamGroup> groups,
                                        const std::vector<Parameter>& parameters) {
  std::vector<std::int32_t> out(parameters.size(), static_cast<std::int32_t>(groups.size()));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const std::string& pattern : groups[g].params) {
      bool used = false;
      for (std::size_t p = 0; p < parameters.size(); ++p) {
        if (!glob_match(pattern, parameters[p].name())) continue;
        used = true;
        out[p] = std::min(out[p], static_cast<std::int32_t>(g));
      }
      if (used) continue;
      std::vector<std::string> names;
      for (const Parameter& parameter : parameters) names.push_back(parameter.name());
      throw Error(ErrorKind::value,
                  cat("optimizer: groups[", g, "]: no parameter is called `", quoted(pattern), "`"),
                  cat("parameters are ", join(names)));
    }
  }
  return out;
}

}  // namespace weft::optim
