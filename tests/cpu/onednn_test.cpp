// SPDX-License-Identifier: Apache-2.0
#include "cpu/onednn.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "weft/base/text.h"

#if WEFT_HAVE_ONEDNN

namespace weft::cpu::onednn {
namespace {

std::ptrdiff_t tasks_of_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

void multiply(std::int64_t size) {
  const auto count = static_cast<std::size_t>(size * size);
  const std::vector<float> a(count, 1.0f), b(count, 2.0f);
  std::vector<float> c(count);
  gemm(Gemm<float, float>{size, size, size, false, false, a.data(), size, b.data(), size, c.data(),
                          size, false});
  EXPECT_EQ(c[0], 2.0f * static_cast<float>(size));
}

ConvShape conv_shape(std::int64_t n, std::int64_t size, std::int64_t c, std::int64_t o,
                     std::int64_t kernel, DType dtype) {
  ConvShape s;
  s.dtype = dtype;
  s.n = n;
  s.h = s.w = s.oh = s.ow = size;
  s.c = c;
  s.o = o;
  s.kh = s.kw = kernel;
  s.padding_h = s.padding_w = kernel / 2;
  return s;
}

void convolve() {
  const ConvShape s = conv_shape(8, 28, 16, 32, 3, DType::f32);
  const Conv& conv = Conv::find(ConvPass::forward, s);
  const std::vector<float> x(static_cast<std::size_t>(s.n * s.image()), 1.0f),
      weight(static_cast<std::size_t>(s.weights()), 1.0f);
  std::vector<float> y(static_cast<std::size_t>(s.n * s.positions() * s.o));
  std::vector<std::byte> packed(conv.packed_bytes()), scratch(conv.scratch_bytes() + 1);
  conv.pack(weight.data(), packed.data());
  conv.forward(x.data(), packed.data(), nullptr, y.data(), scratch.data());
  EXPECT_EQ(y[static_cast<std::size_t>((28 + 1) * 32)], 144.0f);
}

TEST(OneDnn, StartsNoThreads) {
  std::thread([] {}).join();  // with the first thread, ThreadSanitizer starts one of its own
  multiply(512);
  const std::ptrdiff_t before = tasks_of_process();
  std::ptrdiff_t during = 0;
  std::thread([&] {
    multiply(512);
    convolve();
    during = tasks_of_process();
  }).join();
  multiply(512);
  convolve();
  EXPECT_EQ(during, before + 1);
  EXPECT_EQ(tasks_of_process(), before);
}

TEST(OneDnn, LeavesTheCallersOpenMpCountAlone) {
  const auto get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  const auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  if (!get || !set) GTEST_SKIP() << "oneDNN was built without OpenMP";
  set(3);
  multiply(256);
  convolve();
  EXPECT_EQ(get(), 3);
}

struct TrainingShape {
  std::int64_t n, size, c, o, kernel;
};
constexpr TrainingShape kTrainingShapes[] = {{32, 56, 64, 64, 3}, {32, 14, 256, 256, 3},
                                             {64, 28, 1, 16, 3},  {64, 14, 16, 32, 3},
                                             {32, 32, 3, 32, 3},  {32, 14, 256, 64, 1}};

TEST(OneDnn, ConvolvesTrainingShapesWithoutItsReferenceCode) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    if (dtype == DType::bf16 && !has_bf16()) continue;
    for (const auto& [n, size, c, o, kernel] : kTrainingShapes) {
      for (const ConvPass pass :
           {ConvPass::forward, ConvPass::backward_data, ConvPass::backward_weights}) {
        const Conv& conv = Conv::find(pass, conv_shape(n, size, c, o, kernel, dtype));
        EXPECT_FALSE(conv.implementation().starts_with("ref"))
            << name_of(dtype) << " pass " << static_cast<int>(pass) << " " << n << "×" << size
            << "×" << c << "->" << o;
      }
    }
  }
}

TEST(OneDnn, KeepsAPrimitiveForEachShape) {
  const ConvShape s = conv_shape(2, 6, 4, 4, 3, DType::f32);
  EXPECT_EQ(&Conv::find(ConvPass::forward, s), &Conv::find(ConvPass::forward, s));
  ConvShape other = s;
  other.n = 3;
  EXPECT_NE(&Conv::find(ConvPass::forward, s), &Conv::find(ConvPass::forward, other));
}

}  // namespace
}  // namespace weft::cpu::onednn

#endif
