// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "cli/options.h"
#include "cli/verbs.h"
#include "run/process.h"
#include "run/session.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/nn/eval_scope.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDrawn = 4;
constexpr std::int64_t kSide = 8;
constexpr std::string_view kExpected = "0.98 or more";

/// examples/digits of the installed program, or of the source tree that this program was built in.
fs::path digits_folder() {
  const fs::path here = program_path().parent_path();
  const fs::path candidates[] = {here / "../share/weft/digits", here / "../../examples/digits"};
  std::error_code code;
  for (const fs::path& folder : candidates) {
    if (fs::exists(folder / "digits.yaml", code)) return fs::weakly_canonical(folder);
  }
  throw Error(ErrorKind::io, "the digits that belong to the demo are not installed",
              cat("they are looked for in ", candidates[0].lexically_normal().string()));
}

/// Relative to the working directory when that is shorter.
std::string near_path(const fs::path& path) {
  const std::string relative = path.lexically_relative(fs::current_path()).string();
  return !relative.empty() && relative.size() < path.string().size() ? relative : path.string();
}

/// Two characters for a pixel in [0, 1].
std::string_view ink(double value) {
  constexpr std::string_view kInks[] = {"  ", "..", "++", "##"};
  return kInks[static_cast<std::size_t>(std::clamp(value, 0.0, 0.999) * 4)];
}

std::string draw(const Tensor& images) {
  const std::vector<double> pixels = images.to_vector();
  std::string text;
  for (std::int64_t y = 0; y < kSide; ++y) {
    text += "  ";
    for (std::int64_t image = 0; image < images.shape(0); ++image) {
      for (std::int64_t x = 0; x < kSide; ++x) {
        text += ink(pixels[static_cast<std::size_t>((image * kSide + y) * kSide + x)]);
      }
      text += "    ";
    }
    text += '\n';
  }
  return text;
}

/// What the model says of each image: class and certainty.
std::string answers(const Tensor& logits, const std::vector<std::string>& classes) {
  const std::vector<double> values = logits.to_vector();
  const std::size_t width = classes.size();
  std::string text = "  ";
  for (std::size_t row = 0; row * width < values.size(); ++row) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * width);
    const auto top = std::max_element(begin, begin + static_cast<std::ptrdiff_t>(width));
    double sum = 0;
    for (auto it = begin; it != begin + static_cast<std::ptrdiff_t>(width); ++it)
      sum += std::exp(*it - *top);
    const std::string says = fmt::format("says {} ({:.0f} %)",
                                         classes[static_cast<std::size_t>(top - begin)], 100 / sum);
    text += padded(says, 2 * kSide + 4);
  }
  return text + "\n";
}

std::string unseen_digits(Prepared& prepared) {
  const data::Dataset& test = *prepared.data.test;
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < std::min(kDrawn, test.size()); ++i)
    indices.push_back(i * test.size() / kDrawn);
  const auto count = static_cast<std::int64_t>(indices.size());
  Tensor x = empty(test.input().shape.inserted(0, count),
                   {.dtype = test.input().dtype, .device = Device()});
  Tensor y = empty(test.target()->shape.inserted(0, count),
                   {.dtype = test.target()->dtype, .device = Device()});
  test.fetch({.indices = indices}, x, y);
  const nn::EvalScope evaluating(prepared.model);
  const Tensor logits = prepared.model(x.to(prepared.device));
  return draw(x) + answers(logits, prepared.data.preprocessing.classes());
}

void demo(const ConfigFlags& flags, int& exit_code) {
  const fs::path folder = digits_folder();
  const fs::path file = folder / "digits.yaml";
  const Config config = load_config(file, flags.overrides());
  const ContextScope scope(make_context(config));
  Prepared prepared = prepare(config);
  Console console({.format = LogFormat::human, .descriptor = STDOUT_FILENO});
  const TrainOutcome outcome =
      train(config, prepared,
            {.config_path = file, .command = command_line(), .print_results = false}, console);
  exit_code = outcome.exit_code;
  if (outcome.exit_code != 0 || !outcome.test) return;

  const double accuracy = find_value(outcome.test->values, "accuracy").value_or(0);
  const std::string run = outcome.folder.string();
  const std::string weft = command_line().front();
  console.text(fmt::format(
      "\nbest at epoch {}; accuracy on {} unseen digits: {:.4f} (expected here: {})\n\n",
      outcome.fit.best_epoch, outcome.test->samples, accuracy, kExpected));
  console.text(unseen_digits(prepared));
  const std::string digits = near_path(folder / "digits.csv");
  console.text(cat(
      "\nsaved  ", run, "/ model.safetensors · metrics.jsonl · config.json · environment.json\n",
      "next   ", weft, " predict latest ", digits, " | head\n", "       ", weft,
      " evaluate latest\n", "       ", weft, " runs list\n", "       ", weft, " train ",
      near_path(file), " --set train.epochs=5 --set model.layers.fc1.out=128\n"));
}

}  // namespace

void add_demo(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ConfigFlags>();
  CLI::App* verb =
      app.add_subcommand("demo", "see a network learn handwritten digits, in a few seconds");
  flags->name = "demo";
  flags->add_to(*verb);
  verb->callback([flags, &exit_code] { demo(*flags, exit_code); });
}

}  // namespace weft::cli
