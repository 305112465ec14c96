// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/autograd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/autograd/support.h"
#include "tests/support/error_gallery.h"
#include "weft/autograd/gradcheck.h"

namespace weft::test {
namespace {

using testing::ElementsAre;

TEST(Backward, AccumulatesIntoLeavesInAFixedOrder) {
  Tensor x = leaf({2, 3});
  const Tensor y = times(x, x);
  y.backward(floats({1, 1}));
  EXPECT_THAT(values_of(x.grad()), ElementsAre(4, 6));
  times(x, x).backward(floats({1, 10}));
  EXPECT_THAT(values_of(x.grad()), ElementsAre(8, 66));
}

TEST(Backward, ZeroGradEmptiesTheSinkWithoutMovingIt) {
  Tensor x = leaf({2});
  times(x, x).backward();
  const std::byte* address = x.grad().impl()->data;
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
  times(x, x).backward();
  EXPECT_THAT(values_of(x.grad()), ElementsAre(4));
  EXPECT_EQ(x.grad().impl()->data, address);
}

TEST(Backward, OnlyWantedGradientsAreComputed) {
  Tensor x = leaf({2});
  const Tensor constant = floats({5});
  times(x, constant).backward();
  EXPECT_THAT(values_of(x.grad()), ElementsAre(5));
  EXPECT_FALSE(constant.requires_grad());
}

TEST(Backward, HandlesChainsOfAHundredThousandNodes) {
  Tensor x = leaf({1});
  const Tensor one = floats({1});
  Tensor y = x;
  for (int i = 0; i < 100'000; ++i) y = times(y, one);
  y.backward();
  EXPECT_THAT(values_of(x.grad()), ElementsAre(1));
}

TEST(Backward, SecondWalkNeedsRetainGraph) {
  Tensor x = leaf({3});
  const Tensor y = times(x, x);
  y.backward();
  expect_error(
      [&] { y.backward(); }, ErrorKind::state,
      "times: its saved tensors are gone, a backward pass already used them; pass {.retain_graph "
      "= true} to the first pass, or run the forward pass again",
      "autograd/second walk");
  const Tensor z = times(x, x);
  backward(z, {.retain_graph = true});
  z.backward();
  EXPECT_THAT(values_of(x.grad()), ElementsAre(18));
}

TEST(Backward, EditingASavedTensorIsNoticed) {
  Tensor x = leaf({3});
  Tensor c = floats({2});
  const Tensor y = times(x, c);
  c.mutable_data<float>()[0] = 7;
  expect_error(
      [&] { y.backward(); }, ErrorKind::state,
      "times: input 1 was written in place after the forward pass (version 0, now 1); its gradient "
      "would be wrong; write into a clone(), or after backward()",
      "autograd/edited");
}

TEST(Backward, RefusesWhatHasNoGradient) {
  expect_error(
      [] { floats({1}).backward(); }, ErrorKind::state,
      "backward: output is f32[1] and depends on nothing that requires grad; call requires_grad_() "
      "on the parameters before the forward pass, outside NoGrad",
      "autograd/no grad");
  Tensor x = leaf({1, 2});
  const Tensor y = times(x, x);
  expect_error(
      [&] { y.backward(); }, ErrorKind::shape,
      "backward: output is f32[2]; without a gradient it must have one element; reduce it with "
      "sum() or mean(), or pass its gradient",
      "autograd/not scalar");
  expect_error([&] { y.backward(floats({1})); }, ErrorKind::shape,
               "backward: gradient is f32[1] but output is f32[2]", "autograd/gradient shape");
  expect_error(
      [&] { times(x, x).requires_grad_(); }, ErrorKind::state,
      "requires_grad_: f32[2] was computed by times; only leaves own a gradient; use detach() to "
      "make a leaf of its value",
      "autograd/not a leaf");
}

TEST(Backward, FailureLeavesSinksIncompleteUntilZeroGrad) {
  Tensor x = leaf({2});
  const Tensor bad = custom_grad("fails", {&x, 1}, [](std::span<const Tensor> in) {
    return CustomGrad{{in[0].detach()}, [](std::span<const Tensor>) -> std::vector<Tensor> {
                        throw Error(ErrorKind::value, "no");
                      }};
  })[0];
  const Tensor both = times(bad, times(x, x));
  EXPECT_THROW(both.backward(), Error);
  EXPECT_TRUE(leaf_of(x).incomplete);
  x.zero_grad();
  EXPECT_FALSE(leaf_of(x).incomplete);
  times(x, x).backward();
  EXPECT_THAT(values_of(x.grad()), ElementsAre(4));
}

TEST(Grad, ReturnsGradientsAndLeavesSinksAlone) {
  Tensor x = leaf({3});
  const Tensor y = times(x, x);
  const Tensor z = times(y, y);
  const std::vector<Tensor> wanted = {x, y};
  const std::vector<Tensor> got = grad({&z, 1}, wanted);
  EXPECT_THAT(values_of(got[0]), ElementsAre(108));
  EXPECT_THAT(values_of(got[1]), ElementsAre(18));
  EXPECT_FALSE(x.grad().defined());
}

TEST(Grad, OfAnUnusedInputIsUndefined) {
  Tensor x = leaf({3});
  Tensor unused = leaf({1});
  const Tensor y = times(x, x);
  EXPECT_FALSE(grad({&y, 1}, {&unused, 1})[0].defined());
}

TEST(Grad, SecondDerivatives) {
  Tensor x = leaf({3});
  const Tensor y = times(times(x, x), x);
  const Tensor first = grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0];
  EXPECT_THAT(values_of(first), ElementsAre(27));
  EXPECT_THAT(values_of(grad({&first, 1}, {&x, 1})[0]), ElementsAre(18));
}

TEST(Hooks, AreToldWhenASinkIsComplete) {
  Tensor x = leaf({2});
  std::vector<float> seen;
  {
    const GradHook hook(x, [&](const Tensor& g) { seen.push_back(values_of(g)[0]); });
    times(times(x, x), x).backward();
  }
  times(x, x).backward();
  EXPECT_THAT(seen, ElementsAre(12));
}

TEST(CustomGrad, ReplacesTheGradient) {
  Tensor x = leaf({2});
  const Tensor y = custom_grad("straight_through", {&x, 1}, [](std::span<const Tensor> in) {
    return CustomGrad{{times(in[0], in[0])},
                      [](std::span<const Tensor> g) { return std::vector<Tensor>{g[0]}; }};
  })[0];
  EXPECT_THAT(values_of(y), ElementsAre(4));
  y.backward();
  EXPECT_THAT(values_of(x.grad()), ElementsAre(1));
}

TEST(CustomGrad, RefusesWhatCannotBeDifferentiated) {
  Tensor x = leaf({2});
  expect_error([&] { custom_grad("none", {&x, 1}, [](auto) { return CustomGrad{}; }); },
               ErrorKind::value,
               "none: its forward returned no outputs; return CustomGrad{outputs, backward}",
               "autograd/custom without outputs");
  expect_error(
      [&] {
        custom_grad("mute", {&x, 1}, [](auto in) { return CustomGrad{{in[0].detach()}, {}}; });
      },
      ErrorKind::value, "mute: its forward gave no backward; return CustomGrad{outputs, backward}",
      "autograd/custom without backward");
  const Tensor y = custom_grad("short", {&x, 1}, [](std::span<const Tensor> in) {
    return CustomGrad{{in[0].detach()},
                      [](std::span<const Tensor>) { return std::vector<Tensor>{}; }};
  })[0];
  expect_error([&] { y.backward(); }, ErrorKind::value,
               "short: its backward returned 0 gradients for 1 inputs; return one for each; an "
               "undefined tensor is a zero",
               "autograd/custom gradients");
}

TEST(UndefinedTensor, IsAnErrorAndNotACrash) {
  const Tensor t;
  Tensor target;
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { t.item(); }, [&] { t.to_vector(); }, [&] { t.detach(); }, [&] { t.clone(); },
           [&] { t.to(DType::f64); }, [&] { t.to(Device()); }, [&] { t.grad(); },
           [&] { t.zero_grad(); }, [&] { target.requires_grad_(); }, [&] { t.data<float>(); },
           [&] { t.shape(0); }, [&] { target.copy_(floats({1})); }}) {
    EXPECT_THROW(call(), Error);
  }
  expect_error(
      [&] { t.item(); }, ErrorKind::value,
      "item: the tensor is undefined; give it a value first; a gradient is undefined before "
      "backward() and after zero_grad()",
      "tensor/undefined");
}

