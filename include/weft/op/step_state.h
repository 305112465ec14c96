// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

/// What optimizer kernels read and write on the device, so that no step waits for the host.
namespace weft {

inline constexpr int kMaxParamGroups = 16;

struct ParamGroupState {
  double lr = 0;
  double weight_decay = 0;
};

/// Set by the host between steps, by one stream-ordered copy (`set_step_settings`).
struct StepSettings {
  ParamGroupState groups[kMaxParamGroups];
  double clip_norm = std::numeric_limits<double>::infinity();   ///< limit of the global L2 norm
  double clip_value = std::numeric_limits<double>::infinity();  ///< limit of every |gradient|
};

/// Why the last step was not applied, besides a gradient that is not finite. Bits.
enum StepError : std::uint32_t {
  kStepOk = 0,
  kStepNonfiniteLoss = 1,
};

/// The device state of one optimizer: a u8 tensor of sizeof(StepState) bytes (`make_step_state`).
/// `begin_update` writes all of it but `settings`; parameter kernels only read it.
struct StepState {
  StepSettings settings;
  std::uint64_t updates = 0;  ///< steps applied
  std::uint64_t skipped = 0;  ///< steps left out: found_inf or error
  double grad_norm = 0;  ///< L2 norm of the unscaled gradients after clip_value, before clip_norm
  double inverse_loss_scale = 1;      ///< 1 / loss scale of this step
  double clip_factor = 1;             ///< min(1, clip_norm / (grad_norm + 1e-6))
  std::int32_t found_inf = 0;         ///< 1 when a gradient of this step was Inf or NaN
  std::int32_t first_nonfinite = -1;  ///< the first parameter whose gradient was; -1 for none
  std::uint32_t error = kStepOk;      ///< StepError bits; cleared by a step without one
  std::uint32_t reserved = 0;

  /// Whether parameter kernels of this step may write.
  constexpr bool applies() const { return found_inf == 0 && error == kStepOk; }
};

/// The device state of a dynamic loss scaler: a u8 tensor of sizeof(LossScalerState) bytes. `scale`
/// is first, so that an f32 scalar over the same bytes multiplies the loss (`loss_scale_of`).
struct LossScalerState {
  float scale = 65536;
  std::int32_t growth_count = 0;  ///< finite steps since the last change
  std::uint64_t growths = 0;
  std::uint64_t backoffs = 0;
};

static_assert(std::is_trivially_copyable_v<StepState> && sizeof(StepState) == 328);
static_assert(std::is_trivially_copyable_v<LossScalerState> && sizeof(LossScalerState) == 24);
static_assert(offsetof(StepState, settings) == 0 && offsetof(LossScalerState, scale) == 0);

}  // namespace weft
