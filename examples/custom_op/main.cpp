// SPDX-License-Identifier: Apache-2.0
// An op from outside the library: y = x * sigmoid(beta x) ("swish", Ramachandran et al. 2017), with
// an attribute, a gradient and a CPU kernel. It is used in a model's loss, checked against finite
// differences, and listed.
#include <weft/weft.h>

#include <cmath>
#include <cstdio>

namespace {

using namespace weft;

struct SwishAttrs {
  double beta = 1;
  WEFT_FIELDS(SwishAttrs, beta)
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Tensor swish(const Tensor& x, double beta = 1) {
  static OpEntry& op = op_named("example::swish");
  return call_op(op, SwishAttrs{beta}, {x})[0];
}

template <class T>
void swish_kernel(const KernelArgs& args) {
  const double beta = args.attrs<SwishAttrs>().beta;
  const T* x = args.in(0).as<T>();
  for (std::int64_t i = 0; i < args.out().numel; ++i) {
    const auto v = static_cast<double>(x[i]);
    args.out().as<T>()[i] = static_cast<T>(v * sigmoid(beta * v));
  }
}

template <class T>
void swish_grad_kernel(const KernelArgs& args) {
  const double beta = args.attrs<SwishAttrs>().beta;
  const T* g = args.in(0).as<T>();
  const T* x = args.in(1).as<T>();
  for (std::int64_t i = 0; i < args.out().numel; ++i) {
    const auto v = static_cast<double>(x[i]);
    const double s = sigmoid(beta * v);
    args.out().as<T>()[i] =
        static_cast<T>(static_cast<double>(g[i]) * (s + beta * v * s * (1 - s)));
  }
}

void infer_swish(Infer& infer) {
  infer.require_floating(0);
  like_input(infer);
}

Grads swish_backward(const Backward& b) {
  static OpEntry& op = op_named("example::swish_grad");
  return {call_op(op, b.attrs<SwishAttrs>(), {b.grad(), b.input(0)})[0]};
}

void add_row(const char* op, DType dtype, KernelFn run) {
  add_kernel(op, DeviceKind::cpu, {dtype}, {.variant = "plain", .run = run});
}

void register_swish() {
  OpDef def{.name = "example::swish", .inputs = {"x"}, .outputs = {"y"}};
  def.attrs = attrs_of<SwishAttrs>;
  def.infer = infer_swish;
  def.backward = swish_backward;
  def.saves = {{{.for_grad = 0, .inputs = 0b1}}};
  def.cost = pointwise_cost;
  add_op(def, {.signature = "example::swish(x, *, beta: real = 1) -> y"});

  OpDef grad{.name = "example::swish_grad", .inputs = {"g", "x"}, .outputs = {"dx"}};
  grad.attrs = attrs_of<SwishAttrs>;
  grad.infer = infer_swish;
  add_op(grad);

  add_row("example::swish", DType::f64, swish_kernel<double>);
  add_row("example::swish", DType::f32, swish_kernel<float>);
  add_row("example::swish_grad", DType::f64, swish_grad_kernel<double>);
  add_row("example::swish_grad", DType::f32, swish_grad_kernel<float>);
}

bool gradient_is_right() {
  const Tensor x = Tensor::of({-2, -0.5, 0, 1, 3}, {.dtype = DType::f64, .requires_grad = true});
  const GradcheckReport report =
      gradcheck([](std::span<const Tensor> in) { return std::vector{swish(in[0], 1.5)}; }, {&x, 1});
  std::printf("gradient against finite differences: %s\n",
              report.ok ? "equal" : report.message.c_str());
  return report.ok;
}

/// Fits y = swish(w x) by gradient descent through the op; the true w is 2.
bool learns_a_parameter() {
  const Tensor x = Tensor::of({-2, -1, -0.5, 0.5, 1, 2});
  const Tensor target = swish(x * 2.0);
  const Parameter w(Tensor::of(0.5));
  optim::SGD optimizer(std::vector{w}, {.lr = 0.1});
  const loss::MSE mse;
  for (int step = 0; step < 200; ++step) {
    mse(swish(x * w), target).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  std::printf("w after 200 steps: %.4f\n", w.tensor().item());
  return std::fabs(w.tensor().item() - 2) < 1e-3;
}

/// What the library says of a wrong signature.
bool signature_is_checked() {
  OpDef def{.name = "example::typo", .inputs = {"x"}, .outputs = {"y"}};
  def.infer = like_input;
  try {
    add_op(def, {.signature = "example::typo(x, w) -> y"});
  } catch (const Error& error) {
    std::printf("refused: %s\n", error.what());
    return true;
  }
  return false;
}

}  // namespace

int main() {
  try {
    register_swish();
    for (const OpEntry* op : all_ops()) {
      if (op->name().starts_with("example::")) std::printf("%s\n", signature_text(*op).c_str());
    }
    return gradient_is_right() && learns_a_parameter() && signature_is_checked() ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
