// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "weft/base/error.h"
#include "weft/core/context.h"
#include "weft/nn/activation.h"
#include "weft/nn/conv.h"
#include "weft/nn/eval_scope.h"
#include "weft/nn/init.h"
#include "weft/nn/linear.h"
#include "weft/nn/norm.h"
#include "weft/nn/sequential.h"

namespace weft {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Texts = std::vector<std::pair<std::string, std::string>>;

OptionValues options_of(const std::string& type, const Texts& texts) {
  return OptionValues::parse(nn::layer_registry().at(type).options, texts, type);
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

/// f32 [n, 1]
Tensor column(const std::vector<float>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size()), 1});
}

Tensor images(const Shape& sample, std::int64_t batch) {
  return nn::init::normal(empty(sample.inserted(0, batch)));
}

struct LayerCase {
  std::string type;
  Texts options;
  Shape input;
  Shape output;
};

class LayerRegistryTest : public ::testing::TestWithParam<LayerCase> {};

TEST_P(LayerRegistryTest, BuildsWhatItsShapeInferenceSays) {
  const LayerCase& c = GetParam();
  const OptionValues options = options_of(c.type, c.options);
  const nn::LayerFactory& factory = nn::layer_registry().at(c.type).make;
  EXPECT_EQ(factory.output_shape(options, c.input), c.output);
  const nn::ModulePtr module = factory.build(options, c.input);
  EXPECT_EQ((*module)(images(c.input, 3)).shape(), c.output.inserted(0, 3));
}

INSTANTIATE_TEST_SUITE_P(
    Layers, LayerRegistryTest,
    ::testing::Values(
        LayerCase{"linear", {{"out", "7"}}, {5}, {7}},
        LayerCase{"linear", {{"out", "7"}, {"bias", "false"}}, {4, 5}, {4, 7}},
        LayerCase{"conv2d", {{"out", "4"}, {"kernel", "3"}}, {8, 7, 2}, {6, 5, 4}},
        LayerCase{
            "conv2d", {{"out", "4"}, {"kernel", "3"}, {"padding", "same"}}, {8, 7, 2}, {8, 7, 4}},
        LayerCase{"conv2d",
                  {{"out", "4"}, {"kernel", "[3, 5]"}, {"stride", "2"}, {"padding", "[1, 2]"}},
                  {9, 8, 2},
                  {5, 4, 4}},
        LayerCase{"conv2d",
                  {{"out", "4"}, {"kernel", "3"}, {"dilation", "2"}, {"groups", "2"}},
                  {9, 8, 2},
                  {5, 4, 4}},
        LayerCase{"max_pool2d", {{"kernel", "2"}}, {9, 8, 3}, {4, 4, 3}},
        LayerCase{"max_pool2d",
                  {{"kernel", "3"}, {"stride", "1"}, {"padding", "1"}},
                  {5, 4, 3},
                  {5, 4, 3}},
        LayerCase{"flatten", {}, {4, 3, 2}, {24}},
        LayerCase{"batch_norm", {}, {4, 3, 2}, {4, 3, 2}},
        LayerCase{"batch_norm", {{"affine", "false"}}, {5}, {5}},
        LayerCase{"layer_norm", {}, {6}, {6}},
        LayerCase{"layer_norm", {{"dims", "2"}}, {4, 3, 2}, {4, 3, 2}},
        LayerCase{"dropout", {{"p", "0.25"}}, {6}, {6}}, LayerCase{"relu", {}, {4, 2}, {4, 2}},
        LayerCase{"gelu", {{"tanh", "true"}}, {6}, {6}}, LayerCase{"softmax", {}, {4, 6}, {4, 6}}),
    [](const auto& info) { return info.param.type + "_" + std::to_string(info.index); });

TEST(Layers, EmbeddingTakesIndices) {
  const OptionValues options = options_of("embedding", {{"count", "5"}, {"out", "3"}});
  const nn::LayerFactory& factory = nn::layer_registry().at("embedding").make;
  EXPECT_EQ(factory.output_shape(options, {2}), (Shape{2, 3}));
  const Tensor indices = Tensor::from(std::vector<std::int64_t>{0, 4, 1, 1}, {2, 2});
  EXPECT_EQ((*factory.build(options, {2}))(indices).shape(), (Shape{2, 2, 3}));
}

TEST(Layers, EveryRegisteredLayerDocumentsItselfAndItsOptions) {
  for (const std::string& name : nn::layer_registry().names()) {
    const auto& entry = nn::layer_registry().at(name);
    EXPECT_FALSE(entry.doc.empty()) << name;
    for (const OptionSpec& option : entry.options) EXPECT_FALSE(option.doc.empty()) << option.name;
  }
}

TEST(Layers, ShapesThatDoNotFitNameLayerAndShape) {
  const auto shape_of = [](const std::string& type, const Texts& texts, const Shape& input) {
    return nn::layer_registry().at(type).make.output_shape(options_of(type, texts), input);
  };
  const Texts conv = {{"out", "4"}, {"kernel", "3"}};
  EXPECT_THAT(message_of([&] { shape_of("conv2d", conv, {64}); }),
              HasSubstr("conv2d: samples are [64] but must be [H, W, C]"));
  EXPECT_THAT(message_of([&] { shape_of("conv2d", conv, {2, 2, 1}); }),
              HasSubstr("window spans 3 of 2"));
  EXPECT_THAT(message_of([&] { shape_of("layer_norm", {{"dims", "2"}}, {8}); }),
              HasSubstr("dims is 2 but samples are [8]"));
}

