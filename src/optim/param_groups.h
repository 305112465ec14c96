// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "weft/optim/optimizer.h"

namespace weft::optim {

struct GroupSettings {
  double lr = 0;
  double weight_decay = 0;
  bool own_lr = false;
};

/// `given` without repetitions. Throws Error(value) when nothing is left or one is undefined.
std::vector<Parameter> each_once(std::span<const Parameter> given);
/// Throws Error(device) when there are several.
Device common_device(const std::vector<Parameter>& parameters);
/// The groups' values, then those of parameters in no group. Throws Error(value) out of range.
std::vector<GroupSettings> group_settings(std::span<const ParamGroup> groups, double lr,
                                          double weight_decay);
/// The first group that fits each parameter, or the number of groups. Throws Error(value) for a
/// glob that fits no parameter at all.
std::vector<std::int32_t> group_indices(std::span<const ParamGroup> groups,
                                        const std::vector<Parameter>& parameters);
void require_not_negative(std::string_view name, double value);

}  // namespace weft::optim
