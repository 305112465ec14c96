// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>

#include "weft/nn/module.h"
#include "weft/nn/options.h"
#include "weft/nn/registry.h"

namespace weft::nn {

/// How a config file's layer becomes a module. Shapes are of one sample, without the batch
/// dimension. Both throw Error(shape | value) when `input` or the options do not fit.
struct LayerFactory {
  /// The shape that the layer gives for samples of shape `input`.
  std::function<Shape(const OptionValues& options, const Shape& input)> output_shape;
  std::function<ModulePtr(const OptionValues& options, const Shape& input)> build;
};
using LayerRegistry = Registry<LayerFactory>;

/// All layers that a config file may name: linear, conv2d, max_pool2d, flatten, batch_norm,
/// layer_norm, dropout, embedding, relu, gelu, softmax, and what `register_layer` added.
WEFT_API LayerRegistry& layer_registry();

/// Adds a layer. `options` must live as long as the process. Throws Error(value) when the name is
/// taken, unless `replace`.
WEFT_API void register_layer(std::string name, std::string doc, std::span<const OptionSpec> options,
                             LayerFactory factory, bool replace = false);

}  // namespace weft::nn