TEST(Layers, SamePaddingNeedsStrideOneAndAnOddKernel) {
  EXPECT_THAT(message_of([] { nn::Conv2d(1, 1, {.kernel = 3, .stride = 2, .padding = nn::same}); }),
              HasSubstr("padding is same but stride is 2"));
  EXPECT_THAT(message_of([] { nn::Conv2d(1, 1, {.kernel = 4, .padding = nn::same}); }),
              HasSubstr("use an odd kernel"));
}

TEST(Layers, AnExternalLayerIsBuiltByName) {
  class Twice : public nn::Module {
   public:
    Tensor forward(const Tensor& x) override { return nn::ReLU()(x); }
  };
  nn::register_layer("test_twice", "for this test", {},
                     {[](const OptionValues&, const Shape& in) { return in; },
                      [](const OptionValues&, const Shape&) -> nn::ModulePtr {
                        return std::make_shared<Twice>();
                      }});
  EXPECT_THAT(nn::layer_registry().names(), Contains("test_twice"));
  const auto& factory = nn::layer_registry().at("test_twice").make;
  EXPECT_EQ((*factory.build({}, {2}))(Tensor::of({{-1, 1}})).shape(), (Shape{1, 2}));
  EXPECT_THAT(message_of([] { nn::register_layer("relu", "", {}, {}); }),
              HasSubstr("registered already"));
}

TEST(Layers, AnUnknownLayerOffersTheNearestName) {
  EXPECT_THAT(message_of([] { nn::layer_registry().at("conv2"); }), HasSubstr("`conv2d`"));
}

TEST(Linear, ComputesXTimesWeightTransposedPlusBias) {
  nn::Linear linear(2, 2);
  linear.load_state_dict(
      {{"weight", Tensor::of({{1, 2}, {3, 4}})}, {"bias", Tensor::of({10, 20})}});
  EXPECT_THAT(linear(Tensor::of({{1, 1}})).to_vector(), ElementsAre(13, 27));
}

TEST(Linear, StartsWithinOneOverRootIn) {
  nn::Linear linear(100, 50);
  for (const Parameter& parameter : linear.parameters()) {
    for (const double v : parameter.tensor().to_vector()) ASSERT_LE(std::abs(v), 0.1);
  }
}

TEST(Linear, RefusesASharedWeightThatIsNoMatrix) {
  EXPECT_THAT(message_of([] { nn::Linear{Parameter(Tensor::of({1, 2}))}; }),
              HasSubstr("weight is f32[2]"));
}

TEST(Embedding, ThePaddingRowIsZero) {
  nn::Embedding table(3, 4, {.padding_index = 1});
  EXPECT_THAT(table(Tensor::from(std::vector<std::int64_t>{1}, {1})).to_vector(), Each(0));
}

TEST(BatchNorm, EvaluationUsesRunningStatistics) {
  nn::BatchNorm norm(1, {.momentum = 1.0});
  const Tensor x = column({1, 3});
  norm(x);
  EXPECT_THAT(norm.running_mean().tensor().to_vector(), ElementsAre(2));
  EXPECT_THAT(norm.running_var().tensor().to_vector(), ElementsAre(2)) << "the unbiased variance";
  norm.eval();
  EXPECT_NEAR(norm(column({2})).item(), 0, 1e-6);
  EXPECT_THAT(norm.running_mean().tensor().to_vector(), ElementsAre(2)) << "evaluation only reads";
}

TEST(LayerNorm, RefusesAnotherTrailingShape) {
  nn::LayerNorm norm(Shape{3, 2});
  EXPECT_THAT(message_of([&] { norm(empty({4, 2, 2})); }),
              HasSubstr("x is f32[4,2,2] but its last dimensions must be [3,2]"));
}

TEST(Dropout, IsTheIdentityInEvaluation) {
  nn::Dropout dropout(0.9);
  const Tensor x = Tensor::of({1, 2, 3});
  const nn::EvalScope scope(dropout);
  EXPECT_TRUE(dropout(x).same_as(x));
}

TEST(Dropout, RefusesProbabilityOne) {
  EXPECT_THAT(message_of([] { nn::Dropout(1.0); }), HasSubstr("p is 1 but must be in [0, 1)"));
}

TEST(Sequential, NamesItsPartsByPositionUnlessTold) {
  nn::Sequential net(nn::Flatten(), nn::Linear(4, 3));
  net.add("out", nn::Linear(3, 2, {.bias = false}));
  std::vector<std::string> names;
  for (const auto& entry : net.named_parameters()) names.push_back(entry.name);
  EXPECT_THAT(names, ElementsAre("1.weight", "1.bias", "out.weight"));
  EXPECT_EQ(net(empty({5, 2, 2}).fill_(1)).shape(), (Shape{5, 2}));
}

TEST(Sequential, RunsItsPartsAsModulesWithPathsAndHooks) {
  nn::Sequential net{nn::ReLU(), nn::Sequential{nn::ReLU()}};
  std::vector<std::string> seen;
  const auto hook =
      net.on_forward("?*", [&](const nn::ForwardCall& call) { seen.push_back(call.path); });
  net(Tensor::of({1, 2}));
  EXPECT_THAT(seen, ElementsAre("0", "1.0", "1"));
}

TEST(Sequential, CopiesSeePartsAddedLater) {
  nn::Sequential net;
  nn::Sequential copy = net;
  net.add(nn::ReLU());
  EXPECT_EQ(copy.size(), 1u);
}

TEST(Models, AreDrawnAlikeForTheSameSeed) {
  const auto weights = [] {
    const ContextScope scope(Context::make({}, 11));
    std::vector<std::vector<double>> out;
    for (const auto& [name, value] :
         nn::Sequential(nn::Conv2d(1, 2), nn::Linear(2, 3)).state_dict()) {
      out.push_back(value.to_vector());
    }
    return out;
  };
  EXPECT_EQ(weights(), weights());
}

}  // namespace
}  // namespace weft
