// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/matmul.h"

#include <array>

#include "op/call.h"
#include "ops/register.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/reduce.h"
#include "weft/ops/shape.h"

namespace weft {
namespace {

Shape leading(const Shape& shape) {
  return Shape(std::span(shape.begin(), static_cast<std::size_t>(shape.rank() - 2)));
}

/// Extent of the last (`from_end = 1`) or second to last dimension.
std::int64_t extent(const Shape& shape, int from_end) { return shape[shape.rank() - from_end]; }

[[noreturn]] void fail_inner(const Infer& infer, bool transpose_a, bool transpose_b) {
  const Shape &a = infer.shape(0), &b = infer.shape(1);
  const auto inner_a = [&](bool t) { return extent(a, t ? 2 : 1); };
  const auto inner_b = [&](bool t) { return extent(b, t ? 1 : 2); };
  std::string hint;
  if (inner_a(!transpose_a) == inner_b(transpose_b)) {
    hint = cat("pass {.transpose_a = ", !transpose_a, "}");
  } else if (inner_a(transpose_a) == inner_b(!transpose_b)) {
    hint = cat("pass {.transpose_b = ", !transpose_b, "}");
  }
  infer.fail(ErrorKind::shape,
             cat(infer.text(0), transpose_a ? " transposed" : "", " and ", infer.text(1),
                 transpose_b ? " transposed" : "", ": inner dimensions ", inner_a(transpose_a),
                 " and ", inner_b(transpose_b), " differ"),
             hint);
}

void infer_matmul(Infer& infer) {
  const auto& attrs = infer.attrs<MatmulAttrs>();
  for (int i : {0, 1}) {
    infer.require_floating(i);
    if (infer.shape(i).rank() < 2) {
      infer.fail(ErrorKind::shape, cat(infer.text(i), " but must have at least 2 dimensions"),
                 "reshape it to one row or one column");
    }
  }
  const Shape &a = infer.shape(0), &b = infer.shape(1);
  if (extent(a, attrs.transpose_a ? 2 : 1) != extent(b, attrs.transpose_b ? 1 : 2)) {
    fail_inner(infer, attrs.transpose_a, attrs.transpose_b);
  }
  Shape out = leading(a);
  if (b.rank() > 2) {
    const Shape lead_a = out, lead_b = leading(b);
    try {
      out = broadcast(lead_a, lead_b, infer.op());
    } catch (const Error&) {
      infer.fail(ErrorKind::shape,
                 cat(infer.text(0), " and ", infer.text(1), ": leading dimensions ", lead_a,
                     " and ", lead_b, " do not broadcast"));
    }
  }
  out = out.inserted(out.rank(), extent(a, attrs.transpose_a ? 1 : 2));
  out = out.inserted(out.rank(), extent(b, attrs.transpose_b ? 2 : 1));
  infer.out(0, out, infer.promote_inputs({0, 1}));
}

Grads matmul_backward(const Backward& b);

Cost matmul_cost(const CallInfo& call) {
  const Shape& a = *call.in(0).shape;
  const std::int64_t k = extent(a, call.attrs<MatmulAttrs>().transpose_a ? 2 : 1);
  return {.flops = 2.0 * static_cast<double>(call.out().numel) * static_cast<double>(k),
          .bytes = call.traffic()};
}

constexpr OpDef kMatmul{
    .name = "matmul",
    .inputs = {"a", "b"},
    .outputs = {"y"},
    .attrs = attrs_of<MatmulAttrs>,
    .infer = infer_matmul,
    .backward = matmul_backward,
    .saves = {{{.for_grad = 0, .inputs = 0b10}, {.for_grad = 1, .inputs = 0b01}}},
    .cost = matmul_cost,
    .autocast = Cast::lower,
    .accumulates = 0b1,
    .key = 0,
};

/// matmul(a, b) as the gradient of input `input`: into its sink where the shape is the input's,
/// summed over broadcast dimensions otherwise.
Tensor gradient(const Backward& back, int input, const Tensor& a, const Tensor& b,
                MatmulAttrs attrs) {
  const Shape& wanted = back.input_shape(input);
  const Shape &sa = a.shape(), &sb = b.shape();
  const Shape lead = broadcast(leading(sa), leading(sb), "matmul");
  if (lead == leading(wanted)) {
    const Dest into[] = {back.sink(input)};
    return call_into<kMatmul>(attrs, {.into = into}, a, b)[0];
  }
  return sum_to(call<kMatmul>(attrs, a, b), wanted);
}

/// x as one matrix of all its rows.
Tensor rows_of(const Tensor& x) {
  const std::int64_t columns = extent(x.shape(), 1);
  return x.reshape({x.shape().numel(0, x.rank() - 1), columns});
}

Grads matmul_backward(const Backward& back) {
  const auto [ta, tb] = back.attrs<MatmulAttrs>();
  const Tensor& g = back.grad();
  Tensor da, db;
  if (back.needs(0)) {
    const Tensor b = back.input(1);
    da = ta ? gradient(back, 0, b, g, {tb, true}) : gradient(back, 0, g, b, {false, !tb});
  }
  if (back.needs(1)) {
    Tensor a = back.input(0), rows = g;
    if (!ta && a.rank() > 2 && back.input_shape(1).rank() == 2) {
      a = rows_of(a);
      rows = rows_of(g);
    }
    db = tb ? gradient(back, 1, rows, a, {true, ta}) : gradient(back, 1, a, rows, {!ta, false});
  }
  return {da, db};
}

void infer_linear(Infer& infer) {
  infer.require_floating(0);
  infer.require_floating(1);
  infer.require_rank(1, 2, "[out, in]");
  const Shape &x = infer.shape(0), &weight = infer.shape(1);
  if (x.rank() == 0) {
    infer.fail(ErrorKind::shape,
               cat(infer.text(0), " but must have at least 1 dimension [.., in]"));
  }
  if (x.back() != weight[1]) {
    infer.fail(ErrorKind::shape,
               cat(infer.text(0), " but ", infer.text(1), " ([out, in]) takes ", weight[1],
                   " features; the last dimension of x is ", x.back()));
  }
  DType dtype = DType::f32;
  if (infer.has(2)) {
    infer.require_floating(2);
    infer.require_shape(2, {weight[0]},
                        cat("one element for each of the ", weight[0], " rows of weight"));
    dtype = infer.promote_inputs({0, 1, 2});
  } else {
    dtype = infer.promote_inputs({0, 1});
  }
  const Shape out = x.with(x.rank() - 1, weight[0]);
  infer.out(0, out, dtype);
}

void infer_linear_gelu(Infer& infer) {
  infer_linear(infer);
  DType dtype = promote(infer.dtype(0), infer.dtype(1));
  if (infer.has(2)) dtype = promote(dtype, infer.dtype(2));
  infer.out(1, infer.shape(0).with(infer.shape(0).rank() - 1, infer.shape(1)[0]), dtype);
}

Cost linear_cost(const CallInfo& call) {
  const std::int64_t in = call.in(1).shape->back();
  return {.flops = 2.0 * static_cast<double>(call.out().numel) * static_cast<double>(in),
          .bytes = call.traffic()};
}

/// Inputs g [.., out], x [.., in], weight, and what the activation kept. x is there when dweight is
/// wanted, weight when dx is.
void infer_linear_grad(Infer& infer) {
  const Shape& g = infer.shape(0);
  if (infer.has(2)) infer.out(0, g.with(g.rank() - 1, infer.shape(2)[1]), infer.dtype(0));
  if (infer.has(1)) infer.out(1, {g.back(), infer.shape(1).back()}, infer.dtype(0));
  infer.out(2, {g.back()}, infer.dtype(0));
}

Cost linear_grad_cost(const CallInfo& call) {
  const auto flops = [](const TensorArg& operand, const TensorArg& g) {
    return operand.present()
               ? 2.0 * static_cast<double>(g.numel) * static_cast<double>(operand.shape->back())
               : 0.0;
  };
  return {.flops = flops(call.in(1), call.in(0)) + flops(call.in(2), call.in(0)),
          .bytes = call.traffic()};
}

Grads linear_grad_backward(const Backward& b);

constexpr OpDef kLinearGrad{
    .name = "linear_grad",
    .inputs = {"g", "x?", "weight?", "kept?"},
    .outputs = {"dx?", "dweight?", "dbias?"},
    .attrs = attrs_of<LinearGradAttrs>,
    .infer = infer_linear_grad,
    .backward = linear_grad_backward,
    .saves = {{{.for_grad = 0, .inputs = 0b110},
               {.for_grad = 1, .inputs = 0b001},
               {.for_grad = 2, .inputs = 0b001}}},
    .cost = linear_grad_cost,
    .accumulates = 0b110,
    .key = 0,
};

Grads linear_backward(const Backward& b, Activation activation, const Tensor& kept) {
  std::uint32_t want = 0;
  for (int i = 0; i < 3; ++i) want |= b.needs(i) ? 1u << i : 0u;
  const Tensor x = b.needs(1) ? b.input(0) : Tensor();
  const Tensor weight = b.needs(0) ? b.input(1) : Tensor();
  const std::array<Dest, 3> into = {Dest{}, b.sink(1), b.sink(2)};
  const Outputs grads = call_into<kLinearGrad>(
      LinearGradAttrs{activation}, {.want = want, .into = into}, b.grad(), x, weight, kept);
  return {grads[0], grads[1], grads[2]};
}

constexpr Save kSaveWeight{.for_grad = 0, .inputs = 0b010};
constexpr Save kSaveX{.for_grad = 1, .inputs = 0b001};

constexpr OpDef kLinear{
    .name = "linear",
    .inputs = {"x", "weight", "bias?"},
    .outputs = {"y"},
    .infer = infer_linear,
    .backward = [](const Backward& b) { return linear_backward(b, Activation::none, {}); },
    .saves = {{kSaveWeight, kSaveX}},
    .cost = linear_cost,
    .autocast = Cast::lower,
};

constexpr OpDef kLinearRelu{
    .name = "linear_relu",
    .inputs = {"x", "weight", "bias?"},
    .outputs = {"y"},
    .infer = infer_linear,
    .backward = [](const Backward& b) { return linear_backward(b, Activation::relu, b.output(0)); },
    .saves = {{kSaveWeight, kSaveX, {.for_grad = -1, .outputs = 0b1}}},
    .cost = linear_cost,
    .autocast = Cast::lower,
};

constexpr OpDef kLinearGelu{
    .name = "linear_gelu",
    .inputs = {"x", "weight", "bias?"},
    .outputs = {"y", "before?"},
    .attrs = attrs_of<LinearGeluAttrs>,
    .infer = infer_linear_gelu,
    .backward =
        [](const Backward& b) {
          const bool tanh = b.attrs<LinearGeluAttrs>().tanh;
          return linear_backward(b, tanh ? Activation::gelu_tanh : Activation::gelu, b.output(1));
        },
    .saves = {{kSaveWeight, kSaveX, {.for_grad = -1, .outputs = 0b10}}},
    .cost = linear_cost,
    .autocast = Cast::lower,
};

/// Of dx = g · weight, dweight = gᵀ · x and dbias = the sum of g, each linear in both factors.
Grads linear_grad_backward(const Backward& b) {
  const auto activation = b.attrs<LinearGradAttrs>().activation;
  if (activation != Activation::none) {
    throw Error(ErrorKind::unsupported,
                cat("linear_grad: no second derivative with activation ",
                    kActivationNames[static_cast<std::size_t>(activation)]),
                "apply the activation after a linear without one");
  }
  const Tensor &ddx = b.grad(0), &ddweight = b.grad(1), &ddbias = b.grad(2);
  Tensor dg, dx, dweight;
  if (b.needs(0)) {
    if (ddx) dg = linear(ddx, b.input(2));
    if (ddweight) {
      const Tensor part = linear(b.input(1), ddweight, ddbias);
      dg = dg ? add(dg, part) : part;
    } else if (ddbias) {
      dg = dg ? add(dg, ddbias) : broadcast_to(ddbias, b.input_shape(0));
    }
  }
  if (b.needs(1) && ddweight) {
    dx = matmul(rows_of(b.input(0)), ddweight).reshape(b.input_shape(1));
  }
  if (b.needs(2) && ddx) {
    dweight = matmul(rows_of(b.input(0)), rows_of(ddx), {.transpose_a = true});
  }
  return {dg, dx, dweight, Tensor()};
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  return call<kMatmul>(MatmulAttrs{options.transpose_a, options.transpose_b}, a, b);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const LinearOptions& options) {
  switch (options.activation) {
    case Activation::none:
      return call<kLinear>(NoAttrs{}, x, weight, bias);
    case Activation::relu:
      return call<kLinearRelu>(NoAttrs{}, x, weight, bias);
    case Activation::gelu:
      return call_into<kLinearGelu>(LinearGeluAttrs{false}, {}, x, weight, bias)[0];
    case Activation::gelu_tanh:
      return call_into<kLinearGelu>(LinearGeluAttrs{true}, {}, x, weight, bias)[0];
  }
  throw Error(ErrorKind::value, cat("linear: activation is ", static_cast<int>(options.activation)),
              "take one of Activation::none, relu, gelu, gelu_tanh");
}

void register_ops_matmul() {
  register_op<kMatmul>();
  register_op<kLinear>();
  register_op<kLinearRelu>();
  register_op<kLinearGelu>();
  register_op<kLinearGrad>();
}

}  // namespace weft
