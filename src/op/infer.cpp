// SPDX-License-Identifier: Apache-2.0
#include "weft/op/op.h"

namespace weft {

void Infer::cast_input(int i, DType dtype) {
  if (in(i).dtype() == dtype) return;
  cast_input_[static_cast<std::size_t>(casts_)] = static_cast<std::int8_t>(i);
  cast_dtype_[static_cast<std::size_t>(casts_)] = dtype;
  ++casts_;
}

DType Infer::promote_inputs(std::initializer_list<int> inputs) {
  DType result = dtype(*inputs.begin());
  for (const int i : inputs) result = promote(result, dtype(i));
  for (const int i : inputs) cast_input(i, result);
  return result;
}

void Infer::fail(ErrorKind kind, std::string message, std::string hint) const {
  message.insert(0, cat(op_, ": "));
  throw Error(kind, std::move(message), std::move(hint));
}

std::string Infer::text(int i) const {
  int declared = 0;
  while (declared + 1 < input_names_->count && list_begin(declared + 1) <= i) ++declared;
  std::string name = (*input_names_)[declared];
  if (name.back() == '*') {
    name =
        cat(std::string_view(name).substr(0, name.size() - 1), "[", i - list_begin(declared), "]");
  } else if (name.back() == '?') {
    name.pop_back();
  }
  return cat(name, " is ", weft::describe(in(i)));
}

void Infer::require_floating(int i) const {
  if (!is_floating(dtype(i))) {
    fail(ErrorKind::dtype, cat(text(i), " but must be floating"),
         "convert it with .to(DType::f32)");
  }
}

void Infer::require_index(int i) const {
  if (dtype(i) != DType::i64 && dtype(i) != DType::i32) {
    fail(ErrorKind::dtype, cat(text(i), " but indices must be i32 or i64"));
  }
}

void Infer::require_rank(int i, int rank, std::string_view layout) const {
  if (shape(i).rank() != rank) {
    fail(ErrorKind::shape, cat(text(i), " but must have ", rank, " dimensions ", layout));
  }
}

void Infer::require_shape(int i, const Shape& wanted, std::string_view why) const {
  if (!(shape(i) == wanted)) {
    fail(ErrorKind::shape, cat(text(i), " but must be ", to_string(wanted), ": ", why));
  }
}

double CallInfo::traffic() const {
  double bytes = 0;
  for (auto args : {inputs_, outputs_}) {
    for (const TensorArg& arg : args) {
      bytes += static_cast<double>(arg.numel) * static_cast<double>(size_of(arg.dtype));
    }
  }
  return bytes;
}

void like_input(Infer& infer) { infer.out(0, infer.shape(0), infer.dtype(0)); }

Cost pointwise_cost(const CallInfo& call) {
  return {.flops = static_cast<double>(call.out().numel), .bytes = call.traffic()};
}

}  // namespace weft
