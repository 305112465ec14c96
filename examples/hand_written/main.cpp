// SPDX-License-Identifier: Apache-2.0
// A training loop written by hand: handwritten digits, a small convnet, accuracy on digits it has
// never seen. hand_written [digits.csv]
#include <weft/weft.h>

#include <cstdio>
#include <filesystem>

using namespace weft;

namespace {

class Net : public nn::Module {
  nn::Conv2d conv1 = child("conv1", nn::Conv2d(1, 16, {.kernel = 3, .padding = nn::same}));
  nn::Conv2d conv2 = child("conv2", nn::Conv2d(16, 32, {.kernel = 3, .padding = nn::same}));
  nn::Linear fc1 = child("fc1", nn::Linear(4 * 4 * 32, 64));
  nn::Linear fc2 = child("fc2", nn::Linear(64, 10));

 public:
  Tensor forward(const Tensor& images) override {
    const Tensor features = max_pool2d(relu(conv2(relu(conv1(images)))), {.kernel = 2});
    return fc2(relu(fc1(features.reshape({-1, 4 * 4 * 32}))));
  }
};

double run(const std::filesystem::path& csv) {
  set_seed(1);
  const data::TabularOptions options{.features = {"p*"},
                                     .targets = {"digit"},
                                     .shape = {8, 8, 1},
                                     .scale = data::Scale::range,
                                     .from = {0, 16}};
  const data::TabularData digits = data::load_tabular(csv, options, 1);
  data::DataLoader train(digits.train, {.batch_size = 32, .seed = 1});
  data::DataLoader test(digits.test, {.batch_size = 128, .shuffle = false});

  Net net;
  optim::AdamW optimizer(net.parameters(), {.lr = 3e-3});
  for (int epoch = 1; epoch <= 10; ++epoch) {
    double total = 0;
    for (auto& [images, targets] : train) {
      const Tensor loss = cross_entropy(net(images), targets);
      loss.backward();
      optimizer.step();
      optimizer.zero_grad();
      total += loss.item();
    }
    std::printf("epoch %d  loss %.4f\n", epoch,
                total / static_cast<double>(train.batches_per_epoch()));
  }

  const nn::EvalScope evaluation(net);
  metric::Accuracy accuracy;
  for (auto& [images, targets] : test) accuracy.update(net(images), targets);
  return accuracy.compute().value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path beside =
      std::filesystem::path(__FILE__).parent_path() / "../digits/digits.csv";
  try {
    const double accuracy = run(argc > 1 ? argv[1] : beside);
    std::printf("test/accuracy %.4f\n", accuracy);
    return accuracy > 0.9 ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
