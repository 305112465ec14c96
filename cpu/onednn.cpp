// SPDX-License-Identifier: Apache-2.0
#include "cpu/onednn.h"

#if WEFT_HAVE_ONEDNN

#include <dlfcn.h>

#include <array>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <shared_mutex>
#include <type_traits>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::cpu::onednn {
namespace {

using dnnl::memory;

/// oneDNN starts one OpenMP worker per core for each new calling thread unless told not to. The
/// OpenMP runtime is the one oneDNN brought; a oneDNN without one (TBB) has nothing to set.
class OneThread {
 public:
  OneThread() : saved_(runtime().get ? runtime().get() : 1) {
    if (saved_ != 1) runtime().set(1);
  }
  ~OneThread() {
    if (saved_ != 1) runtime().set(saved_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  struct Runtime {
    int (*get)();
    void (*set)(int);
  };
  static const Runtime& runtime() {
    static const Runtime found = [] {
      Runtime result{reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads")),
                     reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))};
      if (!result.set) result.get = nullptr;
      return result;
    }();
    return found;
  }
  int saved_;
};

const dnnl::engine& cpu_engine() {
  static const auto* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

const dnnl::stream& thread_stream() {
  thread_local const dnnl::stream stream(cpu_engine());
  return stream;
}

struct Operand {
  int argument;
  const memory::desc& desc;
  const void* data;
};

void execute(const dnnl::primitive& primitive, std::initializer_list<Operand> operands) {
  std::array<memory, 5> memories;
  std::array<dnnl_exec_arg_t, 5> args{};
  std::size_t count = 0;
  for (const Operand& operand : operands) {
    if (operand.desc.get_size() == 0) continue;
    memories[count] = memory(operand.desc, cpu_engine(), const_cast<void*>(operand.data));
    args[count] = {operand.argument, memories[count].get()};
    ++count;
  }
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive.get(), thread_stream().get(),
                                                 static_cast<int>(count), args.data()),
                          "execute");
}

/// Plans by key: many readers, made once, kept for ever.
template <class Key, class Plan>
class PlanCache {
 public:
  template <class Make>
  const Plan& find(const Key& key, Make&& make) {
    {
      const std::shared_lock lock(mutex_);
      if (const auto it = plans_.find(key); it != plans_.end()) return *it->second;
    }
    std::unique_ptr<Plan> made = make();
    const std::unique_lock lock(mutex_);
    return *plans_.try_emplace(key, std::move(made)).first->second;
  }

