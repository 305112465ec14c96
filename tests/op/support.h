// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "op/dispatch.h"
#include "weft/core/tensor.h"
#include "weft/op/registry.h"

/// Small ops of the tests' own: the op layer is tested without the built-in ones.
namespace weft::test {

/// y = factor x. Two variants: `fast` for 64-byte aligned inputs, `plain` always; `plain` is not
/// deterministic when `TwiceAttrs::noisy`.
struct TwiceAttrs {
  double factor = 2;
  bool keep = false;
  WEFT_FIELDS(TwiceAttrs, factor, keep)
};

/// twice(x) -> (y, kept?): `kept` is saved for the gradient.
OpEntry& twice_op();
/// join(first, rest*, last?) -> y: the sum of all, element by element.
OpEntry& join_op();
/// overwrite(target, x): target = x.
OpEntry& overwrite_op();
/// spread(x) -> y: a composite, twice(twice(x)).
OpEntry& spread_op();

Tensor twice(const Tensor& x, TwiceAttrs attrs = {});
Tensor floats(const std::vector<float>& values);
std::vector<float> values_of(const Tensor& x);

}  // namespace weft::test
