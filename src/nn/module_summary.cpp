// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "nn/module_state.h"
#include "weft/base/text.h"
#include "weft/nn/eval_scope.h"
#include "weft/nn/module.h"

namespace weft::nn {
namespace {

using Row = std::array<std::string, 4>;

std::string text_of(const std::vector<Row>& rows) {
  std::array<std::size_t, 4> widths{};
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string out;
  for (const Row& row : rows) {
    for (std::size_t c = 0; c + 1 < row.size(); ++c) {
      out += row[c] + std::string(widths[c] - row[c].size() + 2, ' ');
    }
    out += std::string(widths.back() - row.back().size(), ' ') + row.back() + '\n';
  }
  return out;
}

using OutputShapes = std::unordered_map<std::string, std::string>;

}  // namespace

std::string Module::summary(const Tensor& input) {
  OutputShapes shapes;
  if (input.defined()) {
    const EvalScope scope(*this);
    const HookHandle hook = on_forward(
        "*", [&](const ForwardCall& call) { shapes[call.path] = to_string(call.output.shape()); });
    (*this)(input);
  }
  std::vector<Row> rows = {{"module", "type", "output", "parameters"}};
  std::unordered_set<const void*> counted;
  detail::walk(*state_, {}, [&](const std::string& prefix, detail::ModuleState& state) {
    std::int64_t count = 0;
    for (const auto& [name, parameter] : state.parameters) {
      if (counted.insert(parameter.id()).second) count += parameter.numel();
    }
    rows.push_back({prefix.empty() ? "(root)" : prefix.substr(0, prefix.size() - 1),
                    state.details.empty() ? state.type : cat(state.type, "(", state.details, ")"),
                    shapes[state.path()], count == 0 ? std::string() : cat(count)});
  });
  rows.push_back({"total", {}, {}, cat(parameter_count())});
  return text_of(rows);
}

}  // namespace weft::nn
