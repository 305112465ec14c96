// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/layers.h"

#include <utility>

#include "nn/conv_shapes.h"
#include "nn/layer_checks.h"
#include "weft/nn/activation.h"
#include "weft/nn/linear.h"
#include "weft/nn/norm.h"

namespace weft::nn {
namespace {

constexpr OptionSpec integer(std::string_view name, std::string_view doc) {
  return {.name = name,
          .type = OptionType::integer,
          .required = true,
          .range = at_least(1),
          .doc = doc};
}
constexpr OptionSpec pair(std::string_view name, std::string_view initial, double min,
                          std::string_view doc) {
  return {.name = name,
          .type = OptionType::pair,
          .initial = initial,
          .range = at_least(min),
          .doc = doc};
}
constexpr OptionSpec flag(std::string_view name, std::string_view initial, std::string_view doc) {
  return {.name = name, .type = OptionType::boolean, .initial = initial, .doc = doc};
}

constexpr OptionSpec kKernel{.name = "kernel",
                             .type = OptionType::pair,
                             .required = true,
                             .range = at_least(1),
                             .doc = "window: one number or [height, width]"};
constexpr OptionSpec kBias = flag("bias", "true", "learn a value added to each output");
constexpr OptionSpec kEps{
    .name = "eps", .initial = "1e-5", .range = above(0), .doc = "added to the variance"};
constexpr OptionSpec kAffine = flag("affine", "true", "learn a factor and an offset");

constexpr OptionSpec kLinear[] = {integer("out", "outputs"), kBias};
constexpr OptionSpec kConv2d[] = {
    integer("out", "output channels"),
    kKernel,
    pair("stride", "1", 1, "step of the window"),
    {.name = "padding",
     .type = OptionType::pair,
     .initial = "0",
     .range = at_least(0),
     .choices = "same",
     .doc = "zeros round the image; same: as many as keep its size, with stride 1"},
    pair("dilation", "1", 1, "distance of the kernel's cells"),
    {.name = "groups",
     .type = OptionType::integer,
     .initial = "1",
     .range = at_least(1),
     .doc = "groups of channels that do not mix"},
    kBias};
constexpr OptionSpec kMaxPool2d[] = {
    kKernel, pair("stride", "null", 1, "step of the window; null: the kernel's size"),
    pair("padding", "0", 0, "places round the image that never win")};
constexpr OptionSpec kBatchNorm[] = {{.name = "momentum",
                                      .initial = "0.1",
                                      .range = between(0, 1),
                                      .doc = "weight of a new batch in the running statistics"},
                                     kEps,
                                     kAffine};
constexpr OptionSpec kLayerNorm[] = {{.name = "dims",
                                      .type = OptionType::integer,
                                      .initial = "1",
                                      .range = at_least(1),
                                      .doc = "trailing dimensions that are normalised together"},
                                     kEps,
                                     kAffine};
constexpr OptionSpec kDropout[] = {
    {.name = "p", .initial = "0.5", .range = fraction(), .doc = "share of elements set to 0"}};
constexpr OptionSpec kEmbedding[] = {integer("count", "rows: indices are below it"),
                                     integer("out", "values of a row"),
                                     {.name = "padding_index",
                                      .type = OptionType::integer,
                                      .initial = "null",
                                      .range = at_least(0),
                                      .doc = "a row that is 0 and learns nothing"}};
constexpr OptionSpec kGelu[] = {
    flag("tanh", "false", "the tanh approximation instead of the exact form")};
constexpr OptionSpec kSoftmax[] = {
    {.name = "dim",
     .type = OptionType::integer,
     .initial = "-1",
     .doc = "dimension of one sample that sums to 1; -1 is the last"}};

Shape same_shape(const OptionValues&, const Shape& input) { return input; }

void require_rank(std::string_view layer, const Shape& input, int rank, std::string_view layout) {
  if (input.rank() == rank) return;
  throw Error(
      ErrorKind::shape, cat(layer, ": samples are ", input, " but must be ", layout),
      rank == 3 ? "give data.shape as [H, W, C], or put a layer before that makes images" : "");
}

std::int64_t last_dim(std::string_view layer, const Shape& input) {
  if (input.rank() == 0) {
    throw Error(ErrorKind::shape, cat(layer, ": samples are scalars but need a dimension"));
  }
  return input.back();
}

Shape linear_shape(const OptionValues& o, const Shape& input) {
  last_dim("linear", input);
  return input.with(input.rank() - 1, o.integer("out"));
}

Conv2dOptions conv2d_options(const OptionValues& o) {
  const auto two = [&](std::string_view name) { return Pair(o.pair(name)[0], o.pair(name)[1]); };
  return {.kernel = two("kernel"),
          .stride = two("stride"),
          .padding = o.is_text("padding") ? Padding(same) : Padding(two("padding")),
          .dilation = two("dilation"),
          .groups = o.integer("groups"),
          .bias = o.boolean("bias")};
}

/// Windows along one dimension; Error(shape) when not even one fits.
std::int64_t windows(std::string_view layer, const Shape& input, std::int64_t extent,
                     std::int64_t padding, std::int64_t window, std::int64_t stride) {
  if (extent + 2 * padding < window) {
    throw Error(ErrorKind::shape,
                cat(layer, ": samples are ", input, " but a window spans ", window, " of ",
                    extent + 2 * padding, " padded cells"),
                "use a smaller kernel or more padding");
  }
  return (extent + 2 * padding - window) / stride + 1;
}

Shape conv2d_shape(const OptionValues& values, const Shape& input) {
  require_rank("conv2d", input, 3, "[H, W, C]");
  const Conv2dOptions o = conv2d_options(values);
  const std::int64_t out = values.integer("out");
  require_conv2d(input[2], out, o);
  const Pair padding = padding_of(o);
  return {windows("conv2d", input, input[0], padding.h, o.dilation.h * (o.kernel.h - 1) + 1,
                  o.stride.h),
          windows("conv2d", input, input[1], padding.w, o.dilation.w * (o.kernel.w - 1) + 1,
                  o.stride.w),
          out};
}

MaxPool2dOptions max_pool2d_options(const OptionValues& o) {
  const auto two = [&](std::string_view name) { return Pair(o.pair(name)[0], o.pair(name)[1]); };
  MaxPool2dOptions out{.kernel = two("kernel"), .padding = two("padding")};
  if (!o.is_null("stride")) out.stride = two("stride");
  return out;
}

Shape max_pool2d_shape(const OptionValues& values, const Shape& input) {
  require_rank("max_pool2d", input, 3, "[H, W, C]");
  const MaxPool2dOptions o = max_pool2d_options(values);
  const Pair stride = o.stride.value_or(o.kernel);
  return {windows("max_pool2d", input, input[0], o.padding.h, o.kernel.h, stride.h),
          windows("max_pool2d", input, input[1], o.padding.w, o.kernel.w, stride.w), input[2]};
}

Shape layer_norm_dims(const OptionValues& o, const Shape& input) {
  const std::int64_t dims = o.integer("dims");
  if (dims > input.rank()) {
    throw Error(ErrorKind::shape, cat("layer_norm: dims is ", dims, " but samples are ", input));
  }
  return Shape(input.span().last(static_cast<std::size_t>(dims)));
}

std::int64_t softmax_dim(const OptionValues& o, const Shape& input) {
  return o.integer("dim") < 0 ? o.integer("dim") : input.dim_index(o.integer("dim"), "softmax") + 1;
}

/// `build` as a factory function that gives a handle to the module.
template <class Build>
auto module_from(Build build) {
  return [build](const OptionValues& options, const Shape& input) -> ModulePtr {
    return std::make_shared<decltype(build(options, input))>(build(options, input));
  };
}

using O = const OptionValues&;
using S = const Shape&;

void add_parametric(LayerRegistry& layers) {
  layers.add({"linear",
              "weighted sums of the last dimension",
              kLinear,
              {linear_shape, module_from([](O o, S in) {
                 return Linear(last_dim("linear", in), o.integer("out"),
                               {.bias = o.boolean("bias")});
               })}});
  layers.add({"conv2d",
              "convolution of images [H, W, C]",
              kConv2d,
              {conv2d_shape, module_from([](O o, S in) {
                 conv2d_shape(o, in);
                 return Conv2d(in[2], o.integer("out"), conv2d_options(o));
               })}});
  layers.add(
      {"embedding",
       "rows of a table, picked by indices",
       kEmbedding,
       {[](O o, S in) { return in.inserted(in.rank(), o.integer("out")); }, module_from([](O o, S) {
          const bool pads = !o.is_null("padding_index");
          return Embedding(o.integer("count"), o.integer("out"),
                           {.padding_index = pads ? o.integer("padding_index") : -1});
        })}});
  layers.add({"batch_norm",
              "normalises each channel over the batch",
              kBatchNorm,
              {same_shape, module_from([](O o, S in) {
                 return BatchNorm(last_dim("batch_norm", in), {.momentum = o.number("momentum"),
                                                               .eps = o.number("eps"),
                                                               .affine = o.boolean("affine")});
               })}});
  layers.add({"layer_norm",
              "normalises each sample over its last dimensions",
              kLayerNorm,
              {[](O o, S in) { return layer_norm_dims(o, in), in; }, module_from([](O o, S in) {
                 return LayerNorm(layer_norm_dims(o, in),
                                  {.eps = o.number("eps"), .affine = o.boolean("affine")});
               })}});
}

void add_plain(LayerRegistry& layers) {
  layers.add({"max_pool2d",
              "largest value of each window of images [H, W, C]",
              kMaxPool2d,
              {max_pool2d_shape, module_from([](O o, S in) {
                 max_pool2d_shape(o, in);
                 return MaxPool2d(max_pool2d_options(o));
               })}});
  layers.add(
      {"flatten",
       "a sample as one list, in the order of memory",
       {},
       {[](O, S in) { return Shape{in.numel()}; }, module_from([](O, S) { return Flatten(); })}});
  layers.add({"dropout",
              "sets elements to 0 at random in training",
              kDropout,
              {same_shape, module_from([](O o, S) { return Dropout(o.number("p")); })}});
  layers.add({"relu", "max(x, 0)", {}, {same_shape, module_from([](O, S) { return ReLU(); })}});
  layers.add({"gelu",
              "x times the normal distribution function of x",
              kGelu,
              {same_shape, module_from([](O o, S) { return GELU({.tanh = o.boolean("tanh")}); })}});
  layers.add({"softmax",
              "probabilities",
              kSoftmax,
              {[](O o, S in) { return (void)in.dim_index(o.integer("dim"), "softmax"), in; },
               module_from([](O o, S in) { return Softmax(softmax_dim(o, in)); })}});
}

}  // namespace

LayerRegistry& layer_registry() {
  static LayerRegistry* const registry = [] {
    auto* made = new LayerRegistry("layer");
    add_parametric(*made);
    add_plain(*made);
    return made;
  }();
  return *registry;
}

void register_layer(std::string name, std::string doc, std::span<const OptionSpec> options,
                    LayerFactory factory, bool replace) {
  layer_registry().add({std::move(name), std::move(doc), options, std::move(factory)}, replace);
}

}  // namespace weft::nn
