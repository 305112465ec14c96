// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "weft/autograd/autograd.h"
#include "weft/base/philox.h"

namespace weft {

namespace {

using Fn = std::function<std::vector<Tensor>(std::span<const Tensor>)>;

Tensor random_weights(const Tensor& output, std::uint64_t seed, std::uint64_t draw) {
  Tensor weights = empty(output.shape(), {.dtype = output.dtype()});
  const auto values = weights.mutable_data<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const PhiloxWords words = philox_group(seed, stream_id("gradcheck"), draw, i / 4);
    values[i] = 2.0 * static_cast<double>(unit_float(words.w[i % 4])) - 1.0;
  }
  return weights;
}

double weighted_sum(std::span<const Tensor> outputs, std::span<const Tensor> weights) {
  double sum = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    if (!weights[k].defined()) continue;
    const auto values = outputs[k].data<double>();
    const auto w = weights[k].data<double>();
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * w[i];
  }
  return sum;
}

struct Problem {
  const Fn& fn;
  std::span<const Tensor> inputs;
  std::vector<Tensor> wanted;
  std::vector<std::size_t> wanted_index;
  std::vector<Tensor> weights;

  Problem(const Fn& f, std::span<const Tensor> in, std::uint64_t seed) : fn(f), inputs(in) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].requires_grad()) continue;
      if (inputs[i].dtype() != DType::f64 || !inputs[i].device().is_cpu()) {
        throw Error(ErrorKind::dtype, cat("gradcheck: input ", i, " is ", describe(inputs[i]),
                                          " but must be f64 on the CPU"));
      }
      wanted.push_back(inputs[i]);
      wanted_index.push_back(i);
    }
    const NoGrad no_grad;
    const std::vector<Tensor> outputs = fn(inputs);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const bool counts = outputs[k].defined() && outputs[k].dtype() == DType::f64;
      weights.push_back(counts ? random_weights(outputs[k], seed, k) : Tensor());
    }
  }

  std::vector<Tensor> analytic() const {
    const std::vector<Tensor> outputs = fn(inputs);
    std::vector<Tensor> roots;
    std::vector<Tensor> root_weights;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      if (!weights[k].defined() || !outputs[k].requires_grad()) continue;
      roots.push_back(outputs[k]);
      root_weights.push_back(weights[k]);
    }
    if (roots.empty()) return std::vector<Tensor>(wanted.size());
    return grad(roots, wanted, root_weights);
  }

  double value_with(std::size_t input, std::size_t element, double value) const {
    Tensor x = wanted[input].detach();
    const double saved = std::exchange(x.mutable_data<double>()[element], value);
    const NoGrad no_grad;
    const double result = weighted_sum(fn(inputs), weights);
    x.mutable_data<double>()[element] = saved;
    return result;
  }
};

bool repeats(std::span<const Tensor> a, std::span<const Tensor> b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].defined() != b[i].defined()) return false;
    if (!a[i].defined() || a[i].numel() == 0) continue;
    if (std::memcmp(a[i].data<double>().data(), b[i].data<double>().data(), a[i].nbytes()) != 0) {
      return false;
    }
  }
  return true;
}

void compare(const Problem& problem, std::size_t input, const Tensor& analytic,
             const GradcheckOptions& options, GradcheckReport& report) {
  const auto values = problem.wanted[input].data<double>();
  const std::size_t count = values.size();
  const auto limit = static_cast<std::size_t>(options.max_elements);
  const std::size_t checked = limit == 0 ? count : std::min(limit, count);
  for (std::size_t k = 0; k < checked; ++k) {
    const std::size_t i = k * count / checked;
    const double x = values[i];
    const double numeric = (problem.value_with(input, i, x + options.eps) -
                            problem.value_with(input, i, x - options.eps)) /
                           (2 * options.eps);
    const double exact = analytic.defined() ? analytic.data<double>()[i] : 0.0;
    const double error =
        std::abs(numeric - exact) / (options.atol + options.rtol * std::abs(numeric));
    report.worst = std::max(report.worst, error);
    if (error <= 1.0 || !report.ok) continue;
    report.ok = false;
    report.message = cat("gradcheck: input ", problem.wanted_index[input], " element ", i, " (", x,
                         "): analytic ", exact, ", central difference ", numeric);
  }
}

}  // namespace

GradcheckReport gradcheck(const Fn& fn, std::span<const Tensor> inputs,
                          const GradcheckOptions& options) {
  const Problem problem(fn, inputs, options.seed);
  GradcheckReport report;
  const std::vector<Tensor> first = problem.analytic();
  if (!repeats(first, problem.analytic())) {
    report.ok = false;
    report.message = "gradcheck: the analytic gradient differs between two runs";
    return report;
  }
  for (std::size_t i = 0; i < first.size(); ++i) compare(problem, i, first[i], options, report);
  return report;
}

}  // namespace weft
