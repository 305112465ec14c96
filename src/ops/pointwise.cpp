// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/pointwise.h"

#include <cmath>

#include "op/call.h"
#include "ops/register.h"
#include "weft/op/attrs/pointwise.h"
#include "weft/ops/reduce.h"

namespace weft {

namespace {

bool is_left(const Backward& b) { return b.attrs<BinaryAttrs>().side == ScalarSide::left; }
bool is_right(const Backward& b) { return b.attrs<BinaryAttrs>().side == ScalarSide::right; }
double scalar_of(const Backward& b) { return b.attrs<BinaryAttrs>().scalar; }

void require_integral_scalar(const Infer& infer, int i, double scalar) {
  const double limit = infer.dtype(i) == DType::u8    ? 0x1p8
                       : infer.dtype(i) == DType::i32 ? 0x1p31
                                                      : 0x1p63;
  const double low = infer.dtype(i) == DType::u8 ? 0 : -limit;
  if (scalar == std::trunc(scalar) && scalar >= low && scalar < limit) return;
  infer.fail(ErrorKind::dtype,
             cat("the number ", scalar, " does not fit the dtype: ", infer.text(i)),
             "convert the tensor with .to(DType::f32)");
}

void infer_scalar(Infer& infer, ScalarSide side) {
  const int i = side == ScalarSide::left ? 1 : 0;
  if (!infer.has(i) || infer.has(1 - i)) {
    infer.fail(ErrorKind::value, cat("side is ", choices_of(side)[static_cast<std::size_t>(side)],
                                     "; needs exactly the other operand as a tensor"));
  }
  if (!is_floating(infer.dtype(i))) {
    require_integral_scalar(infer, i, infer.attrs<BinaryAttrs>().scalar);
  }
  infer.out(0, infer.shape(i), infer.dtype(i));
}

[[gnu::noinline]] void infer_promoted(Infer& infer) {
  const ScalarSide side = infer.attrs<BinaryAttrs>().side;
  if (side != ScalarSide::none) return infer_scalar(infer, side);
  if (!infer.has(0) || !infer.has(1)) {
    infer.fail(ErrorKind::value,
               cat(infer.has(0) ? "b" : "a", " is an undefined tensor but is required"));
  }
  const DType dtype = infer.promote_inputs({0, 1});
  if (dtype == DType::boolean) {
    infer.fail(ErrorKind::dtype, cat(infer.text(0), " but must be a number"),
               "convert it with .to(DType::u8)");
  }
  infer.out(0, broadcast(infer.shape(0), infer.shape(1), infer.op()), dtype);
}

// Most calls neither promote nor broadcast: they need no stack frame (19 instructions of 64).
void infer_arithmetic(Infer& infer) {
  const TensorImpl* a = infer.in(0).impl();
  const TensorImpl* b = infer.in(1).impl();
  const bool plain = infer.attrs<BinaryAttrs>().side == ScalarSide::none && a != nullptr &&
                     b != nullptr && a->dtype == b->dtype && a->dtype != DType::boolean &&
                     a->shape == b->shape;
  if (!plain) [[unlikely]]
    return infer_promoted(infer);
  infer.out(0, a->shape, a->dtype);
}

void infer_div(Infer& infer) {
  for (const int i : {0, 1}) {
    if (infer.has(i)) infer.require_floating(i);
  }
  infer_arithmetic(infer);
}

/// `grad()` of input i after broadcasting is undone; `grad` makes it from the output's gradient.
template <class F>
Tensor operand_grad(const Backward& b, int i, const F& grad) {
  return b.needs(i) ? sum_to(grad(), b.input_shape(i)) : Tensor();
}

Grads add_backward(const Backward& b) {
  const auto g = [&] { return b.grad(); };
  return {operand_grad(b, 0, g), operand_grad(b, 1, g)};
}

Grads sub_backward(const Backward& b) {
  return {operand_grad(b, 0, [&] { return b.grad(); }),
          operand_grad(b, 1, [&] { return -b.grad(); })};
}

Grads mul_backward(const Backward& b) {
  const auto times = [&](int other, bool scalar) {
    return scalar ? mul(b.grad(), scalar_of(b)) : mul(b.grad(), b.input(other));
  };
  return {operand_grad(b, 0, [&] { return times(1, is_right(b)); }),
          operand_grad(b, 1, [&] { return times(0, is_left(b)); })};
}

Grads div_backward(const Backward& b) {
  const auto da = [&] {
    return is_right(b) ? div(b.grad(), scalar_of(b)) : div(b.grad(), b.input(1));
  };
  // d(a/b)/db = -(a/b) / b
  const auto db = [&] { return -div(mul(b.grad(), b.output(0)), b.input(1)); };
  return {operand_grad(b, 0, da), operand_grad(b, 1, db)};
}

constexpr OpDef arithmetic(const char* name, void (*infer)(Infer&),
                           Grads (*backward)(const Backward&)) {
  return {
      .name = name,
      .inputs = {"a?", "b?"},
      .outputs = {"y"},
      .attrs = attrs_of<BinaryAttrs>,
      .infer = infer,
      .backward = backward,
      .cost = pointwise_cost,
      .autocast = Cast::promote,
  };
}

constexpr OpDef saving(OpDef def, std::array<Save, 6> saves) {
  def.saves = saves;
  return def;
}

constexpr OpDef kAdd = arithmetic("add", infer_arithmetic, add_backward);
constexpr OpDef kSub = arithmetic("sub", infer_arithmetic, sub_backward);
constexpr OpDef kMul = saving(arithmetic("mul", infer_arithmetic, mul_backward),
                              {{{.for_grad = 0, .inputs = 0b10}, {.for_grad = 1, .inputs = 0b01}}});
constexpr OpDef kDiv =
    saving(arithmetic("div", infer_div, div_backward),
           {{{.for_grad = 0, .inputs = 0b10}, {.for_grad = 1, .inputs = 0b10, .outputs = 0b1}}});

void infer_floating(Infer& infer) {
  infer.require_floating(0);
  like_input(infer);
}

void infer_slope(Infer& infer) {
  infer.require_floating(0);
  infer.require_shape(1, infer.shape(0), cat("the shape of g"));
  infer.out(0, infer.shape(0), infer.promote_inputs({0, 1}));
}

extern const OpDef kReluGrad;

constexpr OpDef kReluGrad{
    .name = "relu_grad",
    .inputs = {"g", "y"},
    .outputs = {"dx"},
    .infer = infer_slope,
    .backward =
        [](const Backward& b) {
          return Grads{b.needs(0) ? call<kReluGrad>(NoAttrs{}, b.grad(), b.input(1)) : Tensor(),
                       Tensor()};
        },
    .saves = {{{.for_grad = 0, .inputs = 0b10}}},
    .cost = pointwise_cost,
};

constexpr OpDef kRelu{
    .name = "relu",
    .inputs = {"x"},
    .outputs = {"y"},
    .infer = infer_floating,
    .backward =
        [](const Backward& b) { return Grads{call<kReluGrad>(NoAttrs{}, b.grad(), b.output(0))}; },
    .saves = {{{.for_grad = 0, .outputs = 0b1}}},
    .cost = pointwise_cost,
};

constexpr OpDef kGeluGrad{
    .name = "gelu_grad",
    .inputs = {"g", "x"},
    .outputs = {"dx"},
    .attrs = attrs_of<GeluAttrs>,
    .infer = infer_slope,
    .cost = pointwise_cost,
};

constexpr OpDef kGelu{
    .name = "gelu",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<GeluAttrs>,
    .infer = infer_floating,
    .backward =
        [](const Backward& b) {
          return Grads{call<kGeluGrad>(b.attrs<GeluAttrs>(), b.grad(), b.input(0))};
        },
    .saves = {{{.for_grad = 0, .inputs = 0b1}}},
    .cost = pointwise_cost,
};

template <const OpDef& D>
Tensor with_right(const Tensor& a, double b) {
  return call<D>(BinaryAttrs{b, ScalarSide::right}, a, Tensor());
}
template <const OpDef& D>
Tensor with_left(double a, const Tensor& b) {
  return call<D>(BinaryAttrs{a, ScalarSide::left}, Tensor(), b);
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return call<kAdd>(BinaryAttrs{}, a, b); }
Tensor add(const Tensor& a, double b) { return with_right<kAdd>(a, b); }
Tensor add(double a, const Tensor& b) { return with_left<kAdd>(a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return call<kSub>(BinaryAttrs{}, a, b); }
Tensor sub(const Tensor& a, double b) { return with_right<kSub>(a, b); }
Tensor sub(double a, const Tensor& b) { return with_left<kSub>(a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return call<kMul>(BinaryAttrs{}, a, b); }
Tensor mul(const Tensor& a, double b) { return with_right<kMul>(a, b); }
Tensor mul(double a, const Tensor& b) { return with_left<kMul>(a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return call<kDiv>(BinaryAttrs{}, a, b); }
Tensor div(const Tensor& a, double b) { return with_right<kDiv>(a, b); }
Tensor div(double a, const Tensor& b) { return with_left<kDiv>(a, b); }

Tensor relu(const Tensor& x) { return call<kRelu>(NoAttrs{}, x); }
Tensor gelu(const Tensor& x, GeluOptions options) {
  return call<kGelu>(GeluAttrs{options.tanh}, x);
}

void register_ops_pointwise() {
  register_op<kAdd>();
  register_op<kSub>();
  register_op<kMul>();
  register_op<kDiv>();
  register_op<kReluGrad>();
  register_op<kRelu>();
  register_op<kGeluGrad>();
  register_op<kGelu>();
}

}  // namespace weft
