// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/tensor.h"
#include "weft/nn/parameter.h"

namespace weft {

/// Tensors by name, in the order of the module that they come from.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

}  // namespace weft

namespace weft::nn {

/// A parameter and its names: the first one met, and where it is tied elsewhere.
struct NamedParameter {
  std::string name;
  Parameter parameter;
  std::vector<std::string> aliases;
};

struct NamedBuffer {
  std::string name;
  Buffer buffer;
};

/// What a hook sees of one call of a module.
struct ForwardCall {
  const std::string& path;  ///< from the root: `encoder.fc1`; empty for the root itself
  const std::string& type;  ///< `Linear`
  const Tensor& input;
  Tensor&
      output;  ///< undefined before the call; a hook after it may put another tensor in its place
};
using ForwardHook = std::function<void(const ForwardCall&)>;

namespace detail {
struct ModuleState;
}

/// Removes its hooks when destroyed.
class WEFT_API HookHandle {
 public:
  HookHandle() = default;
  HookHandle(HookHandle&&) noexcept = default;
  HookHandle& operator=(HookHandle&& other) noexcept;
  ~HookHandle();
  void remove() noexcept;

 private:
  friend class Module;
  std::vector<std::weak_ptr<detail::ModuleState>> modules_;
  std::uint64_t id_ = 0;
};

class EvalScope;

/// A part of a network with parameters, buffers and children. A handle: copies and moves share one
/// state, so a module may be returned, stored and passed by value, and never dangles.
///
///   class Net : public nn::Module {
///     nn::Linear fc1 = child("fc1", nn::Linear(64, 128));
///     nn::Linear fc2 = child("fc2", nn::Linear(128, 10));
///    public:
///     Tensor forward(const Tensor& x) override { return fc2(relu(fc1(x))); }
///   };
class WEFT_API Module {
 public:
  /// `type` is what summaries and hooks call it.
  explicit Module(std::string_view type = "Module");
  // Only copies are declared: a move shares as well, and leaves no empty handle behind.
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;
  virtual ~Module();

  /// Runs hooks and `forward` under the module's path, which errors, memory accounts and the
  /// profiler name.
  Tensor operator()(const Tensor& x);
  /// The computation. Throws Error(unsupported) unless overridden.
  virtual Tensor forward(const Tensor& x);

  /// Names from the root that this module is: its own first, then its children's in order of
  /// registration. A tied parameter stands once, under its first name.
  std::vector<NamedParameter> named_parameters() const;
  std::vector<Parameter> parameters() const;
  std::vector<NamedBuffer> named_buffers() const;
  /// Elements of all parameters, tied ones once.
  std::int64_t parameter_count() const;

  const std::string& type() const noexcept;
  /// `encoder.fc1`; empty for a root.
  std::string path() const;

  /// Training mode of this module and all below: dropout draws, batch_norm uses and updates its
  /// statistics.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const noexcept;

  /// Moves or converts all parameters and buffers in place. Integer buffers keep their dtype, and
  /// halves leave buffers in f32. Make optimizers afterwards.
  void to(Device device);
  void to(DType dtype);

  /// Parameters and buffers by name, sharing their memory; tied parameters once.
  StateDict state_dict() const;
  /// Copies `values` in, converting device and dtype. All names and shapes are checked first: when
  /// one is missing, unexpected or of another shape, nothing is written and Error(model_file) lists
  /// them all. The name of a tied copy is accepted for its parameter.
  void load_state_dict(const StateDict& values);

  /// Freezes (or thaws) the parameters whose names fit the glob `pattern`; how many there are.
  /// Throws Error(value) when none does.
  std::int64_t freeze(std::string_view pattern, bool frozen = true);

  /// Calls `hook` after (before) each call of every module whose path fits the glob `pattern`; `""`
  /// is this module itself. Throws Error(value) when none does.
  [[nodiscard]] HookHandle on_forward(std::string_view pattern, ForwardHook hook);
  [[nodiscard]] HookHandle before_forward(std::string_view pattern, ForwardHook hook);

  /// A table: path, type, output shape, parameters. Output shapes are there when `input` is given;
  /// it runs once in evaluation mode, without gradients.
  std::string summary(const Tensor& input = {});

 protected:
  /// Registers a part. Names are unique within a module and contain no dot: Error(value). Returns
  /// `module`.
  template <std::derived_from<Module> M>
  M child(std::string_view name, M module) {
    adopt(name, module);
    return module;
  }
  std::shared_ptr<Module> child(std::string_view name, std::shared_ptr<Module> module) {
    adopt(name, *module);
    return module;
  }
  /// Registers a parameter with a value, or one to share (which ties it).
  Parameter parameter(std::string_view name, Tensor value);
  Parameter parameter(std::string_view name, Parameter shared);
  Buffer buffer(std::string_view name, Tensor value);
  /// `bias=false`: what a summary adds to the type.
  void describe_as(std::string details);

 private:
  friend class EvalScope;
  void adopt(std::string_view name, const Module& module);
  HookHandle add_hook(std::string_view pattern, ForwardHook hook, bool before);

  std::shared_ptr<detail::ModuleState> state_;
};

using ModulePtr = std::shared_ptr<Module>;

}  // namespace weft::nn
