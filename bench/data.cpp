// SPDX-License-Identifier: Apache-2.0
// CSV in MB/s, batches in samples/s, checksummed model files in GB/s.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "weft/base/text.h"
#include "weft/data/csv.h"
#include "weft/data/loader.h"
#include "weft/io/safetensors.h"

namespace {

using namespace weft;

constexpr int kColumns = 64;

std::string table_text(int rows, const auto& cell) {
  std::mt19937 random(1);
  std::string text;
  for (int c = 0; c < kColumns; ++c) text += cat(c == 0 ? "c" : ",c", c);
  for (int row = 0; row < rows; ++row) {
    text += '\n';
    for (int c = 0; c < kColumns; ++c) {
      if (c != 0) text += ',';
      text += cell(random, c);
    }
  }
  return text;
}

std::string small_integer(std::mt19937& random, int) {
  return cat(static_cast<int>(random() % 17));
}

std::string float_of_full_precision(std::mt19937& random, int) {
  return cat(static_cast<float>(random()) * 0x1p-31f - 1);
}

std::string mixed(std::mt19937& random, int column) {
  if (column % 8 == 0) return cat("\"class ", static_cast<int>(random() % 5), '"');
  if (column % 8 == 1) return random() % 2 == 0 ? "true" : "false";
  return column % 2 == 0 ? small_integer(random, column) : float_of_full_precision(random, column);
}

template <auto cell>
void Csv(benchmark::State& state) {
  const std::string text = table_text(20'000, cell);
  for (auto _ : state) benchmark::DoNotOptimize(data::parse_csv(text, "bench.csv"));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(Csv<small_integer>)->Unit(benchmark::kMillisecond);
BENCHMARK(Csv<float_of_full_precision>)->Unit(benchmark::kMillisecond);
BENCHMARK(Csv<mixed>)->Unit(benchmark::kMillisecond);

void Loader(benchmark::State& state) {
  constexpr std::int64_t kSamples = 60'000;
  const Tensor x = empty({kSamples, 28, 28, 1});
  const Tensor y = empty({kSamples}, {.dtype = DType::i64, .device = {}});
  data::DataLoader loader(data::TensorDataset(x, y),
                          {.batch_size = 64, .prefetch = static_cast<int>(state.range(0))});
  std::int64_t batches = 0;
  for (auto _ : state) {
    for (auto& batch : loader) {
      benchmark::DoNotOptimize(batch.x);
      ++batches;
    }
  }
  state.counters["batches/s"] =
      benchmark::Counter(static_cast<double>(batches), benchmark::Counter::kIsRate);
}
BENCHMARK(Loader)->Arg(0)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

void ReadSafetensors(benchmark::State& state) {
  const auto path = std::filesystem::temp_directory_path() / "weft-bench.safetensors";
  const std::vector<io::NamedTensor> tensors = {{"weight", empty({64, 1024, 1024})}};
  io::write_safetensors(path, tensors);
  for (auto _ : state) benchmark::DoNotOptimize(io::SafetensorsFile(path));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(tensors[0].tensor.nbytes()));
  std::filesystem::remove(path);
}
BENCHMARK(ReadSafetensors)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
