// SPDX-License-Identifier: Apache-2.0
#include "weft/data/loader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <vector>

#include "tests/support/error_gallery.h"
#include "weft/core/context.h"

namespace {

using namespace weft;
using namespace weft::data;
using testing::ElementsAre;

TensorDataset numbers(std::int64_t count) {
  std::vector<float> x;
  std::vector<std::int64_t> y;
  for (std::int64_t i = 0; i < count; ++i) {
    x.push_back(static_cast<float>(i));
    y.push_back(10 * i);
  }
  return TensorDataset(Tensor::from(x, {count, 1}), Tensor::from(y, {count}));
}

std::vector<double> one_epoch(DataLoader& loader) {
  std::vector<double> seen;
  for (const Batch& batch : loader) {
    for (const double value : batch.x.to_vector()) seen.push_back(value);
  }
  return seen;
}

std::vector<std::int64_t> batch_sizes(DataLoader& loader) {
  std::vector<std::int64_t> sizes;
  for (const Batch& batch : loader) sizes.push_back(batch.x.shape(0));
  return sizes;
}

TEST(Loader, UnshuffledBatchesKeepTheOrderAndPairInputsWithTargets) {
  DataLoader loader(numbers(5), {.batch_size = 2, .shuffle = false});
  std::vector<std::vector<double>> batches;
  for (auto& [x, y] : loader) {
    batches.push_back(x.to_vector());
    for (std::int64_t i = 0; i < x.shape(0); ++i) {
      EXPECT_EQ(y.data<std::int64_t>()[static_cast<std::size_t>(i)],
                10 * x.data<float>()[static_cast<std::size_t>(i)]);
    }
  }
  EXPECT_THAT(batches, ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4)));
}

TEST(Loader, EveryEpochHasEachSampleOnceInANewOrder) {
  DataLoader loader(numbers(50), {.batch_size = 7, .seed = 3});
  const std::vector<double> first = one_epoch(loader);
  const std::vector<double> second = one_epoch(loader);
  EXPECT_NE(first, second);
  EXPECT_EQ(std::set<double>(first.begin(), first.end()).size(), 50u);
  EXPECT_EQ(std::set<double>(second.begin(), second.end()).size(), 50u);
}

TEST(Loader, BatchesDoNotDependOnPrefetchOrBuffers) {
  std::vector<std::vector<double>> orders;
  for (const int prefetch : {0, 1, 4}) {
    for (const bool reuse : {true, false}) {
      DataLoader loader(numbers(41),
                        {.batch_size = 4, .prefetch = prefetch, .reuse_buffers = reuse, .seed = 9});
      orders.push_back(one_epoch(loader));
      orders.back().push_back(one_epoch(loader).front());
    }
  }
  EXPECT_THAT(orders, testing::Each(orders.front()));
}

TEST(Loader, OrderIsAFunctionOfSeedAndEpochAlone) {
  DataLoader once(numbers(30), {.batch_size = 4, .seed = 5});
  one_epoch(once);
  const std::vector<double> second_epoch = one_epoch(once);
  DataLoader jumped(numbers(30), {.batch_size = 8, .seed = 5});
  jumped.set_position({.epoch = 1, .batch = 0});
  EXPECT_EQ(one_epoch(jumped), second_epoch);
}

TEST(Loader, LastBatchIsKeptDroppedOrPadded) {
  DataLoader keep(numbers(10), {.batch_size = 4});
  DataLoader drop(numbers(10), {.batch_size = 4, .last_batch = LastBatch::drop});
  DataLoader pad(numbers(10), {.batch_size = 4, .last_batch = LastBatch::pad});
  EXPECT_THAT(batch_sizes(keep), ElementsAre(4, 4, 2));
  EXPECT_THAT(batch_sizes(drop), ElementsAre(4, 4));
  EXPECT_THAT(batch_sizes(pad), ElementsAre(4, 4, 4));
  EXPECT_EQ(keep.batches_per_epoch(), 3);
  EXPECT_EQ(drop.batches_per_epoch(), 2);
}

TEST(Loader, PaddingIsMaskedAndRepeatsSamplesOfItsBatch) {
  DataLoader loader(numbers(7), {.batch_size = 5, .shuffle = false, .last_batch = LastBatch::pad});
  std::vector<Batch> batches;
  for (Batch& batch : loader) batches.push_back(batch);
  EXPECT_EQ(batches[1].size, 2);
  EXPECT_THAT(batches[0].mask.to_vector(), testing::Each(1));
  EXPECT_THAT(batches[1].mask.to_vector(), ElementsAre(1, 1, 0, 0, 0));
  EXPECT_THAT(batches[1].x.to_vector(), ElementsAre(5, 6, 5, 6, 5));
}

