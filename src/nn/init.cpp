// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/init.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "weft/base/error.h"
#include "weft/base/philox.h"
#include "weft/base/text.h"
#include "weft/core/context.h"

namespace weft::nn::init {
namespace {

/// One draw of the stream `init`, read as a sequence.
class Sequence {
 public:
  Sequence() : address_(current_session().next_draw("init", Device(DeviceKind::cpu))) {
    draw_ = (address_.base != nullptr ? *address_.base : 0) + address_.ordinal;
  }

  /// [0, 1), 53 bits.
  double unit() {
    const std::uint64_t high = word() >> 5;
    const std::uint64_t low = word() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1p-53;
  }

  /// Box & Muller 1958.
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(1 - unit()));
    const double angle = 2 * std::numbers::pi * unit();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  std::uint64_t word() {
    if (next_ == 4) {
      words_ = philox_group(address_.seed, address_.stream, draw_, group_++);
      next_ = 0;
    }
    return words_.w[next_++];
  }

  RandomAddress address_;
  std::uint64_t draw_ = 0;
  std::uint64_t group_ = 0;
  PhiloxWords words_{};
  int next_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

void require_floating(const Tensor& w, std::string_view name) {
  if (w.defined() && is_floating(w.dtype())) return;
  throw Error(ErrorKind::dtype,
              cat("init::", name, ": w is ", w.defined() ? describe(w) : "undefined",
                  " but must be a floating tensor"));
}

Tensor write(Tensor w, const std::vector<double>& values) {
  const NoGrad no_grad;
  return w.copy_(Tensor::from(values, w.shape()).to(w.dtype()));
}

template <class Draw>
Tensor fill(Tensor w, std::string_view name, const Draw& draw) {
  require_floating(w, name);
  Sequence sequence;
  std::vector<double> values(static_cast<std::size_t>(w.numel()));
  for (double& value : values) value = draw(sequence);
  return write(std::move(w), values);
}

/// Subtracts from row `r` its part along the rows before it; twice, because one pass of
/// Gram-Schmidt loses orthogonality to rounding (Giraud et al. 2005). Returns the norm that is
/// left.
double orthogonalise(std::vector<double>& rows, std::size_t r, std::size_t columns) {
  double* row = rows.data() + r * columns;
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t k = 0; k < r; ++k) {
      const double* other = rows.data() + k * columns;
      const double dot = std::inner_product(row, row + columns, other, 0.0);
      for (std::size_t c = 0; c < columns; ++c) row[c] -= dot * other[c];
    }
  }
  return std::sqrt(std::inner_product(row, row + columns, row, 0.0));
}

std::vector<double> orthonormal_rows(std::size_t rows, std::size_t columns) {
  Sequence sequence;
  std::vector<double> values(rows * columns);
  for (std::size_t r = 0; r < rows; ++r) {
    double norm = 0;
    do {
      for (std::size_t c = 0; c < columns; ++c) values[r * columns + c] = sequence.normal();
      norm = orthogonalise(values, r, columns);
    } while (norm < 1e-6);
    for (std::size_t c = 0; c < columns; ++c) values[r * columns + c] /= norm;
  }
  return values;
}

struct Named {
  std::string_view name;
  Tensor (*apply)(Tensor);
};

constexpr Named kInitializers[] = {
    {"default", nullptr},
    {"zeros", [](Tensor w) { return zeros(std::move(w)); }},
    {"ones", [](Tensor w) { return ones(std::move(w)); }},
    {"uniform", [](Tensor w) { return uniform(std::move(w)); }},
    {"normal", [](Tensor w) { return normal(std::move(w)); }},
    {"truncated_normal", [](Tensor w) { return truncated_normal(std::move(w)); }},
    {"xavier_uniform", [](Tensor w) { return xavier_uniform(std::move(w)); }},
    {"xavier_normal", [](Tensor w) { return xavier_normal(std::move(w)); }},
    {"kaiming_uniform", [](Tensor w) { return kaiming_uniform(std::move(w)); }},
    {"kaiming_normal", [](Tensor w) { return kaiming_normal(std::move(w)); }},
    {"orthogonal", [](Tensor w) { return orthogonal(std::move(w)); }},
};

}  // namespace

