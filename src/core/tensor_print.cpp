// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "weft/base/text.h"
#include "weft/core/tensor.h"

namespace weft {

namespace {

constexpr std::int64_t kPrintAll = 1000;  // elements
constexpr std::int64_t kEdge = 3;         // shown at each end of a long dimension

// One style for all elements of a tensor, so that columns line up.
struct Style {
  bool whole = true;
  bool scientific = false;
  int decimals = 0;
  std::size_t width = 0;

  std::string text(double value) const {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    char buffer[64];
    if (scientific)
      std::snprintf(buffer, sizeof buffer, "%.3e", value);
    else if (whole)
      std::snprintf(buffer, sizeof buffer, "%.0f", value);
    else
      std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
    return buffer;
  }
  std::string padded(double value) const {
    const std::string plain = text(value);
    return std::string(width - std::min(width, plain.size()), ' ') + plain;
  }
};

// Four significant digits of the largest value; scientific when that hides the smallest.
Style style_of(std::span<const double> shown, bool floating) {
  Style style;
  double largest = 0;
  double smallest = HUGE_VAL;
  for (const double value : shown) {
    if (!std::isfinite(value)) continue;
    style.whole &= value == std::trunc(value);
    if (value == 0) continue;
    largest = std::max(largest, std::abs(value));
    smallest = std::min(smallest, std::abs(value));
  }
  if (floating && largest > 0) {
    style.scientific =
        largest >= 1e8 || (!style.whole && (largest < 1e-3 || largest / smallest > 1e4));
    const int digits = static_cast<int>(std::floor(std::log10(largest))) + 1;
    style.decimals = style.whole ? 0 : std::max(4 - digits, 1);
  }
  for (const double value : shown) style.width = std::max(style.width, style.text(value).size());
  return style;
}

class Printer {
 public:
  Printer(const Shape& shape, std::vector<double> values, DType dtype)
      : shape_(shape),
        values_(std::move(values)),
        dtype_(dtype),
        elide_(shape.numel() > kPrintAll) {}

  std::string text() {
    std::vector<double> shown;
    visit(0, 0, [&](std::size_t at) { shown.push_back(values_[at]); });
    style_ = style_of(shown, is_floating(dtype_));
    std::string out;
    append(out, 0, 0);
    return out;
  }

 private:
  bool skips(int dim) const { return elide_ && shape_[dim] > 2 * kEdge; }

  template <class Visit>
  void visit(int dim, std::int64_t row, Visit each) const {
    if (dim == shape_.rank()) return each(static_cast<std::size_t>(row));
    for (std::int64_t i = 0; i < shape_[dim]; ++i) {
      if (skips(dim) && i == kEdge) i = shape_[dim] - kEdge;
      visit(dim + 1, row * shape_[dim] + i, each);
    }
  }

  void append(std::string& out, int dim, std::int64_t row) const {
    if (dim == shape_.rank()) {
      const double value = values_[static_cast<std::size_t>(row)];
      if (dtype_ == DType::boolean)
        out += value != 0 ? "true" : "false";
      else
        out += style_.padded(value);
      return;
    }
    const bool innermost = dim + 1 == shape_.rank();
    const std::string between =
        innermost ? ", "
                  : "," + std::string(static_cast<std::size_t>(shape_.rank() - dim - 1), '\n') +
                        std::string(static_cast<std::size_t>(dim) + 1, ' ');
    out += '[';
    for (std::int64_t i = 0; i < shape_[dim]; ++i) {
      if (i > 0) out += between;
      if (skips(dim) && i == kEdge) {
        out += "..." + between;
        i = shape_[dim] - kEdge;
      }
      append(out, dim + 1, row * shape_[dim] + i);
    }
    out += ']';
  }

  Shape shape_;
  std::vector<double> values_;
  DType dtype_;
  bool elide_;
  Style style_;
};

}  // namespace

std::string describe(const Tensor& x) {
  if (!x.defined()) return "undefined tensor";
  std::string text = cat(x.dtype(), static_cast<const Dims&>(x.shape()));
  if (!x.device().is_cpu()) text += cat(" ", x.device());
  return text;
}

std::string to_string(const Tensor& x) {
  if (!x.defined()) return "undefined tensor";
  return cat(Printer(x.shape(), x.to_vector(), x.dtype()).text(), " ", describe(x));
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace weft
