// SPDX-License-Identifier: Apache-2.0
// conv2d and its gradients against the oneDNN primitive with weights in its own layout, one thread.
// Weft's time includes the reorder of the weight and the output's allocation. Target: within 15 %.
#include "weft/ops/conv.h"

#include "bench/versus.h"
#include "weft/autograd/autograd.h"
#include "weft/base/text.h"
#include "weft/core/context.h"
#include "weft/core/threads.h"

#if WEFT_HAVE_ONEDNN
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

namespace weft::bench {
namespace {

using dnnl::memory;

struct Shape2d {
  std::int64_t n, c, size, o, kernel;
};

/// The three raw primitives of a convolution over memory of their own.
class RawConv {
 public:
  RawConv(const Shape2d& s, memory::data_type dtype)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using tag = memory::format_tag;
    const memory::desc x({s.n, s.c, s.size, s.size}, dtype, tag::nhwc),
        y({s.n, s.o, s.size, s.size}, dtype, tag::nhwc);
    const memory::desc w({s.o, s.c, s.kernel, s.kernel}, dtype, tag::any);
    const memory::desc dw({s.o, s.c, s.kernel, s.kernel}, memory::data_type::f32, tag::any);
    const memory::dims steps = {1, 1}, dilations = {0, 0}, padding = {s.kernel / 2, s.kernel / 2};
    constexpr auto direct = dnnl::algorithm::convolution_direct;
    constexpr auto training = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::convolution_forward::primitive_desc f(engine_, training, direct, x, w, y, steps,
                                                      dilations, padding, padding);
    const dnnl::convolution_backward_data::primitive_desc d(engine_, direct, x, w, y, steps,
                                                            dilations, padding, padding, f);
    const dnnl::convolution_backward_weights::primitive_desc g(engine_, direct, x, dw, y, steps,
                                                               dilations, padding, padding, f);
#else
    const dnnl::convolution_forward::primitive_desc f(
        {training, direct, x, w, y, steps, dilations, padding, padding}, engine_);
    const dnnl::convolution_backward_data::primitive_desc d(
        {direct, x, w, y, steps, dilations, padding, padding}, engine_, f);
    const dnnl::convolution_backward_weights::primitive_desc g(
        {direct, x, dw, y, steps, dilations, padding, padding}, engine_, f);
#endif
    const memory mx(x, engine_), my(y, engine_);
    primitives_ = {dnnl::convolution_forward(f), dnnl::convolution_backward_data(d),
                   dnnl::convolution_backward_weights(g)};
    args_ = {Args{{DNNL_ARG_SRC, mx},
                  {DNNL_ARG_WEIGHTS, memory(f.weights_desc(), engine_)},
                  {DNNL_ARG_DST, my}},
             Args{{DNNL_ARG_DIFF_SRC, mx},
                  {DNNL_ARG_WEIGHTS, memory(d.weights_desc(), engine_)},
                  {DNNL_ARG_DIFF_DST, my}},
             Args{{DNNL_ARG_SRC, mx},
                  {DNNL_ARG_DIFF_WEIGHTS, memory(g.diff_weights_desc(), engine_)},
                  {DNNL_ARG_DIFF_DST, my}}};
    for (Args& args : args_) {
      for (auto& [name, memory] : args)
        std::memset(memory.get_data_handle(), 0, memory.get_desc().get_size());
    }
  }

  void run(std::size_t pass) {
    primitives_[pass].execute(stream_, args_[pass]);
    stream_.wait();
  }

 private:
  using Args = std::unordered_map<int, memory>;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<dnnl::primitive> primitives_;
  std::vector<Args> args_;
};

Tensor tensor_of(const Shape& shape, DType dtype, bool requires_grad) {
  Tensor x = Tensor::from(std::vector<float>(static_cast<std::size_t>(shape.numel()), 0.5f), shape)
                 .to(dtype);
  if (requires_grad) x.requires_grad_();
  return x;
}

void run(const Shape2d& s, DType dtype) {
  RawConv raw(s, dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32);
  const Pair padding = s.kernel / 2;
  const double flops = 2.0 * static_cast<double>(s.n * s.size * s.size * s.o) *
                       static_cast<double>(s.kernel * s.kernel * s.c);
  const Tensor g = tensor_of({s.n, s.size, s.size, s.o}, dtype, false);
  constexpr const char* kPasses[] = {"forward", "dx", "dweight"};
  for (const std::size_t pass : {0u, 1u, 2u}) {
    const Tensor x = tensor_of({s.n, s.size, s.size, s.c}, dtype, pass == 1);
    const Tensor weight = tensor_of({s.o, s.kernel, s.kernel, s.c}, dtype, pass == 2);
    const auto weft = [&] {
      if (pass == 0) return seconds_of([&] { conv2d(x, weight, {}, {.padding = padding}); });
      const Tensor y = conv2d(x, weight, {}, {.padding = padding});
      const Tensor& wanted = pass == 1 ? x : weight;
      return seconds_of([&] { grad(std::span(&y, 1), std::span(&wanted, 1), std::span(&g, 1)); });
    };
    const auto line = measure([&] { return seconds_of([&] { raw.run(pass); }); }, weft);
    print_line(cat(dtype, " ", s.n, "x", s.c, "x", s.size, "x", s.size, " -> ", s.o, ", ", s.kernel,
                   "x", s.kernel, " ", kPasses[pass]),
               flops, line);
  }
}

}  // namespace
}  // namespace weft::bench

int main() {
  using namespace weft;
  using namespace weft::bench;
  one_openmp_thread();
  set_num_threads(1);
  print_header();
  for (const DType dtype : {DType::f32, DType::bf16}) {
    if (dtype == DType::bf16 && dnnl::get_effective_cpu_isa() < dnnl::cpu_isa::avx512_core_bf16)
      continue;
    for (const Shape2d& s : {Shape2d{32, 64, 56, 64, 3},
                             {32, 256, 14, 256, 3},
                             {64, 1, 28, 16, 3},
                             {64, 16, 14, 32, 3},
                             {32, 3, 32, 32, 3},
                             {32, 256, 14, 64, 1}}) {
      run(s, dtype);
    }
  }
}

#else
int main() { std::puts("built without oneDNN: nothing to compare with"); }
#endif
