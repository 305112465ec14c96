// SPDX-License-Identifier: Apache-2.0
// weft_bench_instructions CASE COUNT: runs a small op COUNT times through libweft.so and prints
// nothing. Counted by tools/ci/instructions.py, which runs it under callgrind with two counts and
// takes the difference.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "weft/weft.h"

namespace {

using weft::Tensor;

void add(int count) {
  const Tensor a = Tensor::of({1, 2, 3, 4});
  const Tensor b = Tensor::of({5, 6, 7, 8});
  for (int i = 0; i < count; ++i) const Tensor y = a + b;
}

void add_with_gradient(int count) {
  const Tensor a = Tensor::of({1, 2, 3, 4}, {.requires_grad = true});
  const Tensor b = Tensor::of({5, 6, 7, 8}, {.requires_grad = true});
  for (int i = 0; i < count; ++i) const Tensor y = a + b;
}

struct Case {
  std::string_view name;
  void (*run)(int count);
};
constexpr Case kCases[] = {{"add", add}, {"add_with_gradient", add_with_gradient}};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) {
    for (const Case& c : kCases) {
      if (c.name == argv[1]) {
        c.run(std::atoi(argv[2]));
        return 0;
      }
    }
  }
  std::fprintf(stderr, "usage: weft_bench_instructions add|add_with_gradient COUNT\n");
  return 2;
}
