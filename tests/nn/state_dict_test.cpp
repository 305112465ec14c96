// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "weft/base/error.h"
#include "weft/core/context.h"
#include "weft/nn/init.h"
#include "weft/nn/linear.h"
#include "weft/nn/norm.h"
#include "weft/nn/sequential.h"

namespace weft {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

StateDict clones(const StateDict& values) {
  StateDict out;
  for (const auto& [name, value] : values) out.emplace_back(name, value.clone());
  return out;
}

std::string load_error(nn::Module& module, const StateDict& values) {
  try {
    module.load_state_dict(values);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::model_file);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(StateDict, HoldsParametersAndBuffersByPath) {
  const nn::Sequential net(nn::Linear(2, 3), nn::BatchNorm(3));
  std::vector<std::string> names;
  for (const auto& [name, value] : net.state_dict()) names.push_back(name);
  EXPECT_THAT(names, ::testing::ElementsAre("0.weight", "0.bias", "1.weight", "1.bias",
                                            "1.running_mean", "1.running_var"));
}

TEST(StateDict, LoadingWritesInPlaceAndConvertsDtype) {
  nn::Linear from(2, 3);
  nn::Linear to(2, 3);
  from.to(DType::f64);
  const Tensor before = to.weight().tensor();
  to.load_state_dict(from.state_dict());
  EXPECT_TRUE(to.weight().tensor().same_as(before));
  EXPECT_EQ(to.weight().dtype(), DType::f32);
  EXPECT_EQ(to.weight().tensor().to_vector(), from.weight().tensor().to_vector());
}

TEST(StateDict, ListsMissingUnexpectedAndMisshapenNamesTogether) {
  nn::Sequential net(nn::Linear(2, 3), nn::Linear(3, 1));
  StateDict values = clones(net.state_dict());
  values[0].first = "0.weights";
  values[2].second = Tensor::of({{1, 2}});
  const std::string text = load_error(net, values);
  EXPECT_THAT(text, HasSubstr("missing     0.weight  f32[3,2]"));
  EXPECT_THAT(text, HasSubstr("unexpected  0.weights  f32[3,2]; near: 0.weight"));
  EXPECT_THAT(text, HasSubstr("shape       1.weight  is f32[1,2], needs [1,3]"));
}

TEST(StateDict, AFailedLoadWritesNothing) {
  nn::Sequential net(nn::Linear(2, 3), nn::Linear(3, 1));
  const StateDict before = clones(net.state_dict());
  StateDict values = clones(before);
  for (auto& [name, value] : values) value.fill_(7);
  values.pop_back();
  load_error(net, values);
  const StateDict after = net.state_dict();
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].second.to_vector(), before[i].second.to_vector()) << after[i].first;
  }
}

class Tied : public nn::Module {
  nn::Linear first = child("first", nn::Linear(2, 2, {.bias = false}));
  nn::Linear second = child("second", nn::Linear(first.weight()));
};

TEST(StateDict, WritesATiedParameterOnceAndAcceptsItsAlias) {
  Tied net;
  StateDict values = clones(net.state_dict());
  ASSERT_EQ(values.size(), 1u);
  values[0].second.fill_(5);
  values[0].first = "second.weight";
  net.load_state_dict(values);
  EXPECT_THAT(net.parameters()[0].tensor().to_vector(), Each(5));
}

TEST(StateDict, RefusesDifferentValuesForTiedNames) {
  Tied net;
  StateDict values = clones(net.state_dict());
  values.emplace_back("second.weight", values[0].second.clone().fill_(3));
  EXPECT_THAT(load_error(net, values), HasSubstr("is one with first.weight"));
}

TEST(Init, FansFollowTheWeightLayout) {
  EXPECT_EQ(nn::init::fans_of({5, 3}).in, 3);
  EXPECT_EQ(nn::init::fans_of({5, 3}).out, 5);
  EXPECT_EQ(nn::init::fans_of({8, 3, 2, 4}).in, 24);
  EXPECT_EQ(nn::init::fans_of({8, 3, 2, 4}).out, 48);
  EXPECT_THROW(nn::init::fans_of({8}), Error);
}

