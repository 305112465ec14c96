// SPDX-License-Identifier: Apache-2.0
#include "weft/data/loader.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "data/batch_maker.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/context.h"

namespace weft::data {

namespace {

/// Batches made ahead by a thread, at most `limit` of them waiting. What the thread throws comes
/// out of `next` in its place; destruction stops it after the batch it is at.
class Prefetcher {
 public:
  Prefetcher(BatchMaker& maker, std::int64_t first, std::size_t limit)
      : limit_(limit),
        thread_([this, &maker, first, context = current_context()](const std::stop_token& stop) {
          const ContextScope scope(context);
          run(maker, first, stop);
        }) {}

  Batch next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ready_.empty() || failure_; });
    if (ready_.empty()) std::rethrow_exception(failure_);
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return batch;
  }

 private:
  void run(BatchMaker& maker, std::int64_t first, const std::stop_token& stop) {
    try {
      for (std::int64_t index = first; index < maker.batches(); ++index) {
        if (!has_room(stop)) return;
        push(maker.make(index));
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      failure_ = std::current_exception();
    }
    changed_.notify_all();
  }

  bool has_room(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    return changed_.wait(lock, stop, [this] { return ready_.size() < limit_; }) &&
           !stop.stop_requested();
  }

  void push(Batch batch) {
    {
      const std::scoped_lock lock(mutex_);
      ready_.push_back(std::move(batch));
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Batch> ready_;
  std::exception_ptr failure_;
  std::size_t limit_;
  std::jthread thread_;  // last: it stops and joins before the rest goes
};

}  // namespace

struct DataLoader::Impl {
  BatchMaker maker;
  LoaderPosition position;
  bool in_loop = false;
  bool resumed = false;  // the position was set: the next loop begins there

  void settle_start() {
    if (!resumed && position.batch > 0) position = {.epoch = position.epoch + 1, .batch = 0};
    resumed = false;
  }

  void advance() {
    if (++position.batch == maker.batches()) position = {.epoch = position.epoch + 1, .batch = 0};
  }
};

/// One loop over an epoch, from where the loader stands.
class DataLoader::Iterator::Pass {
 public:
  explicit Pass(Impl& loader) : loader_(loader), next_(loader.position.batch) {
    loader_.maker.begin_epoch(loader_.position.epoch);
    const int ahead = loader_.maker.options().prefetch;
    if (ahead > 0) prefetcher_.emplace(loader_.maker, next_, static_cast<std::size_t>(ahead));
    loader_.in_loop = true;
  }
  ~Pass() { loader_.in_loop = false; }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  /// False at the end of the epoch.
  bool next(Batch& batch) {
    if (next_ == loader_.maker.batches()) return false;
    batch = prefetcher_ ? prefetcher_->next() : loader_.maker.make(next_);
    ++next_;
    loader_.advance();
    return true;
  }

 private:
  Impl& loader_;
  std::int64_t next_;
  std::optional<Prefetcher> prefetcher_;
};

DataLoader::DataLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : impl_(new Impl{.maker = BatchMaker(std::move(dataset), options), .position = {}}) {}

DataLoader::~DataLoader() = default;
DataLoader::DataLoader(DataLoader&&) noexcept = default;
DataLoader& DataLoader::operator=(DataLoader&&) noexcept = default;

DataLoader::Iterator DataLoader::begin() {
  if (impl_->in_loop) {
    throw Error(ErrorKind::state, "loader: a loop over it is under way", "use a second loader");
  }
  impl_->settle_start();
  return Iterator(std::make_unique<Iterator::Pass>(*impl_));
}

std::int64_t DataLoader::batches_per_epoch() const { return impl_->maker.batches(); }
const Dataset& DataLoader::dataset() const { return impl_->maker.dataset(); }
const LoaderOptions& DataLoader::options() const { return impl_->maker.options(); }
LoaderPosition DataLoader::position() const { return impl_->position; }

void DataLoader::set_position(LoaderPosition position) {
  if (impl_->in_loop) throw Error(ErrorKind::state, "loader: set_position during a loop over it");
  if (position.epoch < 0 || position.batch < 0 || position.batch >= batches_per_epoch()) {
    throw Error(ErrorKind::index,
                cat("loader: position is batch ", position.batch, " of epoch ", position.epoch,
                    "; an epoch has ", batches_per_epoch(), " batches"));
  }
  impl_->position = position;
  impl_->resumed = true;
}

DataLoader::Iterator::Iterator(std::unique_ptr<Pass> pass) : pass_(std::move(pass)) { ++*this; }
DataLoader::Iterator::Iterator(Iterator&&) noexcept = default;
DataLoader::Iterator& DataLoader::Iterator::operator=(Iterator&&) noexcept = default;
DataLoader::Iterator::~Iterator() = default;

DataLoader::Iterator& DataLoader::Iterator::operator++() {
  // The consumer's batch goes first: its memory may be filled again.
  batch_ = {};
  if (!pass_->next(batch_)) pass_.reset();
  return *this;
}

}  // namespace weft::data