TEST(Loader, BatchesThatAreHeldKeepTheirValues) {
  DataLoader loader(numbers(40), {.batch_size = 2, .shuffle = false});
  std::vector<Tensor> held;
  for (const Batch& batch : loader) held.push_back(view_as(batch.x, {2}));
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto first = static_cast<double>(2 * i);
    EXPECT_THAT(held[i].to_vector(), ElementsAre(first, first + 1));
  }
}

TEST(Loader, BuffersThatNobodyHoldsAreFilledAgain) {
  const auto places = [](bool reuse) {
    DataLoader loader(numbers(400), {.batch_size = 4, .prefetch = 2, .reuse_buffers = reuse});
    std::set<const std::byte*> seen;
    std::vector<Tensor> keep_alive;
    for (const Batch& batch : loader) {
      seen.insert(batch.x.impl()->data);
      if (!reuse) keep_alive.push_back(batch.x);
    }
    return seen.size();
  };
  EXPECT_LE(places(true), 5u);
  EXPECT_EQ(places(false), 100u);
}

TEST(Loader, FilledBuffersHaveANewVersion) {
  DataLoader loader(numbers(8), {.batch_size = 2, .prefetch = 0});
  std::set<std::uint32_t> versions;
  for (const Batch& batch : loader) {
    versions.insert(batch.x.version());
  }
  EXPECT_EQ(versions.size(), 4u);
}

TEST(Loader, PositionCountsBatchesHandedOut) {
  DataLoader loader(numbers(6), {.batch_size = 2});
  EXPECT_EQ(loader.position(), (LoaderPosition{0, 0}));
  std::vector<LoaderPosition> positions;
  for ([[maybe_unused]] const Batch& batch : loader) positions.push_back(loader.position());
  EXPECT_THAT(positions,
              ElementsAre(LoaderPosition{0, 1}, LoaderPosition{0, 2}, LoaderPosition{1, 0}));
}

TEST(Loader, ContinuesFromAPositionAsIfNeverStopped) {
  DataLoader whole(numbers(30), {.batch_size = 4, .seed = 2});
  one_epoch(whole);
  const std::vector<double> second = one_epoch(whole);
  DataLoader resumed(numbers(30), {.batch_size = 4, .seed = 2});
  resumed.set_position({.epoch = 1, .batch = 3});
  EXPECT_EQ(one_epoch(resumed), std::vector<double>(second.begin() + 12, second.end()));
  EXPECT_EQ(one_epoch(resumed), one_epoch(whole));
}

TEST(Loader, LoopLeftEarlyEndsItsEpoch) {
  DataLoader loader(numbers(20), {.batch_size = 2, .prefetch = 3, .seed = 4});
  for ([[maybe_unused]] const Batch& batch : loader) break;
  EXPECT_EQ(loader.position(), (LoaderPosition{0, 1}));
  DataLoader other(numbers(20), {.batch_size = 2, .seed = 4});
  one_epoch(other);
  EXPECT_EQ(one_epoch(loader), one_epoch(other));
}

/// Fails at one sample; notes the context of the thread that reads.
class Fragile : public Dataset {
 public:
  Fragile(std::int64_t size, std::int64_t bad) : size_(size), bad_(bad) {}
  std::int64_t size() const override { return size_; }
  SampleSpec input() const override { return {.shape = {}, .dtype = DType::f32}; }
  std::optional<SampleSpec> target() const override { return std::nullopt; }
  void fetch(const Fetch& what, Tensor& x, Tensor&) const override {
    for (std::size_t i = 0; i < what.indices.size(); ++i) {
      if (what.indices[i] == bad_) throw std::runtime_error("sample is bad");
      x.mutable_data<float>()[i] = current_settings().autocast ? 1.0f : 0.0f;
    }
  }

 private:
  std::int64_t size_;
  std::int64_t bad_;
};

TEST(Loader, ErrorsComeWhereTheirBatchWould) {
  for (const int prefetch : {0, 2}) {
    DataLoader loader(Fragile(10, 5), {.batch_size = 2, .shuffle = false, .prefetch = prefetch});
    int batches = 0;
    const auto loop = [&] {
      for ([[maybe_unused]] const Batch& batch : loader) ++batches;
    };
    EXPECT_THROW(loop(), std::runtime_error);
    EXPECT_EQ(batches, 2) << "prefetch " << prefetch;
    EXPECT_EQ(loader.position(), (LoaderPosition{0, 2}));
  }
}

/// Says when it has failed.
class Failing : public TensorDataset {
 public:
  Failing() : TensorDataset(Tensor::of({0, 1, 2, 3})) {}
  void fetch(const Fetch& what, Tensor& x, Tensor& y) const override {
    if (what.indices[0] == 3) {
      failed.test_and_set();
      failed.notify_all();
      throw std::runtime_error("sample is bad");
    }
    TensorDataset::fetch(what, x, y);
  }
  mutable std::atomic_flag failed;
};

