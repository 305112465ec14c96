// SPDX-License-Identifier: Apache-2.0
#include "tests/ops/support/row_data.h"

#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>

#include "weft/autograd/autograd.h"
#include "weft/base/philox.h"
#include "weft/core/context.h"

namespace weft::test {

namespace {

double uniform_at(std::uint64_t seed, std::uint64_t draw, std::uint64_t i) {
  const PhiloxWords words = philox_group(seed, stream_id("rows"), draw, i / 4);
  return static_cast<double>(unit_float(words.w[i % 4]));
}

double normal_at(std::uint64_t seed, std::uint64_t draw, std::uint64_t i) {
  const double u = 1.0 - uniform_at(seed, 2 * draw, i);
  const double v = uniform_at(seed, 2 * draw + 1, i);
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

double value_of(const Arg& arg, std::uint64_t seed, std::uint64_t draw, std::uint64_t i) {
  const double normal = normal_at(seed, draw, i);
  switch (arg.fill) {
    case Fill::normal:
      return normal * arg.scale;
    case Fill::uniform:
      return uniform_at(seed, draw, i) * arg.scale;
    case Fill::positive:
      return (0.1 + std::abs(normal)) * arg.scale;
    case Fill::spread: {
      // A permutation of multiples of 0.0625, exact in every dtype up to 256 elements.
      const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(arg.shape.numel(), 1));
      std::uint64_t step = 37;
      while (std::gcd(step, count) != 1) ++step;
      return (static_cast<double>((i * step + seed) % count) - static_cast<double>(count / 2)) *
             0.0625;
    }
    case Fill::off_zero:
      return (normal < 0 ? normal - 0.1 : normal + 0.1) * arg.scale;
    case Fill::index:
    case Fill::labels:
      return std::floor(uniform_at(seed, draw, i) * static_cast<double>(arg.bound));
    case Fill::zeros:
      return 0;
    case Fill::ones:
      return 1;
  }
  return 0;
}

template <class T>
Tensor filled(const Arg& arg, std::uint64_t seed, std::uint64_t draw) {
  std::vector<T> values(static_cast<std::size_t>(arg.shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = value_of(arg, seed, draw, i);
    if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) {
      values[i] = T(static_cast<float>(value));
    } else {
      values[i] = static_cast<T>(value);
    }
  }
  if constexpr (std::is_same_v<T, bool>) {
    return Tensor();
  } else {
    return Tensor::from(std::span<const T>(values), arg.shape);
  }
}

Tensor make_input(const Arg& arg, DType dtype, std::uint64_t seed, std::uint64_t draw) {
  const bool integral = arg.fill == Fill::index || arg.fill == Fill::labels;
  switch (arg.dtype.value_or(integral ? DType::i64 : dtype)) {
    case DType::f64:
      return filled<double>(arg, seed, draw);
    case DType::f32:
      return filled<float>(arg, seed, draw);
    case DType::bf16:
      return filled<bf16>(arg, seed, draw);
    case DType::f16:
      return filled<f16>(arg, seed, draw);
    case DType::i64:
      return filled<std::int64_t>(arg, seed, draw);
    case DType::i32:
      return filled<std::int32_t>(arg, seed, draw);
    case DType::u8:
    case DType::boolean:
      return filled<std::uint8_t>(arg, seed, draw);
  }
  return {};
}

Tensor with_grad_like(Tensor copy, const Tensor& original) {
  if (original.requires_grad()) copy.requires_grad_();
  return copy;
}

Tensor host(const Tensor& x) { return x.device().is_cpu() ? x : x.detach().to(Device()); }

Tensor upstream_of(const Tensor& output, std::uint64_t k) {
  const Arg arg{.shape = output.shape(), .scale = 0.5};
  return on_device(std::vector<Tensor>{make_input(arg, output.dtype(), 99, k)}, output.device())[0];
}

}  // namespace

std::vector<OpRow>& op_rows() {
  static std::vector<OpRow> rows;
  return rows;
}

std::vector<Tensor> make_inputs(const Sample& sample, DType dtype, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < sample.args.size(); ++i) {
    Tensor x = make_input(sample.args[i], dtype, seed, i);
    if (sample.args[i].grad && is_floating(x.dtype())) x.requires_grad_();
    inputs.push_back(std::move(x));
  }
  return inputs;
}

