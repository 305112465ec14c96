// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/ops/support/row_data.h"
#include "weft/autograd/autograd.h"
#include "weft/core/backend.h"
#include "weft/core/context.h"
#include "weft/graph/step_graph.h"
#include "weft/op/observer.h"
#include "weft/op/registry.h"

// The table of op tests on CUDA. Where no device is, every test is skipped and says why.
namespace weft::test {
namespace {

constexpr Device kCuda(DeviceKind::cuda, 0);

bool has_cuda_kernel(std::string_view op) {
  const auto has = [&](DType dtype) {
    return !op_named(op).kernels.rows(DeviceKind::cuda, dtype).empty();
  };
  return std::any_of(std::begin(kAllDTypes), std::end(kAllDTypes), has);
}

/// The rows of ops with kernels on CUDA, forward or backward.
std::vector<OpRow> cuda_rows() {
  static_cast<void>(find_backend(DeviceKind::cuda));  // loads the kernels
  std::vector<OpRow> rows;
  for (const OpRow& row : op_rows()) {
    if (has_cuda_kernel(row.op) ||
        std::any_of(row.grad_ops.begin(), row.grad_ops.end(), has_cuda_kernel)) {
      rows.push_back(row);
    }
  }
  return rows;
}

/// The same values on CUDA, `offset` elements behind an aligned address.
std::vector<Tensor> on_cuda(In inputs, std::size_t offset) {
  std::vector<Tensor> result;
  for (const Tensor& x : inputs) {
    const StorageRef storage = make_storage(x.nbytes() + 64, kCuda);
    Tensor copy = Tensor::over(storage, offset * size_of(x.dtype()), x.shape(), x.dtype());
    copy.copy_(x.detach());
    if (x.requires_grad()) copy.requires_grad_();
    result.push_back(std::move(copy));
  }
  return result;
}

class CudaRows : public testing::TestWithParam<OpRow> {
 protected:
  void SetUp() override {
    if (!device_exists(kCuda)) GTEST_SKIP() << "no CUDA device: " << absence_of(DeviceKind::cuda);
  }
  const OpRow& row() const { return GetParam(); }

  template <class F>
  void for_each_sample(F&& fn) {
    for (const DType dtype : row().dtypes) {
      for (const Sample& sample : row().samples) {
        SCOPED_TRACE(cat(row().op, " sample `", sample.name, "` ", dtype));
        fn(sample, dtype);
        if (HasFatalFailure()) return;
      }
    }
  }

  /// Results and gradients at this offset of the inputs are close to those of f64 on the CPU.
  void expect_close_at(std::size_t offset) {
    for_each_sample([&](const Sample& sample, DType dtype) {
      const std::vector<Tensor> inputs = make_inputs(sample, dtype);
      const std::vector<Tensor> want = run_with_grads(sample.run, as_f64(inputs));
      const ContextScope scope(Settings{.device = kCuda});
      const std::vector<Tensor> got = run_with_grads(sample.run, on_cuda(inputs, offset));
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t k = 0; k < got.size(); ++k) {
        EXPECT_EQ(compare_close(got[k], want[k], tolerance_of(dtype, 4 * row().tolerance_scale)),
                  "")
            << "result " << k;
      }
    });
  }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CudaRows);

TEST_P(CudaRows, CudaMatchesCpu) { expect_close_at(0); }

TEST_P(CudaRows, MisalignedCudaInputsGiveCloseResults) { expect_close_at(1); }

TEST_P(CudaRows, CudaGivesTheSameBitsEveryTime) {
  for_each_sample([&](const Sample& sample, DType dtype) {
    const ContextScope scope(Settings{.device = kCuda});
    const std::vector<Tensor> inputs = on_cuda(make_inputs(sample, dtype), 0);
    const std::vector<Tensor> want = run_with_grads(sample.run, inputs);
    EXPECT_EQ(compare_bits(run_with_grads(sample.run, inputs), want), "");
  });
}

TEST_P(CudaRows, CapturedOnCudaEqualsEager) {
  for_each_sample([&](const Sample& sample, DType dtype) {
    const ContextScope scope(Settings{.device = kCuda});
    const std::size_t count = sample.args.size();
    std::vector<Tensor> inputs = on_cuda(make_inputs(sample, dtype), 0);
    std::vector<Tensor> other = on_cuda(make_inputs(sample, dtype, 2), 0);
    for (std::vector<Tensor>* set : {&inputs, &other}) {
      for (Tensor& upstream : upstream_for(sample.run, *set)) set->push_back(std::move(upstream));
    }
    const auto step = [&](std::span<const Tensor> x) {
      return run_with_grads(sample.run, x.first(count), x.subspan(count));
    };
    StepGraph graph(step);
    for (int i = 0; i < 4; ++i) graph(inputs);
    const RandomState random = current_session().random_state();
    const std::vector<Tensor> got = graph(other);
    const StepGraphReport report = graph.report();
    if (report.reason.find("runs on the CPU") == std::string::npos) {
      EXPECT_EQ(report.reason, "");
      EXPECT_EQ(report.replayed, 1u);
    }
    current_session().set_random_state(random);
    EXPECT_EQ(compare_bits(got, step(other)), "");
  });
}

std::string row_name(const testing::TestParamInfo<OpRow>& info) {
  std::string name = info.param.op;
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return cat(name, "_", info.index);
}

INSTANTIATE_TEST_SUITE_P(Ops, CudaRows, testing::ValuesIn(cuda_rows()), row_name);

/// Which kernels ran on CUDA.
class Census final : public Observer {
 public:
  void after(const OpEvent& event) override {
    if (event.row == nullptr || event.args.stream.device.kind != DeviceKind::cuda) return;
    seen.insert(cat(event.op.name(), "/", event.row->variant));
  }
  std::set<std::string> seen;
};

TEST(CudaCensus, EveryCudaKernelHasRun) {
  if (!device_exists(kCuda)) GTEST_SKIP() << "no CUDA device: " << absence_of(DeviceKind::cuda);
  Census census;
  {
    const ContextScope scope(Settings{.device = kCuda});
    const ObserverScope watch(census);
    for (const OpRow& row : cuda_rows()) {
      for (const DType dtype : row.dtypes) {
        for (const Sample& sample : row.samples) {
          run_with_grads(sample.run, on_cuda(make_inputs(sample, dtype), 0));
        }
      }
    }
  }
  for (const OpEntry* op : all_ops()) {
    for (const DType dtype : kAllDTypes) {
      for (const KernelRow& kernel : op->kernels.rows(DeviceKind::cuda, dtype)) {
        EXPECT_TRUE(census.seen.contains(cat(op->name(), "/", kernel.variant)))
            << op->name() << " variant " << kernel.variant << " never ran";
      }
    }
  }
}

}  // namespace
}  // namespace weft::test
