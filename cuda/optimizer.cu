// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <new>

#include "cuda/common.cuh"
#include "cuda/segments.h"
#include "weft/math/clamp.h"
#include "weft/op/attrs/optimizer.h"
#include "weft/op/registry.h"
#include "weft/op/step_state.h"

namespace weft::cuda {

namespace {

/// What one block finds in its chunk of the gradients.
struct GradSum {
  double squares = 0;
  std::int32_t first_nonfinite = -1;
};

/// The elements [begin, end) of a segment that a block handles.
struct Chunk {
  const Segment& segment;
  std::int64_t begin;
  std::int64_t end;
};

__device__ Chunk chunk_of_block(const SegmentBatch& batch) {
  const auto block = static_cast<std::int32_t>(blockIdx.x);
  int low = 0;
  int high = batch.count;  // first_chunk[low] <= block < first_chunk[high]
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (batch.first_chunk[middle] <= block)
      low = middle;
    else
      high = middle;
  }
  const Segment& segment = batch.segments[low];
  const std::int64_t begin = std::int64_t{block - batch.first_chunk[low]} * kSegmentChunk;
  return {segment, begin,
          begin + kSegmentChunk < segment.numel ? begin + kSegmentChunk : segment.numel};
}

template <class G>
__device__ void add_squares(const Chunk& chunk, double factor, double limit, double& squares,
                            bool& nonfinite) {
  const auto* grad = reinterpret_cast<const G*>(chunk.segment.grad);
  for (std::int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += blockDim.x) {
    const auto value = static_cast<double>(load(grad[i]));
    nonfinite = nonfinite || !isfinite(value);
    if (isinf(limit)) {
      squares += value * value;
    } else {
      // Clamping would hide an infinity: value * 0 is NaN for it.
      const double clamped = math::clamp(value * factor, -limit, limit);
      squares += clamped * clamped + value * 0.0;
    }
  }
}

// reads every gradient once: 4 bytes per f32 parameter
__global__ void __launch_bounds__(kBlock)
    grad_sum_kernel(GradSum* sums, const __grid_constant__ SegmentBatch batch,
                    const StepState* state, const LossScalerState* scaler) {
  __shared__ double shared[32];
  const Chunk chunk = chunk_of_block(batch);
  const double factor = scaler != nullptr ? 1.0 / static_cast<double>(scaler->scale) : 1.0;
  const double limit = state->settings.clip_value;
  double squares = 0;
  bool nonfinite = false;
  switch (chunk.segment.grad_dtype) {
    case DType::f64:
      add_squares<double>(chunk, factor, limit, squares, nonfinite);
      break;
    case DType::bf16:
      add_squares<bf16>(chunk, factor, limit, squares, nonfinite);
      break;
    case DType::f16:
      add_squares<f16>(chunk, factor, limit, squares, nonfinite);
      break;
    default:
      add_squares<float>(chunk, factor, limit, squares, nonfinite);
      break;
  }
  squares = block_sum(squares, shared);
  const int found = __syncthreads_or(nonfinite ? 1 : 0);
  if (threadIdx.x == 0) sums[blockIdx.x] = {squares, found != 0 ? chunk.segment.index : -1};
}

/// Everything that the end of `begin_update` reads and writes but the counts of the parameters.
struct FinishArgs {
  StepState* state;
  std::int64_t chunk_count;
  const GradSum* sums;
  const LossScalerState* scaler;
  const void* loss;
  DType loss_dtype;
};

__device__ bool is_finite_scalar(const void* loss, DType dtype) {
  switch (dtype) {
    case DType::f64:
      return isfinite(*static_cast<const double*>(loss));
    case DType::bf16:
      return isfinite(load(*static_cast<const bf16*>(loss)));
    case DType::f16:
      return isfinite(load(*static_cast<const f16*>(loss)));
    default:
      return isfinite(*static_cast<const float*>(loss));
  }
}

// One block: adds the chunks in a fixed order and decides whether the step applies.
__global__ void __launch_bounds__(kWideBlock) finish_update_kernel(FinishArgs args) {
  __shared__ double shared[32];
  __shared__ int first;
  if (threadIdx.x == 0) first = INT32_MAX;
  __syncthreads();
  double squares = 0;
  for (std::int64_t c = threadIdx.x; c < args.chunk_count; c += blockDim.x) {
    squares += args.sums[c].squares;
    if (args.sums[c].first_nonfinite >= 0) atomicMin(&first, args.sums[c].first_nonfinite);
  }
  squares = block_sum(squares, shared);
  if (threadIdx.x != 0) return;
  StepState& state = *args.state;
  const bool clamps = !isinf(state.settings.clip_value);
  state.inverse_loss_scale =
      args.scaler != nullptr ? 1.0 / static_cast<double>(args.scaler->scale) : 1.0;
  state.grad_norm = sqrt(squares) * (clamps ? 1.0 : state.inverse_loss_scale);
  state.found_inf = first != INT32_MAX ? 1 : 0;
  state.first_nonfinite = state.found_inf != 0 ? first : -1;
  state.error = args.loss != nullptr && !is_finite_scalar(args.loss, args.loss_dtype)
                    ? std::uint32_t{kStepNonfiniteLoss}
                    : std::uint32_t{kStepOk};
  state.clip_factor = 1;
  if (!state.applies()) {
    ++state.skipped;
    return;
  }
  const double factor = state.settings.clip_norm / (state.grad_norm + 1e-6);
  state.clip_factor = factor < 1.0 ? factor : 1.0;
  ++state.updates;
}

/// Which parameters have a gradient, also one without elements.
struct Presence {
  static constexpr std::size_t kMost = 8192;
  std::uint32_t words[kMost / 32];
};

__global__ void __launch_bounds__(kBlock)
    count_updates_kernel(std::int32_t* updates, int count, const StepState* state,
                         const __grid_constant__ Presence present) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count && state->applies() && ((present.words[i / 32] >> (i % 32)) & 1u) != 0)
    ++updates[i];
}

