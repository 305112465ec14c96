// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <memory>

#include "tests/ops/support/op_row.h"
#include "tests/ops/support/optimizer_step.h"
#include "weft/base/error.h"
#include "weft/core/context.h"
#include "weft/ops/cast.h"

namespace weft::test {
namespace {

/// Tensors that exist before a step: copied to each device once, so that no step makes them.
class Given {
 public:
  explicit Given(Tensor value) : by_device_(std::make_shared<std::map<int, Tensor>>()) {
    (*by_device_)[key(Device())] = std::move(value);
  }
  /// A copy on the current device that a step may write.
  Tensor copy() const {
    const Device device = current_settings().device;
    Tensor& tensor = (*by_device_)[key(device)];
    if (!tensor.defined()) tensor = (*by_device_)[key(Device())].to(device);
    return tensor.clone();
  }

 private:
  static int key(Device device) { return static_cast<int>(device.kind) * 256 + device.index; }
  std::shared_ptr<std::map<int, Tensor>> by_device_;
};

/// Zeros for what is kept beside a parameter.
Tensor kept_for(const Tensor& param) {
  return cast(param, param.dtype() == DType::f64 ? DType::f64 : DType::f32).clone().fill_(0);
}

/// A few steps with the same gradients. Inputs are p0, g0, p1, g1, ...; parameter i is in group i
/// % 2.
struct Recipe {
  const char* name;
  std::vector<Shape> shapes;
  StepSettings settings;
  bool last_inactive = false;
};

constexpr int kSteps = 3;

std::vector<Arg> args_of(const Recipe& r) {
  std::vector<Arg> args;
  for (const Shape& shape : r.shapes) {
    args.push_back({.shape = shape, .grad = false});
    args.push_back({.shape = shape, .grad = false});
  }
  return args;
}

struct Inputs {
  std::vector<Tensor> params, grads;
};

Inputs split_inputs(const Recipe& r, In x) {
  Inputs in;
  for (std::size_t i = 0; i < r.shapes.size(); ++i) {
    in.params.push_back(x[2 * i].clone());
    in.grads.push_back(r.last_inactive && i + 1 == r.shapes.size() ? Tensor() : x[2 * i + 1]);
  }
  return in;
}

/// The gradients as a step uses them: clamped, then scaled to the norm limit.
std::vector<Values> clipped_grads(const std::vector<Tensor>& grads, const StepSettings& s) {
  std::vector<Values> result;
  double squares = 0;
  for (const Tensor& grad : grads) {
    result.push_back(grad.defined() ? grad.to_vector() : Values());
    for (double& g : result.back()) {
      g = std::min(std::max(g, -s.clip_value), s.clip_value);
      squares += g * g;
    }
  }
  const double factor = std::min(1.0, s.clip_norm / (std::sqrt(squares) + 1e-6));
  for (Values& values : result) {
    for (double& g : values) g *= factor;
  }
  return result;
}

template <class Reference, class Attrs>
std::vector<Tensor> reference_steps(const Recipe& r, const Attrs& attrs, In x) {
  Inputs in = split_inputs(r, x);
  const std::vector<Values> grads = clipped_grads(in.grads, r.settings);
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < in.params.size(); ++i) {
    Values p = in.params[i].to_vector();
    Reference reference{attrs, r.settings.groups[i % 2]};
    for (int step = 0; step < kSteps && in.grads[i].defined(); ++step) reference.step(p, grads[i]);
    result.push_back(Tensor::from(p, r.shapes[i]));
  }
  return result;
}

/// Everything a step needs beside parameters and gradients.
struct Fixture {
  Given state, groups, updates;
  Fixture(const StepSettings& s, std::size_t params)
      : state(make_step_state(s)),
        groups(i32(alternating(params))),
        updates(i32(std::vector<std::int32_t>(params))) {}
  static std::vector<std::int32_t> alternating(std::size_t count) {
    std::vector<std::int32_t> groups(count);
    for (std::size_t i = 0; i < count; ++i) groups[i] = static_cast<std::int32_t>(i % 2);
    return groups;
  }
};

/// `update(targets, kept)` after `begin_update`, kSteps times; `kept` holds `moments` tensors per
/// parameter.
template <class Update>
std::vector<Tensor> run_steps(const Recipe& r, const Fixture& fixture, int moments, In x,
                              const Update& update) {
  Inputs in = split_inputs(r, x);
  Tensor state = fixture.state.copy(), groups = fixture.groups.copy(),
         updates = fixture.updates.copy();
  std::vector<std::vector<Tensor>> kept(2);
  for (int k = 0; k < moments; ++k) {
    for (const Tensor& p : in.params) kept[static_cast<std::size_t>(k)].push_back(kept_for(p));
  }
  for (int step = 0; step < kSteps; ++step) {
    begin_update(state, updates, in.grads);
    update(UpdateTargets{state, groups, updates, in.params, in.grads}, kept);
  }
  return in.params;
}

Sample sgd_sample(const Recipe& r, const SgdAttrs& attrs = {}) {
  const Fixture fixture(r.settings, r.shapes.size());
  return {.name = r.name,
          .args = args_of(r),
          .run =
              [=](In x) {
                return run_steps(r, fixture, attrs.momentum != 0 ? 1 : 0, x,
                                 [&](const UpdateTargets& targets, const auto& kept) {
                                   sgd_step(targets, kept[0], attrs);
                                 });
              },
          .reference = [=](In x) { return reference_steps<SgdReference>(r, attrs, x); }};
}

Sample adam_sample(const Recipe& r, const AdamAttrs& attrs = {}) {
  const Fixture fixture(r.settings, r.shapes.size());
  return {.name = r.name,
          .args = args_of(r),
          .run =
              [=](In x) {
                return run_steps(r, fixture, 2, x,
                                 [&](const UpdateTargets& targets, const auto& kept) {
                                   adam_step(targets, kept[0], kept[1], attrs);
                                 });
              },
          .reference = [=](In x) { return reference_steps<AdamReference>(r, attrs, x); }};
}

/// A field of a state tensor as a tensor of its own.
Tensor field(const Tensor& state, std::size_t offset, DType dtype) {
  return Tensor::over(
             StorageRef::share(state.impl()->storage),
             offset + static_cast<std::size_t>(state.impl()->data - state.impl()->storage->data),
             {}, dtype)
      .clone();
}

std::vector<Tensor> begin_update_reference(const Recipe& r, In x) {
  const Inputs in = split_inputs(r, x);
  StepSettings unlimited = r.settings;
  unlimited.clip_norm = kNone;
  double squares = 0;
  std::vector<std::int32_t> updates;
  for (const Values& values : clipped_grads(in.grads, unlimited)) {
    for (const double g : values) squares += g * g;
  }
  for (const Tensor& grad : in.grads) updates.push_back(grad.defined() ? 1 : 0);
  const double norm = std::sqrt(squares);
  return {Tensor::from(Values{norm}, {}),
          Tensor::from(Values{std::min(1.0, r.settings.clip_norm / (norm + 1e-6))}, {}),
          i32(updates)};
}

Sample begin_update_sample(const Recipe& r) {
  const Fixture fixture(r.settings, r.shapes.size());
  return {.name = r.name,
          .args = args_of(r),
          .run =
              [=](In x) {
                const Inputs in = split_inputs(r, x);
                Tensor state = fixture.state.copy(), updates = fixture.updates.copy();
                begin_update(state, updates, in.grads);
                return std::vector{field(state, offsetof(StepState, grad_norm), DType::f64),
                                   field(state, offsetof(StepState, clip_factor), DType::f64),
                                   updates};
              },
          .reference = [=](In x) { return begin_update_reference(r, x); }};
}

/// `finite` says for each step whether its gradients were.
Sample loss_scale_sample(const char* name, double scale, const LossScaleAttrs& attrs,
                         std::vector<bool> finite, double expected) {
  StepState overflowed;
  overflowed.found_inf = 1;
  const Given good(make_step_state());
  const Given bad(Tensor::from_bytes(std::as_bytes(std::span(&overflowed, 1)),
                                     Shape{sizeof(StepState)}, DType::u8));
  const Given scaler(make_loss_scaler(scale));
  return {.name = name,
          .args = {},
          .run =
              [=](In) {
                Tensor tensor = scaler.copy();
                for (const bool is_finite : finite) {
                  const Tensor states[] = {good.copy(), is_finite ? good.copy() : bad.copy()};
                  update_loss_scale(tensor, states, attrs);
                }
                return std::vector{loss_scale_of(tensor).clone()};
              },
          .reference = [=](In) { return std::vector{Tensor::from(Values{expected}, {})}; }};
}

const std::vector<Shape> kTwo = {{7, 5}, {5}};

std::vector<ErrorCase> target_errors(const std::string& op, void (*run)(Step&)) {
  const auto with = [run](auto change) {
    return [run, change] {
      Step step;
      change(step);
      run(step);
    };
  };
  return {
      {.name = "a state that is none",
       .run = with([](Step& s) { s.state = Tensor::of({1, 2}); }),
       .kind = ErrorKind::value,
       .message = op + ": state is f32[2] but must be what make_step_state returns"},
      {.name = "too few gradients",
       .run = with([](Step& s) { s.grads.pop_back(); }),
       .kind = ErrorKind::shape,
       .message = op + ": grads holds 1 tensors but there are 2 parameters; each needs one"},
      {.name = "a gradient of another shape",
       .run = with([](Step& s) { s.grads[1] = Tensor::of({1, 2, 3}); }),
       .kind = ErrorKind::shape,
       .message = op + ": grads[1] is f32[3] but params[1] is f32[2]; it needs the same shape and "
                       "the same dtype"},
      {.name = "a gradient of another dtype",
       .run = with([](Step& s) { s.grads[0] = cast(s.grads[0], DType::bf16); }),
       .kind = ErrorKind::dtype,
       .message = op + ": grads[0] is bf16[2] but params[0] is f32[2]; it needs the same shape and "
                       "the same dtype"},
      {.name = "groups of another length",
       .run = with([](Step& s) { s.groups = i32({0}); }),
       .kind = ErrorKind::shape,
       .message = op + ": groups is i32[1] but must be [2]: one value per parameter"},
      {.name = "a group that does not exist",
       .run = with([](Step& s) { s.groups = i32({0, 16}); }),
       .kind = ErrorKind::index,
       .message = op + ": groups[1] is 16 but there are 16 groups"},
  };
}

std::vector<ErrorCase> sgd_errors() {
  std::vector<ErrorCase> errors = target_errors("sgd_step", [](Step& s) { s.sgd(); });
  errors.push_back({.name = "nesterov without momentum",
                    .run = [] { Step().sgd({.nesterov = true}); },
                    .kind = ErrorKind::value,
                    .message = "sgd_step: nesterov needs a momentum above 0 and a dampening of 0, "
                               "got 0 and 0"});
  errors.push_back({.name = "negative momentum",
                    .run = [] { Step().sgd({.momentum = -0.5}); },
                    .kind = ErrorKind::value,
                    .message = "sgd_step: momentum is -0.5 but must be >= 0"});
  return errors;
}

std::vector<ErrorCase> adam_errors() {
  std::vector<ErrorCase> errors = target_errors("adam_step", [](Step& s) { s.adam(); });
  errors.push_back({.name = "beta of 1",
                    .run = [] { Step().adam({.beta2 = 1}); },
                    .kind = ErrorKind::value,
                    .message = "adam_step: beta2 is 1 but must be in [0, 1)"});
  errors.push_back({.name = "too few moments",
                    .run =
                        [] {
                          Step step;
                          step.v.pop_back();
                          step.adam();
                        },
                    .kind = ErrorKind::shape,
                    .message = "adam_step: exp_avg_sq holds 1 tensors but there are 2 parameters; "
                               "each needs one"});
  return errors;
}

ErrorCase loss_scale_error(const char* name, const LossScaleAttrs& attrs, std::string message) {
  return {.name = name,
          .run =
              [=] {
                Tensor scaler = make_loss_scaler();
                const Tensor state = make_step_state();
                update_loss_scale(scaler, std::span(&state, 1), attrs);
              },
          .kind = ErrorKind::value,
          .message = std::move(message)};
}

const OpRows rows{
    OpRow{
        .op = "begin_update",
        .samples =
            {
                begin_update_sample({"two", kTwo, settings(1)}),
                begin_update_sample({"one value", {{1}}, settings(1)}),
                begin_update_sample({"scalar", {{}}, settings(1)}),
                begin_update_sample({"none", {}, settings(1)}),
                begin_update_sample({"an empty one", {{3}, {0, 4}, {5}}, settings(1)}),
                begin_update_sample({"an inactive one", kTwo, settings(1), true}),
                begin_update_sample({"norm limit", kTwo, settings(1, 0, 0.5)}),
                begin_update_sample({"value limit", kTwo, settings(1, 0, kNone, 0.25)}),
                begin_update_sample({"both limits", kTwo, settings(1, 0, 0.5, 0.25)}),
                begin_update_sample(
                    {"several chunks", {{200, 333}, {7}, {40000}}, settings(1, 0, 3)}),
            },
        .errors =
            {
                {.name = "a state that is none",
                 .run =
                     [] {
                       Step step;
                       step.state = Tensor::of({1});
                       step.begin();
                     },
                 .kind = ErrorKind::value,
                 .message =
                     "begin_update: state is f32[1] but must be what make_step_state returns"},
                {.name = "updates of another dtype",
                 .run =
                     [] {
                       Step step;
                       step.updates = Tensor::of({0, 0});
                       step.begin();
                     },
                 .kind = ErrorKind::dtype,
                 .message = "begin_update: updates is f32[2] but must be i32"},
                {.name = "a loss of two values",
                 .run = [] { Step().begin({.loss = Tensor::of({1, 2})}); },
                 .kind = ErrorKind::shape,
                 .message = "begin_update: loss is f32[2] but must hold one value"},
                {.name = "a scaler that is none",
                 .run = [] { Step().begin({.scaler = Tensor::of(1.0)}); },
                 .kind = ErrorKind::value,
                 .message =
                     "begin_update: scaler is f32[] but must be what make_loss_scaler returns"},
            },
        .differentiable = false,
    },
    OpRow{
        .op = "sgd_step",
        .samples =
            {
                sgd_sample({"plain", kTwo, settings(0.1)}),
                sgd_sample({"decay", kTwo, settings(0.1, 0.3)}),
                sgd_sample({"momentum", kTwo, settings(0.1, 0.1)}, {.momentum = 0.9}),
                sgd_sample({"dampened", kTwo, settings(0.1)}, {.momentum = 0.9, .dampening = 0.5}),
                sgd_sample({"nesterov", kTwo, settings(0.1, 0.1)},
                           {.momentum = 0.8, .nesterov = true}),
                sgd_sample({"norm limit", kTwo, settings(0.1, 0.1, 0.5)}),
                sgd_sample({"value limit", kTwo, settings(0.1, 0, kNone, 0.2)}),
                sgd_sample({"one value", {{1}}, settings(0.1)}),
                sgd_sample({"scalar", {{}}, settings(0.1)}, {.momentum = 0.5}),
                sgd_sample({"an empty one", {{3}, {0, 4}, {5}}, settings(0.1)}),
                sgd_sample({"an inactive one", kTwo, settings(0.1), true}),
                sgd_sample({"several chunks", {{200, 333}, {7}}, settings(0.1, 0.1)},
                           {.momentum = 0.9}),
            },
        .errors = sgd_errors(),
        .differentiable = false,
    },
    OpRow{
        .op = "adam_step",
        .samples =
            {
                adam_sample({"adamw", kTwo, settings(0.1, 0.3)}),
                adam_sample({"adam", kTwo, settings(0.1)}, {.decoupled = false}),
                adam_sample({"adam with decay", kTwo, settings(0.1, 0.3)}, {.decoupled = false}),
                adam_sample({"other betas", kTwo, settings(0.05)}, {.beta1 = 0.5, .beta2 = 0.9}),
                adam_sample({"large eps", kTwo, settings(0.1)}, {.eps = 0.1}),
                adam_sample({"norm limit", kTwo, settings(0.1, 0.1, 0.5)}),
                adam_sample({"value limit", kTwo, settings(0.1, 0, kNone, 0.2)}),
                adam_sample({"one value", {{1}}, settings(0.1)}),
                adam_sample({"scalar", {{}}, settings(0.1)}),
                adam_sample({"an empty one", {{3}, {0, 4}, {5}}, settings(0.1)}),
                adam_sample({"an inactive one", kTwo, settings(0.1), true}),
                adam_sample({"several chunks", {{200, 333}, {7}}, settings(0.1, 0.1)}),
            },
        .errors = adam_errors(),
        .differentiable = false,
    },
    OpRow{
        .op = "update_loss_scale",
        .samples =
            {
                loss_scale_sample("keeps", 1024, {}, {true}, 1024),
                loss_scale_sample("no steps", 1024, {}, {}, 1024),
                loss_scale_sample("backs off", 1024, {}, {false}, 512),
                loss_scale_sample("backs off by another factor", 1024, {.backoff = 0.25}, {false},
                                  256),
                loss_scale_sample("not below the least", 4, {.min = 3}, {false, false}, 3),
                loss_scale_sample("grows", 8, {.interval = 2}, {true, true, true}, 16),
                loss_scale_sample("grows by another factor", 8, {.growth = 1.5, .interval = 1},
                                  {true}, 12),
                loss_scale_sample("counts anew after overflow", 8, {.interval = 2},
                                  {true, false, true}, 4),
                loss_scale_sample("not to infinity", 3e38, {.interval = 1}, {true}, 3e38f),
            },
        .errors =
            {
                loss_scale_error("shrinking growth", {.growth = 0.5},
                                 "update_loss_scale: growth is 0.5 but must be >= 1"),
                loss_scale_error("backoff of 0", {.backoff = 0},
                                 "update_loss_scale: backoff is 0 but must be in (0, 1]"),
                loss_scale_error("interval of 0", {.interval = 0},
                                 "update_loss_scale: interval is 0 but must be at least 1"),
                loss_scale_error("least scale of 0", {.min = 0},
                                 "update_loss_scale: min is 0 but must be above 0"),
            },
        .dtypes = {DType::f32},
        .differentiable = false,
    },
};

}  // namespace
}  // namespace weft::test