 private:
  std::shared_mutex mutex_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

[[noreturn]] void fail(const char* op, const std::string& shapes, const dnnl::error& error) {
  throw Error(error.status == dnnl_out_of_memory ? ErrorKind::memory : ErrorKind::internal,
              cat(op, ": oneDNN could not run ", shapes, ": ", error.what()), "please report this");
}

template <class T, class C>
std::string text_of(const Gemm<T, C>& g) {
  return cat(dtype_of<T>, "[", g.m, ",", g.k, "] times [", g.k, ",", g.n, "]");
}

std::string text_of(const ConvShape& s) {
  return cat(s.dtype, "[", s.n, ",", s.h, ",", s.w, ",", s.c, "] with weight [", s.o, ",", s.kh,
             ",", s.kw, ",", s.c / s.groups, "]");
}

/// Runs `call` on this thread alone; what oneDNN throws becomes an Error with the op and its
/// shapes.
template <class Call, class Text>
decltype(auto) guarded(const char* op, const Text& what, Call&& call) {
  const OneThread one;
  try {
    return call();
  } catch (const dnnl::error& error) {
    fail(op, text_of(what), error);
  }
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

struct MatmulPlan {
  dnnl::matmul primitive;
  memory::desc a, b, c;
};
using MatmulKey = std::array<std::int64_t, 8>;

template <class C>
MatmulKey key_of(const Gemm<bf16, C>& g) {
  return {g.m,
          g.n,
          g.k,
          g.lda,
          g.ldb,
          g.ldc,
          (g.transpose_a ? 1 : 0) | (g.transpose_b ? 2 : 0) | (g.accumulate ? 4 : 0),
          std::is_same_v<C, float>};
}

template <class C>
std::unique_ptr<MatmulPlan> make_matmul(const Gemm<bf16, C>& g) {
  constexpr auto bf = memory::data_type::bf16;
  constexpr auto out = std::is_same_v<C, float> ? memory::data_type::f32 : bf;
  const memory::desc a({g.m, g.k}, bf,
                       g.transpose_a ? memory::dims{1, g.lda} : memory::dims{g.lda, 1});
  const memory::desc b({g.k, g.n}, bf,
                       g.transpose_b ? memory::dims{1, g.ldb} : memory::dims{g.ldb, 1});
  const memory::desc c({g.m, g.n}, out, memory::dims{g.ldc, 1});
  dnnl::primitive_attr attr;
  if (g.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attr.set_post_ops(sum);
  }
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc pd(cpu_engine(), a, b, c, attr);
#else
  const dnnl::matmul::primitive_desc pd(dnnl::matmul::desc(a, b, c), attr, cpu_engine());
#endif
  return std::make_unique<MatmulPlan>(MatmulPlan{dnnl::matmul(pd), a, b, c});
}

template <class C>
const MatmulPlan& matmul_plan(const Gemm<bf16, C>& g) {
  static auto* cache = new PlanCache<MatmulKey, MatmulPlan>;
  return cache->find(key_of(g), [&] { return make_matmul(g); });
}

template <class C>
void prepare_bf16(const Gemm<bf16, C>& g) {
  guarded("matmul", g, [&] { matmul_plan(g); });
}

template <class C>
void gemm_bf16(const Gemm<bf16, C>& g) {
  guarded("matmul", g, [&] {
    const MatmulPlan& plan = matmul_plan(g);
    execute(plan.primitive, {{DNNL_ARG_SRC, plan.a, g.a},
                             {DNNL_ARG_WEIGHTS, plan.b, g.b},
                             {DNNL_ARG_DST, plan.c, g.c}});
  });
}

}  // namespace

bool has_bf16() {
#if defined(__x86_64__)
  return dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core_bf16;
#else
  return false;
#endif
}

bool bf16_is_fast() {
#if defined(__x86_64__)
  return has_bf16() && (dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core_amx ||
                        __builtin_cpu_is("amd"));
#else
  return false;
#endif
}

void gemm(const Gemm<float, float>& g) {
  guarded("matmul", g, [&] {
    dnnl::error::wrap_c_api(
        dnnl_sgemm(g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', g.m, g.n, g.k, 1.0f, g.a,
                   g.lda, g.b, g.ldb, g.accumulate ? 1.0f : 0.0f, g.c, g.ldc),
        "dnnl_sgemm");
  });
}
void gemm(const Gemm<bf16, bf16>& g) { gemm_bf16(g); }
void gemm(const Gemm<bf16, float>& g) { gemm_bf16(g); }
void prepare_gemm(const Gemm<float, float>&) {}
void prepare_gemm(const Gemm<bf16, bf16>& g) { prepare_bf16(g); }
void prepare_gemm(const Gemm<bf16, float>& g) { prepare_bf16(g); }

struct Conv::Impl {
  dnnl::primitive conv;
  dnnl::reorder reorder;
  memory::desc x, y, bias, plain, packed, scratch;
  const char* op;
  ConvShape shape;
};

namespace {

/// oneDNN's descriptions of a convolution's operands; weights also in their plain layout.
struct ConvDescs {
  memory::desc x, y, bias, weights, plain_weights;
  memory::dims strides, dilations, padding, padding_after;
};

ConvDescs describe_conv(const ConvShape& s, memory::data_type plain_weight_dtype) {
  const auto dtype = s.dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  const std::int64_t ci = s.c / s.groups, co = s.o / s.groups;
  ConvDescs d;
  d.x = memory::desc({s.n, s.c, s.h, s.w}, dtype, memory::format_tag::nhwc);
  d.y = memory::desc({s.n, s.o, s.oh, s.ow}, dtype, memory::format_tag::nhwc);
  if (s.bias) d.bias = memory::desc({s.o}, dtype, memory::format_tag::a);
  memory::dims weight = {co, ci, s.kh, s.kw};
  memory::dims steps = {s.kh * s.kw * ci, 1, s.kw * ci, ci};
  if (s.groups > 1) {
    weight.insert(weight.begin(), s.groups);
    steps.insert(steps.begin(), co * s.kh * s.kw * ci);
  }
  d.weights = memory::desc(weight, plain_weight_dtype, memory::format_tag::any);
  d.plain_weights = memory::desc(weight, plain_weight_dtype, steps);
  d.strides = {s.stride_h, s.stride_w};
  d.dilations = {s.dilation_h - 1, s.dilation_w - 1};
  d.padding = {s.padding_h, s.padding_w};
  const auto after = [](std::int64_t out, std::int64_t stride, std::int64_t k,
                        std::int64_t dilation, std::int64_t in, std::int64_t before) {
    return (out - 1) * stride + (k - 1) * dilation + 1 - in - before;
  };
  d.padding_after = {after(s.oh, s.stride_h, s.kh, s.dilation_h, s.h, s.padding_h),
                     after(s.ow, s.stride_w, s.kw, s.dilation_w, s.w, s.padding_w)};
  return d;
}

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc forward_desc(const ConvDescs& d) {
  constexpr auto prop = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), prop,      kDirect,     d.x,       d.weights,       d.bias,
          d.y,          d.strides, d.dilations, d.padding, d.padding_after, user_scratchpad()};
#else
  return {{prop, kDirect, d.x, d.weights, d.bias, d.y, d.strides, d.dilations, d.padding,
           d.padding_after},
          user_scratchpad(),
          cpu_engine()};
#endif
}

dnnl::convolution_backward_data::primitive_desc data_desc(const ConvDescs& d) {
  const auto hint = forward_desc(d);
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), kDirect,         d.x,  d.weights,        d.y, d.strides, d.dilations,
          d.padding,    d.padding_after, hint, user_scratchpad()};