template <class C>
struct AdamRule {
  C inverse_scale, limit, clip_factor;
  C coupled_decay, shrink;
  C beta2, fresh1, fresh2;
  C step, root_scale, eps;

  __device__ AdamRule(const AdamAttrs& attrs, const StepState& state, const ParamGroupState& group,
                      std::int32_t update)
      : inverse_scale(static_cast<C>(state.inverse_loss_scale)),
        limit(static_cast<C>(state.settings.clip_value)),
        clip_factor(static_cast<C>(state.clip_factor)),
        coupled_decay(attrs.decoupled ? C(0) : static_cast<C>(group.weight_decay)),
        shrink(attrs.decoupled ? static_cast<C>(1 - group.lr * group.weight_decay) : C(1)),
        beta2(static_cast<C>(attrs.beta2)),
        fresh1(static_cast<C>(1 - attrs.beta1)),
        fresh2(static_cast<C>(1 - attrs.beta2)),
        step(static_cast<C>(group.lr / (1 - pow(attrs.beta1, static_cast<double>(update))))),
        root_scale(static_cast<C>(1 / sqrt(1 - pow(attrs.beta2, static_cast<double>(update))))),
        eps(static_cast<C>(attrs.eps)) {}
};

template <class P, class G>
__device__ void adam_chunk(const Chunk& chunk, const AdamRule<Compute<P>>& r) {
  using C = Compute<P>;
  const Segment& segment = chunk.segment;
  auto* p = reinterpret_cast<P*>(segment.param);
  const auto* g = reinterpret_cast<const G*>(segment.grad);
  auto* m = reinterpret_cast<C*>(segment.first);
  auto* v = reinterpret_cast<C*>(segment.second);
  for (std::int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += blockDim.x) {
    const C value = load(p[i]);
    const C scaled = math::clamp(static_cast<C>(load(g[i])) * r.inverse_scale, -r.limit, r.limit);
    const C grad = scaled * r.clip_factor + r.coupled_decay * value;
    const C mean = m[i] + r.fresh1 * (grad - m[i]);
    const C square = r.beta2 * v[i] + r.fresh2 * grad * grad;
    m[i] = mean;
    v[i] = square;
    p[i] = stored<P>(value * r.shrink - r.step * mean / (sqrt(square) * r.root_scale + r.eps));
  }
}

template <class P>
__device__ void adam_param(const AdamAttrs& attrs, const StepState& state,
                           const ParamGroupState& group, std::int32_t update, const Chunk& chunk) {
  __shared__ alignas(16) std::byte storage[sizeof(AdamRule<Compute<P>>)];
  auto& rule = reinterpret_cast<AdamRule<Compute<P>>&>(storage);
  if (threadIdx.x == 0) ::new (storage) AdamRule<Compute<P>>(attrs, state, group, update);
  __syncthreads();
  if (chunk.segment.grad_dtype == chunk.segment.param_dtype)
    adam_chunk<P, P>(chunk, rule);
  else if constexpr (sizeof(P) == 2)
    adam_chunk<P, float>(chunk, rule);
}

// reads p, g, m, v and writes p, m, v: 28 bytes per f32 parameter. A step that does not apply
// writes nothing.
__global__ void __launch_bounds__(kBlock)
    adam_kernel(AdamAttrs attrs, const StepState* state, const std::int32_t* groups,
                const std::int32_t* updates, const __grid_constant__ SegmentBatch batch) {
  if (!state->applies()) return;
  const Chunk chunk = chunk_of_block(batch);
  const std::int32_t index = groups[chunk.segment.index];
  if (index < 0 || index >= kMaxParamGroups)
    __trap();  // the host cannot read `groups` without waiting
  const ParamGroupState& group = state->settings.groups[index];
  const std::int32_t update = updates[chunk.segment.index];
  switch (chunk.segment.param_dtype) {
    case DType::f64:
      adam_param<double>(attrs, *state, group, update, chunk);
      break;
    case DType::bf16:
      adam_param<bf16>(attrs, *state, group, update, chunk);
      break;
    case DType::f16:
      adam_param<f16>(attrs, *state, group, update, chunk);
      break;
    default:
      adam_param<float>(attrs, *state, group, update, chunk);
      break;
  }
}

