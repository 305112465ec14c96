// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "op/recorder.h"
#include "tests/ops/support/row_data.h"
#include "tests/sim/sim_device.h"
#include "tests/support/gallery.h"
#include "weft/amp/autocast.h"
#include "weft/autograd/gradcheck.h"
#include "weft/core/threads.h"
#include "weft/graph/step_graph.h"
#include "weft/op/observer.h"

// Every generic promise, on every row of the table.
namespace weft::test {

namespace {

class Rows : public testing::TestWithParam<OpRow> {
 protected:
  const OpRow& row() const { return GetParam(); }

  std::string where(const Sample& sample, DType dtype) const {
    return cat(row().op, " sample `", sample.name, "` ", dtype);
  }

  template <class F>
  void for_each_sample(F&& fn) {
    for (const DType dtype : row().dtypes) {
      for (const Sample& sample : row().samples) {
        SCOPED_TRACE(where(sample, dtype));
        fn(sample, dtype);
        if (HasFatalFailure()) return;
      }
    }
  }

  /// The variants of the row's op for a dtype; one empty name when it has none.
  std::vector<std::string> variants(DType dtype) const {
    std::vector<std::string> names;
    for (const KernelRow& kernel : op_named(row().op).kernels.rows(DeviceKind::cpu, dtype)) {
      names.emplace_back(kernel.variant);
    }
    if (op_named(row().op).def.composite != nullptr && !names.empty())
      names.emplace_back("composite");
    return names;
  }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Rows);

TEST_P(Rows, HasEnoughSamplesAndErrors) {
  EXPECT_GE(row().samples.size(), 8u) << row().op;
  EXPECT_GE(row().errors.size(), 3u) << row().op;
}

TEST_P(Rows, ForwardMatchesTheReferenceInEveryVariant) {
  for_each_sample([&](const Sample& sample, DType dtype) {
    const NoGrad no_grad;
    const std::vector<Tensor> inputs = make_inputs(sample, dtype);
    const std::vector<Tensor> want = sample.reference(as_f64(inputs));
    std::vector<std::string> names = variants(dtype);
    names.emplace_back();
    for (const std::string& name : names) {
      const VariantPin pin(name.empty() ? nullptr : name.c_str(), false);
      set_seed(kRowSeed);
      const std::vector<Tensor> got = sample.run(inputs);
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t k = 0; k < got.size(); ++k) {
        EXPECT_EQ(compare_close(got[k], want[k], tolerance_of(dtype, row().tolerance_scale)), "")
            << "output " << k << " variant " << name;
      }
    }
  });
}

TEST_P(Rows, BackwardMatchesF64) {
  if (!row().differentiable) GTEST_SKIP() << row().op << " has no gradient";
  for_each_sample([&](const Sample& sample, DType dtype) {
    const std::vector<Tensor> inputs = make_inputs(sample, dtype);
    const std::vector<Tensor> want = run_with_grads(sample.run, as_f64(inputs));
    std::vector<std::string> names = variants(dtype);
    for (const std::string& name : names) {
      const VariantPin pin(name.c_str(), false);
      const std::vector<Tensor> got = run_with_grads(sample.run, inputs);
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t k = 0; k < got.size(); ++k) {
        EXPECT_EQ(compare_close(got[k], want[k], tolerance_of(dtype, 4 * row().tolerance_scale)),
                  "")
            << "result " << k << " variant " << name;
      }
    }
  });
}

TEST_P(Rows, GradientMatchesCentralDifferences) {
  if (!row().differentiable) GTEST_SKIP() << row().op << " has no gradient";
  for (const Sample& sample : row().samples) {
    SCOPED_TRACE(where(sample, DType::f64));
    const std::vector<Tensor> inputs = make_inputs(sample, DType::f64);
    const auto repeatable = [&](In x) {
      set_seed(kRowSeed);
      return sample.run(x);
    };
    const GradcheckReport report = gradcheck(repeatable, inputs, {.max_elements = 24});
    EXPECT_TRUE(report.ok) << report.message;
  }
}

TEST_P(Rows, SameBitsForAnyThreadCount) {
  for_each_sample([&](const Sample& sample, DType dtype) {
    const std::vector<Tensor> inputs = make_inputs(sample, dtype);
    set_num_threads(1);
    const std::vector<Tensor> want = run_with_grads(sample.run, inputs);
    for (const int threads : {2, 3, 8, 1}) {
      set_num_threads(threads);
      EXPECT_EQ(compare_bits(run_with_grads(sample.run, inputs), want), "")
          << threads << " threads";
    }
    set_num_threads(0);
  });
}

TEST_P(Rows, SimDeviceGivesTheSameBitsWithinGuards) {
  install_sim();
  for_each_sample([&](const Sample& sample, DType dtype) {
    const std::vector<Tensor> inputs = make_inputs(sample, dtype);
    const std::vector<Tensor> want = run_with_grads(sample.run, inputs);
    const ContextScope scope(Settings{.device = kSim});
    EXPECT_EQ(compare_bits(run_with_grads(sample.run, on_device(inputs, kSim)), want), "");
  });
}