#else
  return {{kDirect, d.x, d.weights, d.y, d.strides, d.dilations, d.padding, d.padding_after},
          user_scratchpad(),
          cpu_engine(),
          hint};
#endif
}

dnnl::convolution_backward_weights::primitive_desc weights_desc(const ConvDescs& d,
                                                                const ConvDescs& hint_descs) {
  const auto hint = forward_desc(hint_descs);
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), kDirect,         d.x,  d.weights,        d.y, d.strides, d.dilations,
          d.padding,    d.padding_after, hint, user_scratchpad()};
#else
  return {{kDirect, d.x, d.weights, d.y, d.strides, d.dilations, d.padding, d.padding_after},
          user_scratchpad(),
          cpu_engine(),
          hint};
#endif
}

constexpr const char* kPassOps[] = {"conv2d", "conv2d_grad", "conv2d_grad"};

}  // namespace

Conv::Conv(ConvPass pass, const ConvShape& shape) {
  const auto dtype = shape.dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  auto impl = std::make_unique<Impl>();
  impl->op = kPassOps[static_cast<std::size_t>(pass)];
  impl->shape = shape;
  const auto take = [&](const auto& pd, const auto& primitive, const memory::desc& packed) {
    impl->conv = primitive;
    impl->packed = packed;
    impl->scratch = pd.scratchpad_desc();
    implementation_ = pd.impl_info_str();
  };
  const ConvDescs d =
      describe_conv(shape, pass == ConvPass::backward_weights ? memory::data_type::f32 : dtype);
  impl->x = d.x;
  impl->y = d.y;
  impl->bias = d.bias;
  impl->plain = d.plain_weights;
  if (pass == ConvPass::forward) {
    const auto pd = forward_desc(d);
    take(pd, dnnl::convolution_forward(pd), pd.weights_desc());
  } else if (pass == ConvPass::backward_data) {
    const auto pd = data_desc(d);
    take(pd, dnnl::convolution_backward_data(pd), pd.weights_desc());
  } else {
    const auto pd = weights_desc(d, describe_conv(shape, dtype));
    take(pd, dnnl::convolution_backward_weights(pd), pd.diff_weights_desc());
  }
  const bool unpack = pass == ConvPass::backward_weights;
  impl->reorder = dnnl::reorder(
      dnnl::reorder::primitive_desc(cpu_engine(), unpack ? impl->packed : impl->plain, cpu_engine(),
                                    unpack ? impl->plain : impl->packed));
  packed_bytes_ = impl->packed.get_size();
  scratch_bytes_ = impl->scratch.get_size();
  impl_ = impl.release();
}

Conv::~Conv() { delete impl_; }

const Conv& Conv::find(ConvPass pass, const ConvShape& shape) {
  static auto* cache = new PlanCache<std::pair<ConvPass, ConvShape>, Conv>;
  return guarded(kPassOps[static_cast<std::size_t>(pass)], shape, [&]() -> const Conv& {
    return cache->find({pass, shape}, [&] { return std::unique_ptr<Conv>(new Conv(pass, shape)); });
  });
}

void Conv::pack(const void* weight, void* packed) const {
  guarded(impl_->op, impl_->shape, [&] {
    execute(impl_->reorder,
            {{DNNL_ARG_FROM, impl_->plain, weight}, {DNNL_ARG_TO, impl_->packed, packed}});
  });
}

void Conv::forward(const void* x, const void* packed, const void* bias, void* y,
                   void* scratch) const {
  guarded(impl_->op, impl_->shape, [&] {
    execute(impl_->conv, {{DNNL_ARG_SRC, impl_->x, x},
                          {DNNL_ARG_WEIGHTS, impl_->packed, packed},
                          {DNNL_ARG_BIAS, impl_->bias, bias},
                          {DNNL_ARG_DST, impl_->y, y},
                          {DNNL_ARG_SCRATCHPAD, impl_->scratch, scratch}});
  });
}

void Conv::backward_data(const void* g, const void* packed, void* dx, void* scratch) const {
  guarded(impl_->op, impl_->shape, [&] {
    execute(impl_->conv, {{DNNL_ARG_DIFF_DST, impl_->y, g},
                          {DNNL_ARG_WEIGHTS, impl_->packed, packed},
                          {DNNL_ARG_DIFF_SRC, impl_->x, dx},
                          {DNNL_ARG_SCRATCHPAD, impl_->scratch, scratch}});
  });
}

void Conv::backward_weights(const void* x, const void* g, void* packed, float* dweight,
                            void* scratch) const {
  guarded(impl_->op, impl_->shape, [&] {
    execute(impl_->conv, {{DNNL_ARG_SRC, impl_->x, x},
                          {DNNL_ARG_DIFF_DST, impl_->y, g},
                          {DNNL_ARG_DIFF_WEIGHTS, impl_->packed, packed},
                          {DNNL_ARG_SCRATCHPAD, impl_->scratch, scratch}});
    execute(impl_->reorder,
            {{DNNL_ARG_FROM, impl_->packed, packed}, {DNNL_ARG_TO, impl_->plain, dweight}});
  });
}

}  // namespace weft::cpu::onednn

#endif  // WEFT_HAVE_ONEDNN
