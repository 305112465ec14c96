// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tests/ops/support/op_row.h"

namespace weft::test {

/// Makes the inputs of `sample` in `dtype` on the CPU; the same every time.
std::vector<Tensor> make_inputs(const Sample& sample, DType dtype, std::uint64_t seed = 1);
/// The same values as f64 (indices unchanged): what references get.
std::vector<Tensor> as_f64(In inputs);
/// The same values on another device; requires_grad is kept.
std::vector<Tensor> on_device(In inputs, Device device);
/// The same values at addresses aligned to one element only.
std::vector<Tensor> misaligned(In inputs);

struct Tolerance {
  double rtol = 0;
  double atol = 0;
};
Tolerance tolerance_of(DType dtype, double scale);

/// Empty when `got` is close to `want` (f64) element by element; else the first mismatch.
std::string compare_close(const Tensor& got, const Tensor& want, Tolerance tolerance);
/// Empty when the bits are equal.
std::string compare_bits(const Tensor& got, const Tensor& want);
std::string compare_bits(In got, In want);

/// Outputs followed by the gradients of all inputs that require grad, for upstream gradients that
/// depend on the outputs' shapes alone.
std::vector<Tensor> run_with_grads(const Run& run, In inputs);
/// The same with the upstream gradients of `upstream_for`, one per output.
std::vector<Tensor> run_with_grads(const Run& run, In inputs, In upstream);
std::vector<Tensor> upstream_for(const Run& run, In inputs);

}  // namespace weft::test