std::size_t begin_workspace(const KernelArgs& args) {
  std::int64_t chunks = 1;
  for (const TensorArg& grad : args.list(2)) {
    if (grad.present()) chunks += (grad.numel + kSegmentChunk - 1) / kSegmentChunk;
  }
  return static_cast<std::size_t>(chunks) * sizeof(GradSum);
}

void count_updates(const KernelArgs& args, const StepState* state) {
  const std::span<const TensorArg> grads = args.list(2);
  auto* updates = args.in(1).as<std::int32_t>();
  for (std::size_t first = 0; first < grads.size(); first += Presence::kMost) {
    const std::size_t count = std::min(Presence::kMost, grads.size() - first);
    Presence present{};
    for (std::size_t i = 0; i < count; ++i) {
      if (grads[first + i].present()) present.words[i / 32] |= 1u << (i % 32);
    }
    launch(args, count_updates_kernel, static_cast<unsigned>((count + kBlock - 1) / kBlock), kBlock,
           updates + first, static_cast<int>(count), state, present);
  }
}

void begin_update(const KernelArgs& args) {
  const TensorArg& scaler = args.in(args.list_begin[3]);
  const TensorArg& loss = args.in(args.list_begin[4]);
  auto* state = args.in(0).as<StepState>();
  auto* sums = reinterpret_cast<GradSum*>(args.workspace);
  const LossScalerState* scaler_state =
      scaler.present() ? scaler.as<const LossScalerState>() : nullptr;
  std::int64_t chunks = 0;
  for_batches({{}, args.list(2), {}, {}}, [&](const SegmentBatch& batch) {
    launch(args, grad_sum_kernel, static_cast<unsigned>(batch.chunks()), kBlock, sums + chunks,
           batch, static_cast<const StepState*>(state), scaler_state);
    chunks += batch.chunks();
  });
  const FinishArgs finish{state,
                          chunks,
                          sums,
                          scaler_state,
                          loss.present() ? loss.data : nullptr,
                          loss.present() ? loss.dtype : DType::f32};
  launch(args, finish_update_kernel, 1, kWideBlock, finish);
  count_updates(args, state);
}

void adam_step(const KernelArgs& args) {
  const SegmentLists lists{args.list(3), args.list(4), args.list(5), args.list(6)};
  for_batches(lists, [&](const SegmentBatch& batch) {
    launch(args, adam_kernel, static_cast<unsigned>(batch.chunks()), kBlock,
           args.attrs<AdamAttrs>(), args.in(0).as<const StepState>(),
           args.in(1).as<const std::int32_t>(), args.in(2).as<const std::int32_t>(), batch);
  });
}

__global__ void __launch_bounds__(kBlock)
    loss_scale_kernel(LossScaleAttrs attrs, LossScalerState* scaler, const StepState* state,
                      bool last, bool first) {
  // growth_count carries "a state so far found Inf" as -1 between the launches of one update.
  if (first && scaler->growth_count < 0) scaler->growth_count = 0;
  const bool found = state != nullptr && state->found_inf != 0;
  if (found && scaler->growth_count >= 0) {
    const float reduced = scaler->scale * static_cast<float>(attrs.backoff);
    const float least = static_cast<float>(attrs.min);
    scaler->scale = reduced < least ? least : reduced;
    scaler->growth_count = -1;
    ++scaler->backoffs;
  }
  if (!last) return;
  if (scaler->growth_count < 0) {
    scaler->growth_count = 0;
    return;
  }
  if (++scaler->growth_count < attrs.interval) return;
  scaler->growth_count = 0;
  const float grown = scaler->scale * static_cast<float>(attrs.growth);
  if (isinf(grown)) return;
  scaler->scale = grown;
  ++scaler->growths;
}

void update_loss_scale(const KernelArgs& args) {
  const auto states = args.list(1);
  const std::size_t launches = std::max<std::size_t>(1, states.size());
  for (std::size_t i = 0; i < launches; ++i) {
    const StepState* state = states.empty() ? nullptr : states[i].as<const StepState>();
    launch(args, loss_scale_kernel, 1, 1, args.attrs<LossScaleAttrs>(),
           args.in(0).as<LossScalerState>(), state, i + 1 == launches, i == 0);
  }
}

}  // namespace

void register_optimizer() {
  // The state's dtype is the key: one call takes parameters of any floating dtype.
  const auto add = [](std::string_view op, const KernelRow& row) {
    add_kernel(op, DeviceKind::cuda, {DType::u8}, row);
  };
  add("begin_update", {.variant = "segments", .run = begin_update, .workspace = begin_workspace});
  add("adam_step", {.variant = "segments", .run = adam_step});
  add("update_loss_scale", {.variant = "one_thread", .run = update_loss_scale});
}

}  // namespace weft::cuda
