// SPDX-License-Identifier: Apache-2.0
// Loads a shared object with a further op while the program runs, and uses it: plugin_op
// [plugin_op.so]
#include <weft/weft.h>

#include <cstdio>
#include <filesystem>

int main(int, char** argv) {
  using namespace weft;
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "plugin_op.so";
  try {
    load_plugin(argv[1] != nullptr ? argv[1] : beside.string());
    OpEntry& cube = op_named("example::cube");
    const Tensor x = Tensor::of({1, 2, 3}, {.requires_grad = true});
    const Tensor y = call_op(cube, NoAttrs{}, {x})[0];
    sum(y).backward();
    std::printf("%s, version %d\n%s\n%s\n", signature_text(cube).c_str(), cube.def.version,
                to_string(y).c_str(), to_string(x.grad()).c_str());
    return y.to_vector() == std::vector<double>{1, 8, 27} &&
                   x.grad().to_vector() == std::vector<double>{3, 12, 27}
               ? 0
               : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