Fans fans_of(const Shape& weight) {
  const int rank = weight.rank();
  if (rank < 2) {
    throw Error(ErrorKind::shape,
                cat("init: weight ", weight, " has ", rank,
                    " dimensions but fans need two: [out, in] or [O, KH, KW, I]"),
                "use uniform, normal or constant");
  }
  const std::int64_t area = weight.numel(1, rank - 1);
  return {weight[rank - 1] * area, weight[0] * area};
}

Tensor constant(Tensor w, double value) {
  require_floating(w, "constant");
  const NoGrad no_grad;
  return w.fill_(value);
}
Tensor zeros(Tensor w) { return constant(std::move(w), 0); }
Tensor ones(Tensor w) { return constant(std::move(w), 1); }

Tensor uniform(Tensor w, double low, double high) {
  return fill(std::move(w), "uniform", [=](Sequence& s) { return low + (high - low) * s.unit(); });
}

Tensor normal(Tensor w, double mean, double std) {
  return fill(std::move(w), "normal", [=](Sequence& s) { return mean + std * s.normal(); });
}

Tensor truncated_normal(Tensor w, double mean, double std, double cut) {
  // Below this, hardly any draw would be kept.
  if (!(cut >= 0.01)) {
    throw Error(ErrorKind::value,
                cat("init::truncated_normal: cut is ", cut, " but must be at least 0.01"));
  }
  return fill(std::move(w), "truncated_normal", [=](Sequence& s) {
    double z = s.normal();
    while (std::abs(z) > cut) z = s.normal();
    return mean + std * z;
  });
}

Tensor xavier_uniform(Tensor w, double gain) {
  const Fans fans = fans_of(w.shape());
  const double bound = gain * std::sqrt(6.0 / static_cast<double>(fans.in + fans.out));
  return uniform(std::move(w), -bound, bound);
}

Tensor xavier_normal(Tensor w, double gain) {
  const Fans fans = fans_of(w.shape());
  return normal(std::move(w), 0, gain * std::sqrt(2.0 / static_cast<double>(fans.in + fans.out)));
}

Tensor kaiming_uniform(Tensor w, double slope) {
  const Fans fans = fans_of(w.shape());
  const double bound = std::sqrt(6.0 / ((1 + slope * slope) * static_cast<double>(fans.in)));
  return uniform(std::move(w), -bound, bound);
}

Tensor kaiming_normal(Tensor w, double slope) {
  const Fans fans = fans_of(w.shape());
  return normal(std::move(w), 0,
                std::sqrt(2.0 / ((1 + slope * slope) * static_cast<double>(fans.in))));
}

Tensor orthogonal(Tensor w, double gain) {
  require_floating(w, "orthogonal");
  fans_of(w.shape());
  const auto rows = static_cast<std::size_t>(w.shape()[0]);
  const auto columns = static_cast<std::size_t>(w.shape().numel(1, w.rank()));
  const bool wide = rows <= columns;
  const std::vector<double> unit =
      orthonormal_rows(std::min(rows, columns), std::max(rows, columns));
  std::vector<double> values(rows * columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      values[r * columns + c] = gain * (wide ? unit[r * columns + c] : unit[c * rows + r]);
    }
  }
  return write(std::move(w), values);
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const Named& entry : kInitializers) out.emplace_back(entry.name);
  return out;
}

void apply(Module& module, std::string_view name) {
  const auto* found = std::find_if(std::begin(kInitializers), std::end(kInitializers),
                                   [name](const Named& entry) { return entry.name == name; });
  if (found == std::end(kInitializers)) {
    const auto known = names();
    const std::string near = nearest_name(name, known);
    throw Error(ErrorKind::unsupported, cat("no initialisation is called `", quoted(name), "`"),
                near.empty() ? cat("there are ", join(known)) : cat("did you mean `", near, "`?"));
  }
  if (found->apply == nullptr) return;
  const auto parameters = module.named_parameters();
  const auto prefix_of = [](const std::string& path) {
    return path.substr(0, path.rfind('.') + 1);
  };
  for (const NamedParameter& entry : parameters) {
    const std::string prefix = prefix_of(entry.name);
    if (entry.name != prefix + "weight" || entry.parameter.shape().rank() < 2) continue;
    found->apply(entry.parameter.tensor());
    for (const NamedParameter& other : parameters) {
      if (other.name == prefix + "bias") zeros(other.parameter.tensor());
    }
  }
}

}  // namespace weft::nn::init
