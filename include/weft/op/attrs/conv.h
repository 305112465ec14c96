// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

struct Conv2dAttrs {
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t padding_h = 0, padding_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;
  WEFT_FIELDS(Conv2dAttrs, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups)
};

/// The forward attributes and the extents that its gradients cannot tell from g.
struct Conv2dGradAttrs {
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t padding_h = 0, padding_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;
  std::int64_t input_h = 0, input_w = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;
  WEFT_FIELDS(Conv2dGradAttrs, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w,
              groups, input_h, input_w, kernel_h, kernel_w)
};

struct MaxPool2dAttrs {
  std::int64_t kernel_h = 2, kernel_w = 2;
  std::int64_t stride_h = 2, stride_w = 2;
  std::int64_t padding_h = 0, padding_w = 0;
  WEFT_FIELDS(MaxPool2dAttrs, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w)
};

struct MaxPool2dGradAttrs {
  std::int64_t input_h = 0, input_w = 0;
  WEFT_FIELDS(MaxPool2dGradAttrs, input_h, input_w)
};

}  // namespace weft
