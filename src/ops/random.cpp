// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/random.h"

#include <cmath>

#include "op/call.h"
#include "ops/register.h"
#include "weft/op/attrs/random.h"

namespace weft {

namespace {

Cost write_cost(const CallInfo& call) { return {.bytes = call.traffic()}; }

void infer_dropout(Infer& infer) {
  const double p = infer.attrs<DropoutAttrs>().p;
  if (!(p >= 0 && p <= 1)) infer.fail(ErrorKind::value, cat("p is ", p, "; needs 0 to 1"));
  infer.require_floating(0);
  like_input(infer);
}

extern const OpDef kDropout;

constexpr OpDef kDropout{
    .name = "dropout",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<DropoutAttrs>,
    .infer = infer_dropout,
    // y is linear in x with a diagonal matrix: the gradient is the same op at the same random
    // address.
    .backward =
        [](const Backward& b) {
          const CallOptions same_draw{.random = &b.random()};
          return Grads{call_into<kDropout>(b.attrs<DropoutAttrs>(), same_draw, b.grad())[0]};
        },
    .cost = pointwise_cost,
    .random = true,
};

template <class A>
void require_spread(const Infer& infer, const A& attrs) {
  if (!(attrs.std > 0 && std::isfinite(attrs.std) && std::isfinite(attrs.mean))) {
    infer.fail(ErrorKind::value, cat("mean is ", attrs.mean, " and std is ", attrs.std,
                                     "; both must be finite and std > 0"));
  }
}

template <class A>
void require_interval(const Infer& infer, const A& attrs) {
  if (!(attrs.low < attrs.high && std::isfinite(attrs.high - attrs.low))) {
    infer.fail(ErrorKind::value, cat("low is ", attrs.low, " and high is ", attrs.high,
                                     "; both must be finite and low < high"));
  }
}

constexpr OpDef filling(const char* name, const AttrsInfo* attrs, void (*infer)(Infer&)) {
  return {
      .name = name,
      .inputs = {"target"},
      .outputs = {},
      .attrs = attrs,
      .infer = infer,
      .cost = write_cost,
      .mutates = 0b1,
      .random = true,
      .key = 0,
  };
}

constexpr OpDef kUniform = filling("uniform", attrs_of<UniformAttrs>, [](Infer& infer) {
  infer.require_floating(0);
  require_interval(infer, infer.attrs<UniformAttrs>());
});

constexpr OpDef kNormal = filling("normal", attrs_of<NormalAttrs>, [](Infer& infer) {
  infer.require_floating(0);
  require_spread(infer, infer.attrs<NormalAttrs>());
});

void infer_truncated_normal(Infer& infer) {
  const auto& attrs = infer.attrs<TruncatedNormalAttrs>();
  infer.require_floating(0);
  require_spread(infer, attrs);
  require_interval(infer, attrs);
  const auto below = [&](double x) {
    return 0.5 * std::erfc((attrs.mean - x) / attrs.std * std::sqrt(0.5));
  };
  const double share = below(attrs.high) - below(attrs.low);
  if (share < 1e-3) {
    infer.fail(ErrorKind::value, cat("[", attrs.low, ", ", attrs.high, "] holds ", share,
                                     " of the distribution; needs at least 0.001"));
  }
}

constexpr OpDef kTruncatedNormal =
    filling("truncated_normal", attrs_of<TruncatedNormalAttrs>, infer_truncated_normal);

}  // namespace

Tensor dropout(const Tensor& x, DropoutOptions options) {
  if (!options.training || options.p == 0) return x;
  return call<kDropout>(DropoutAttrs{options.p}, x);
}

Tensor& uniform_(Tensor& x, double low, double high) {
  call_into<kUniform>(UniformAttrs{low, high}, {}, x);
  return x;
}

Tensor& normal_(Tensor& x, double mean, double std) {
  call_into<kNormal>(NormalAttrs{mean, std}, {}, x);
  return x;
}

Tensor& truncated_normal_(Tensor& x, double mean, double std, double low, double high) {
  call_into<kTruncatedNormal>(TruncatedNormalAttrs{mean, std, low, high}, {}, x);
  return x;
}

void register_ops_random() {
  register_op<kDropout>();
  register_op<kUniform>();
  register_op<kNormal>();
  register_op<kTruncatedNormal>();
}

}  // namespace weft
