// SPDX-License-Identifier: Apache-2.0
// Uses Weft as an installed library: one gradient, checked by hand.
#include <weft/weft.h>

#include <cstdio>

int main() {
  using weft::Tensor;
  const Tensor x = Tensor::of({1, 2, 3}, {.requires_grad = true});
  const Tensor y = weft::sum(x * x);
  y.backward();
  const auto gradient = x.grad().to_vector();
  std::printf("weft %s: d(sum x^2)/dx at (1, 2, 3) is (%g, %g, %g)\n", weft::version(), gradient[0],
              gradient[1], gradient[2]);
  return gradient == std::vector<double>{2, 4, 6} ? 0 : 1;
}