TEST_P(Rows, MisalignedInputsGiveCloseResults) {
  for_each_sample([&](const Sample& sample, DType dtype) {
    const std::vector<Tensor> inputs = make_inputs(sample, dtype);
    const std::vector<Tensor> want = run_with_grads(sample.run, inputs);
    const std::vector<Tensor> got = run_with_grads(sample.run, misaligned(inputs));
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t k = 0; k < got.size(); ++k) {
      EXPECT_EQ(compare_close(got[k], want[k], tolerance_of(dtype, row().tolerance_scale)), "");
    }
  });
}

TEST_P(Rows, CapturedEqualsEager) {
  for_each_sample([&](const Sample& sample, DType dtype) {
    const std::size_t count = sample.args.size();
    std::vector<Tensor> inputs = make_inputs(sample, dtype);
    std::vector<Tensor> other = make_inputs(sample, dtype, 2);
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
    EXPECT_EQ(report.reason, "");
    EXPECT_EQ(report.replayed, 1u);
    current_session().set_random_state(random);
    EXPECT_EQ(compare_bits(got, step(other)), "");
  });
}

TEST_P(Rows, AutocastFollowsItsRecord) {
  const Cast policy = op_named(row().op).def.autocast;
  if (policy == Cast::keep || policy == Cast::promote)
    GTEST_SKIP() << row().op << " keeps its dtype";
  const DType input = policy == Cast::lower ? DType::f32 : DType::bf16;
  const DType output = policy == Cast::lower ? DType::bf16 : DType::f32;
  for (const Sample& sample : row().samples) {
    SCOPED_TRACE(where(sample, input));
    const std::vector<Tensor> inputs = make_inputs(sample, input);
    const Autocast autocast(DType::bf16);
    const std::vector<Tensor> got = run_with_grads(sample.run, inputs);
    if (is_floating(got[0].dtype())) {
      EXPECT_EQ(got[0].dtype(), output);
    }
  }
}

TEST_P(Rows, ErrorsSayWhatIsWrong) {
  for (const ErrorCase& error_case : row().errors) {
    SCOPED_TRACE(cat(row().op, " error `", error_case.name, "`"));
    try {
      error_case.run();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(name_of(error.kind()), name_of(error_case.kind));
      EXPECT_EQ(error.message(), error_case.message);
      add_to_error_gallery(cat(row().op, "/", error_case.name), error.what());
    }
  }
}

std::string row_name(const testing::TestParamInfo<OpRow>& info) {
  std::string name = info.param.op;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return cat(name, "_", info.index);
}

INSTANTIATE_TEST_SUITE_P(Ops, Rows, testing::ValuesIn(op_rows()), row_name);

/// Which variants ran.
class Census final : public Observer {
 public:
  void after(const OpEvent& event) override {
    seen.insert(cat(event.op.name(), "/", event.row != nullptr ? event.row->variant : "composite"));
  }
  std::set<std::string> seen;
};

TEST(RowCensus, EveryOpHasARowAndEveryVariantRan) {
  std::set<std::string> covered;
  Census census;
  {
    const ObserverScope scope(census);
    for (const OpRow& row : op_rows()) {
      covered.insert(row.op);
      covered.insert(row.grad_ops.begin(), row.grad_ops.end());
      std::set<std::string> names = {""};
      for (const OpEntry* op : all_ops()) {
        if (op->name() != row.op &&
            std::find(row.grad_ops.begin(), row.grad_ops.end(), op->name()) == row.grad_ops.end()) {
          continue;
        }
        for (const DType dtype : row.dtypes) {
          for (const KernelRow& kernel : op->kernels.rows(DeviceKind::cpu, dtype)) {
            names.emplace(kernel.variant);
          }
        }
      }
      for (const std::string& name : names) {
        const VariantPin pin(name.empty() ? nullptr : name.c_str(), false);
        for (const DType dtype : row.dtypes) {
          for (const Sample& sample : row.samples) {
            const std::vector<Tensor> inputs = make_inputs(sample, dtype);
            if (row.differentiable) {
              run_with_grads(sample.run, inputs);
            } else {
              const NoGrad no_grad;
              sample.run(inputs);
            }
          }
        }
      }
    }
  }
  for (const OpEntry* op : all_ops()) {
    EXPECT_TRUE(covered.contains(std::string(op->name()))) << op->name() << " has no row";
    for (const DType dtype : kAllDTypes) {
      for (const KernelRow& kernel : op->kernels.rows(DeviceKind::cpu, dtype)) {
        EXPECT_TRUE(census.seen.contains(cat(op->name(), "/", kernel.variant)))
            << op->name() << " variant " << kernel.variant << " never ran";
      }
    }
  }
}

}  // namespace
}  // namespace weft::test