TEST(Loader, BatchesBeforeAnErrorAreStillHandedOut) {
  const auto dataset = std::make_shared<const Failing>();
  DataLoader loader(dataset, {.batch_size = 1, .shuffle = false, .prefetch = 8});
  int batches = 0;
  const auto loop = [&] {
    for ([[maybe_unused]] const Batch& batch : loader) {
      dataset->failed.wait(false);
      ++batches;
    }
  };
  EXPECT_THROW(loop(), std::runtime_error);
  EXPECT_EQ(batches, 3);
}

TEST(Loader, ThreadInheritsTheContext) {
  Settings settings;
  settings.autocast = true;
  const ContextScope scope(settings);
  DataLoader loader(Fragile(4, -1), {.batch_size = 4});
  for (const Batch& batch : loader) EXPECT_THAT(batch.x.to_vector(), testing::Each(1));
}

TEST(Loader, TargetsMayBeAbsent) {
  DataLoader loader(TensorDataset(Tensor::of({1, 2, 3})), {.batch_size = 2});
  for (const Batch& batch : loader) EXPECT_FALSE(batch.y.defined());
}

TEST(Loader, SubsetsGiveTheirSamples) {
  const auto all = std::make_shared<const TensorDataset>(numbers(10));
  DataLoader loader(Subset(all, {7, 1, 4}), {.batch_size = 3, .shuffle = false});
  for (auto& [x, y] : loader) {
    EXPECT_THAT(x.to_vector(), ElementsAre(7, 1, 4));
    EXPECT_THAT(y.to_vector(), ElementsAre(70, 10, 40));
  }
}

TEST(Loader, MovesWithItsState) {
  DataLoader first(numbers(10), {.batch_size = 2, .seed = 1});
  one_epoch(first);
  DataLoader second = std::move(first);
  EXPECT_EQ(second.position(), (LoaderPosition{1, 0}));
  EXPECT_EQ(one_epoch(second).size(), 10u);
}

// Taken once from this implementation: resumed and copied runs must see the same order everywhere.
TEST(Loader, OrderIsTheSameOnEveryMachine) {
  DataLoader loader(numbers(8), {.batch_size = 8, .seed = 42});
  EXPECT_THAT(one_epoch(loader), ElementsAre(7, 5, 2, 6, 0, 1, 3, 4));
}

TEST(LoaderErrors, OptionsOutOfRange) {
  EXPECT_WEFT_ERROR(DataLoader(numbers(3), {.batch_size = 0}), ErrorKind::value,
                    "loader: batch_size is 0; it must be at least 1", "data/batch-size");
  EXPECT_WEFT_ERROR(DataLoader(numbers(3), {.prefetch = -1}), ErrorKind::value,
                    "loader: prefetch is -1; it must be in [0, 1024]", "data/prefetch");
  EXPECT_WEFT_ERROR(DataLoader(numbers(3), {.batch_size = 4, .last_batch = LastBatch::drop}),
                    ErrorKind::value,
                    "loader: last_batch drop leaves nothing of 3 samples in batches of 4; take a "
                    "smaller batch_size, or "
                    "last_batch keep",
                    "data/drop-leaves-nothing");
  EXPECT_WEFT_ERROR(DataLoader(numbers(0)), ErrorKind::value, "loader: the dataset is empty",
                    "data/empty-dataset");
}

TEST(LoaderErrors, OneLoopAtATime) {
  DataLoader loader(numbers(8), {.batch_size = 2});
  for ([[maybe_unused]] const Batch& batch : loader) {
    EXPECT_WEFT_ERROR(loader.begin(), ErrorKind::state,
                      "loader: a loop over it is under way; use a second loader",
                      "data/nested-loop");
    EXPECT_THROW(loader.set_position({}), Error);
    break;
  }
  EXPECT_EQ(one_epoch(loader).size(), 8u);
}

TEST(LoaderErrors, PositionsThatDoNotExist) {
  DataLoader loader(numbers(8), {.batch_size = 2});
  EXPECT_WEFT_ERROR(loader.set_position({.epoch = 0, .batch = 4}), ErrorKind::index,
                    "loader: position is batch 4 of epoch 0; an epoch has 4 batches",
                    "data/position");
}

TEST(DatasetErrors, RowsMustMatch) {
  EXPECT_WEFT_ERROR(TensorDataset(Tensor::of({1, 2, 3}), Tensor::of({1, 2})), ErrorKind::shape,
                    "dataset: x is f32[3] and y is f32[2]: numbers of samples 3 and 2 differ",
                    "data/rows-differ");
  EXPECT_THROW(TensorDataset(Tensor::of(1.0)), Error);
}

TEST(DatasetErrors, SubsetsNameSamplesThatDoNotExist) {
  const auto all = std::make_shared<const TensorDataset>(numbers(3));
  EXPECT_WEFT_ERROR(Subset(all, {0, 3}), ErrorKind::index, "subset: sample 3 of a dataset of 3",
                    "data/subset-index");
}

}  // namespace
