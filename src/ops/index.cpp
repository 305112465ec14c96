// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/index.h"

#include "op/call.h"
#include "ops/register.h"
#include "weft/op/attrs/index.h"

namespace weft {

namespace {

void infer_embedding(Infer& infer) {
  infer.require_index(0);
  infer.require_floating(1);
  infer.require_rank(1, 2, "[V, D]");
  const Shape& weight = infer.shape(1);
  const std::int64_t padding = infer.attrs<EmbeddingAttrs>().padding_index;
  if (padding < -1 || padding >= weight[0]) {
    infer.fail(ErrorKind::value, cat("padding_index is ", padding, " but weight has ", weight[0],
                                     " rows; it must be -1 (none) or one of them"));
  }
  const Shape& indices = infer.shape(0);
  infer.out(0, indices.inserted(indices.rank(), weight[1]), infer.dtype(1));
}

constexpr OpDef kEmbeddingGrad{
    .name = "embedding_grad",
    .inputs = {"grad", "indices"},
    .outputs = {"dweight"},
    .attrs = attrs_of<EmbeddingGradAttrs>,
    .infer =
        [](Infer& infer) {
          const Shape& grad = infer.shape(0);
          infer.out(0, Shape{infer.attrs<EmbeddingGradAttrs>().rows, grad.back()}, infer.dtype(0));
        },
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = static_cast<double>(c.in(0).numel), .bytes = c.traffic()};
        },
    .accumulates = 0b1,
    .key = 0,
};

constexpr OpDef kEmbedding{
    .name = "embedding",
    .inputs = {"indices", "weight"},
    .outputs = {"y"},
    .attrs = attrs_of<EmbeddingAttrs>,
    .infer = infer_embedding,
    .backward =
        [](const Backward& b) {
          const EmbeddingGradAttrs attrs{b.attrs<EmbeddingAttrs>().padding_index,
                                         b.input_shape(1)[0]};
          const Dest into[] = {b.sink(1)};
          return Grads{Tensor(),
                       call_into<kEmbeddingGrad>(attrs, {.into = into}, b.grad(), b.input(0))[0]};
        },
    .saves = {{{.for_grad = 1, .inputs = 0b01}}},
    .cost =
        [](const CallInfo& c) {
          return Cost{.bytes = 2.0 * static_cast<double>(c.out().numel) *
                               static_cast<double>(size_of(c.out().dtype))};
        },
};

}  // namespace

Tensor embedding(const Tensor& indices, const Tensor& weight, const EmbeddingOptions& options) {
  return call<kEmbedding>(EmbeddingAttrs{options.padding_index}, indices, weight);
}

void register_ops_index() {
  register_op<kEmbedding>();
  register_op<kEmbeddingGrad>();
}

}  // namespace weft
