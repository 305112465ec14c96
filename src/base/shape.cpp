// SPDX-License-Identifier: Apache-2.0
#include "weft/base/shape.h"

#include <algorithm>

#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

void Dims::throw_too_many(std::size_t rank) {
  throw Error(ErrorKind::shape,
              cat("shape: ", rank, " dimensions given, at most ", kMaxRank, " are possible"));
}

std::int64_t Shape::checked_count(const Dims& extents) {
  try {
    return checked_numel(extents.span(), "shape");
  } catch (const Error&) {
    // Said again with the whole shape.
    const bool negative = std::any_of(extents.begin(), extents.end(), [](auto e) { return e < 0; });
    throw Error(ErrorKind::shape,
                negative
                    ? cat("shape: ", extents, " has a negative extent; extents must be 0 or more")
                    : cat("shape: ", extents, " has too many elements to count in 63 bits"));
  }
}

int Shape::dim_index(std::int64_t dim, std::string_view op) const {
  if (dim >= -rank_ && dim < rank_) return static_cast<int>(dim < 0 ? dim + rank_ : dim);
  if (rank_ == 0) {
    throw Error(ErrorKind::index, cat(op, ": dim is ", dim, " but the input is a scalar"));
  }
  throw Error(ErrorKind::index,
              cat(op, ": dim is ", dim, " but the input has shape ",
                  static_cast<const Dims&>(*this), "; dim must be in [", -rank_, ", ", rank_, ")"));
}

Shape Shape::with(int dim, std::int64_t extent) const {
  Dims dims = *this;
  dims[dim] = extent;
  return Shape(dims);
}

Shape Shape::without(int dim) const {
  Dims dims;
  for (int i = 0; i < rank_; ++i) {
    if (i != dim) dims.push_back((*this)[i]);
  }
  return Shape(dims);
}

Shape Shape::inserted(int dim, std::int64_t extent) const {
  Dims dims;
  for (int i = 0; i < rank_; ++i) {
    if (i == dim) dims.push_back(extent);
    dims.push_back((*this)[i]);
  }
  if (dim == rank_) dims.push_back(extent);
  return Shape(dims);
}

std::int64_t Shape::numel(int from, int to) const {
  return checked_numel(span().subspan(static_cast<std::size_t>(from),
                                      static_cast<std::size_t>(std::max(0, to - from))),
                       "shape");
}

std::string to_string(const Dims& dims) {
  std::string text = "[";
  for (const std::int64_t extent : dims) text += cat(text.size() == 1 ? "" : ",", extent);
  return text += ']';
}

Shape broadcast(const Shape& a, const Shape& b, std::string_view op) {
  if (a == b) return a;
  const int rank = std::max(a.rank(), b.rank());
  Dims result;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank());
    const int ib = i - (rank - b.rank());
    const std::int64_t ea = ia < 0 ? 1 : a[ia];
    const std::int64_t eb = ib < 0 ? 1 : b[ib];
    if (ea != eb && ea != 1 && eb != 1) {
      throw Error(ErrorKind::shape,
                  cat(op, ": shapes ", static_cast<const Dims&>(a), " and ",
                      static_cast<const Dims&>(b), " do not broadcast: dimension ", i - rank,
                      " is ", ea, " and ", eb, "; they must be equal or 1"));
    }
    result.push_back(ea == 1 ? eb : ea);
  }
  return Shape(result);
}

}  // namespace weft