std::vector<Tensor> as_f64(In inputs) {
  std::vector<Tensor> result;
  for (const Tensor& x : inputs) {
    if (!is_floating(x.dtype())) {
      result.push_back(x);
      continue;
    }
    const Tensor wide = Tensor::from(x.to_vector(), x.shape());
    result.push_back(with_grad_like(wide, x));
  }
  return result;
}

std::vector<Tensor> on_device(In inputs, Device device) {
  std::vector<Tensor> result;
  for (const Tensor& x : inputs) result.push_back(with_grad_like(x.detach().to(device), x));
  return result;
}

std::vector<Tensor> misaligned(In inputs) {
  std::vector<Tensor> result;
  for (const Tensor& x : inputs) {
    const StorageRef storage = make_storage(x.nbytes() + 64, Device());
    Tensor copy = Tensor::over(storage, size_of(x.dtype()), x.shape(), x.dtype());
    if (x.nbytes() > 0) std::memcpy(copy.impl()->data, x.impl()->data, x.nbytes());
    result.push_back(with_grad_like(copy, x));
  }
  return result;
}

Tolerance tolerance_of(DType dtype, double scale) {
  switch (dtype) {
    case DType::f64:
      return {1e-9 * scale, 1e-9 * scale};
    case DType::f32:
      return {2e-5 * scale, 1e-5 * scale};
    case DType::bf16:
      return {3e-2 * scale, 2e-2 * scale};
    case DType::f16:
      return {4e-3 * scale, 3e-3 * scale};
    default:
      return {};
  }
}

std::string compare_close(const Tensor& got, const Tensor& want, Tolerance tolerance) {
  if (got.defined() != want.defined())
    return got.defined() ? "unexpected output" : "missing output";
  if (!got.defined()) return {};
  if (!(got.shape() == want.shape())) {
    return cat("is ", describe(got), " but should be ", describe(want));
  }
  const std::vector<double> a = got.to_vector();
  const std::vector<double> b = want.to_vector();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (a[i] == b[i]) continue;
    if (std::abs(a[i] - b[i]) <= tolerance.atol + tolerance.rtol * std::abs(b[i])) continue;
    return cat("element ", i, " of ", describe(got), " is ", a[i], " but should be ", b[i]);
  }
  return {};
}

std::string compare_bits(const Tensor& got, const Tensor& want) {
  if (got.defined() != want.defined())
    return got.defined() ? "unexpected tensor" : "missing tensor";
  if (!got.defined()) return {};
  if (!(got.shape() == want.shape()) || got.dtype() != want.dtype()) {
    return cat("is ", describe(got), " but should be ", describe(want));
  }
  const Tensor a = host(got);
  const Tensor b = host(want);
  if (a.nbytes() == 0 || std::memcmp(a.impl()->data, b.impl()->data, a.nbytes()) == 0) return {};
  const std::string close = compare_close(a, b, {});
  return close.empty() ? cat(describe(got), " differs in its bits") : close;
}

std::string compare_bits(In got, In want) {
  if (got.size() != want.size()) return cat(got.size(), " tensors instead of ", want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::string difference = compare_bits(got[i], want[i]);
    if (!difference.empty()) return cat("tensor ", i, ": ", difference);
  }
  return {};
}

std::vector<Tensor> upstream_for(const Run& run, In inputs) {
  std::vector<Tensor> upstream;
  const std::vector<Tensor> outputs = run(inputs);
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    upstream.push_back(outputs[k].requires_grad() ? upstream_of(outputs[k], k) : Tensor());
  }
  return upstream;
}

std::vector<Tensor> run_with_grads(const Run& run, In inputs) {
  const std::vector<Tensor> upstream = upstream_for(run, inputs);
  set_seed(kRowSeed);
  return run_with_grads(run, inputs, upstream);
}

std::vector<Tensor> run_with_grads(const Run& run, In inputs, In upstream) {
  std::vector<Tensor> results = run(inputs);
  std::vector<Tensor> roots;
  std::vector<Tensor> root_grads;
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (!results[k].requires_grad()) continue;
    roots.push_back(results[k]);
    root_grads.push_back(upstream[k]);
  }
  std::vector<Tensor> wanted;
  for (const Tensor& x : inputs) {
    if (x.requires_grad()) wanted.push_back(x);
  }
  if (roots.empty() || wanted.empty()) return results;
  for (Tensor& gradient : grad(roots, wanted, root_grads)) results.push_back(std::move(gradient));
  return results;
}

}  // namespace weft::test