struct Moments {
  double mean = 0;
  double variance = 0;
};
Moments moments_of(const Tensor& x) {
  Moments out;
  const auto values = x.to_vector();
  const auto n = static_cast<double>(values.size());
  for (const double v : values) out.mean += v / n;
  for (const double v : values) out.variance += (v - out.mean) * (v - out.mean) / n;
  return out;
}

// 40 000 draws: the standard error of the variance is below 1 %.
TEST(Init, VariancesAreThoseOfTheirFormulas) {
  set_seed(3);
  using namespace nn::init;
  const Shape shape{200, 200};
  EXPECT_NEAR(moments_of(xavier_uniform(empty(shape))).variance, 2.0 / 400, 2e-4);
  EXPECT_NEAR(moments_of(xavier_normal(empty(shape))).variance, 2.0 / 400, 2e-4);
  EXPECT_NEAR(moments_of(kaiming_uniform(empty(shape))).variance, 2.0 / 200, 4e-4);
  EXPECT_NEAR(moments_of(kaiming_normal(empty(shape))).variance, 2.0 / 200, 4e-4);
  EXPECT_NEAR(moments_of(normal(empty(shape), 5, 2)).mean, 5, 0.05);
  // A normal cut at two deviations has 0.774 of the variance.
  EXPECT_NEAR(moments_of(truncated_normal(empty(shape))).variance, 0.7737, 0.03);
  for (const double v : truncated_normal(empty(shape), 0, 1, 1.5).to_vector()) {
    ASSERT_LE(std::abs(v), 1.5);
  }
}

TEST(Init, OrthogonalRowsOrColumnsAreOrthonormal) {
  for (const Shape& shape : {Shape{6, 17}, Shape{17, 6}}) {
    const Tensor w = nn::init::orthogonal(empty(shape, {.dtype = DType::f64}), 2);
    const auto v = w.to_vector();
    const bool wide = shape[0] < shape[1];
    const auto at = [&](std::int64_t i, std::int64_t k) {
      return v[static_cast<std::size_t>(wide ? i * shape[1] + k : k * shape[1] + i)];
    };
    for (std::int64_t i = 0; i < 6; ++i) {
      for (std::int64_t j = 0; j < 6; ++j) {
        double dot = 0;
        for (std::int64_t k = 0; k < 17; ++k) dot += at(i, k) * at(j, k);
        EXPECT_NEAR(dot, i == j ? 4 : 0, 1e-12);
      }
    }
  }
}

TEST(Init, DrawsDependOnTheSeedAndTheOrderAlone) {
  const auto draw = [](std::uint64_t seed) {
    const ContextScope scope(Context::make({}, seed));
    nn::init::normal(empty({7}));
    return nn::init::normal(empty({5})).to_vector();
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Init, AppliesToWeightsAndZeroesTheirBiases) {
  nn::Sequential net(nn::Linear(8, 4), nn::LayerNorm(4));
  nn::init::apply(net, "orthogonal");
  const StateDict values = net.state_dict();
  double row = 0;
  for (int i = 0; i < 8; ++i) {
    row += std::pow(values[0].second.to_vector()[static_cast<std::size_t>(i)], 2);
  }
  EXPECT_NEAR(row, 1, 1e-5);
  EXPECT_THAT(values[1].second.to_vector(), Each(0));
  EXPECT_THAT(values[2].second.to_vector(), Each(1)) << "norms keep their own values";
}

TEST(Init, UnknownNameOffersTheNearest) {
  nn::Linear linear(2, 2);
  try {
    nn::init::apply(linear, "kaiming_norml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("`kaiming_normal`"));
  }
}

}  // namespace
}  // namespace weft