TEST(Checkpoint, GivesTheSameGradientsIncludingCapturedLeaves) {
  Tensor x = leaf({2});
  Tensor w = leaf({5});
  const auto block = [&](std::span<const Tensor> in) {
    return std::vector<Tensor>{times(times(in[0], in[0]), w)};
  };
  block({&x, 1})[0].backward();
  const float dx = values_of(x.grad())[0];
  const float dw = values_of(w.grad())[0];
  x.zero_grad();
  w.zero_grad();
  checkpoint(block, {&x, 1})[0].backward();
  EXPECT_EQ(values_of(x.grad())[0], dx);
  EXPECT_EQ(values_of(w.grad())[0], dw);
}

TEST(Checkpoint, RefusesInputsThatWereEdited) {
  Tensor x = leaf({2});
  Tensor c = floats({3});
  const auto block = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{times(in[0], in[1])};
  };
  const std::vector<Tensor> inputs = {x, c};
  const Tensor y = checkpoint(block, inputs)[0];
  c.mutable_data<float>()[0] = 4;
  expect_error(
      [&] { y.backward(); }, ErrorKind::state,
      "checkpoint: input 1 was written in place after the forward pass; write into a clone(), or "
      "after backward()",
      "autograd/checkpoint edited");
}

TEST(Gradcheck, FindsAWrongGradient) {
  const auto right = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{times(in[0], in[0])};
  };
  Tensor x = Tensor::from(std::vector<double>{1.5, -2}, {2});
  x.requires_grad_();
  EXPECT_TRUE(gradcheck(right, {&x, 1}).ok);
  const auto wrong = [](std::span<const Tensor> in) {
    return custom_grad("wrong", in, [](std::span<const Tensor> x) {
      return CustomGrad{{times(x[0], x[0])},
                        [](std::span<const Tensor> g) { return std::vector<Tensor>{g[0]}; }};
    });
  };
  const GradcheckReport report = gradcheck(wrong, {&x, 1});
  EXPECT_FALSE(report.ok);
  EXPECT_NE(report.message.find("gradcheck: input 0 element 0"), std::string::npos)
      << report.message;
}

}  // namespace
}  // namespace weft::test
