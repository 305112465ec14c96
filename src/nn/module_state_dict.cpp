// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_map>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/context.h"
#include "weft/nn/module.h"

namespace weft::nn {
namespace {

struct Target {
  std::vector<std::string> names;  ///< the own one, then those of tied copies
  Tensor tensor;
};

std::vector<Target> targets_of(const Module& module) {
  std::vector<Target> out;
  for (NamedParameter& entry : module.named_parameters()) {
    Target target{{entry.name}, entry.parameter.tensor()};
    target.names.insert(target.names.end(), entry.aliases.begin(), entry.aliases.end());
    out.push_back(std::move(target));
  }
  for (NamedBuffer& entry : module.named_buffers())
    out.push_back({{entry.name}, entry.buffer.tensor()});
  return out;
}

/// What is wrong with a set of values, one line per name.
class Misfits {
 public:
  void add(std::string_view problem, std::string_view name, std::string_view details) {
    lines_ += cat("\n  ", problem, std::string(12 - problem.size(), ' '), name, "  ", details);
    ++count_;
  }
  void throw_if_any() const {
    if (count_ == 0) return;
    throw Error(ErrorKind::model_file,
                cat("load_state_dict: ", count_, count_ == 1 ? " name does" : " names do",
                    " not fit, nothing was loaded:", lines_),
                "load into the model that the values were saved from");
  }

 private:
  std::string lines_;
  int count_ = 0;
};

bool same_values(const Tensor& a, const Tensor& b) {
  return a.same_as(b) || (a.shape() == b.shape() && a.to_vector() == b.to_vector());
}

using Given = std::unordered_map<std::string, Tensor>;

/// The value for `target`, or an undefined one after noting why there is none.
Tensor value_for(const Target& target, Given& given, Misfits& misfits) {
  Tensor value;
  for (const std::string& name : target.names) {
    const auto found = given.find(name);
    if (found == given.end()) continue;
    const Tensor candidate = found->second;
    given.erase(found);
    if (!value.defined()) {
      value = candidate;
    } else if (!same_values(value, candidate)) {
      misfits.add("tied", name, cat("is one with ", target.names.front(), " but has other values"));
    }
  }
  const std::string& name = target.names.front();
  if (!value.defined()) {
    misfits.add("missing", name, describe(target.tensor));
  } else if (value.shape() != target.tensor.shape()) {
    misfits.add("shape", name, cat("is ", describe(value), ", needs ", target.tensor.shape()));
    return {};
  }
  return value;
}

void note_unexpected(const StateDict& values, const Given& left, const std::vector<Target>& targets,
                     Misfits& misfits) {
  std::vector<std::string> known;
  for (const Target& target : targets) known.push_back(target.names.front());
  for (const auto& [name, value] : values) {
    if (left.count(name) == 0) continue;
    const std::string near = nearest_name(name, known);
    misfits.add("unexpected", name,
                cat(describe(value), near.empty() ? std::string() : cat("; near: ", near)));
  }
}

}  // namespace

StateDict Module::state_dict() const {
  StateDict out;
  for (Target& target : targets_of(*this)) {
    out.emplace_back(std::move(target.names.front()), target.tensor.detach());
  }
  return out;
}

void Module::load_state_dict(const StateDict& values) {
  Misfits misfits;
  Given given;
  for (const auto& [name, value] : values) {
    if (!given.emplace(name, value).second) misfits.add("twice", name, describe(value));
  }
  std::vector<Target> targets = targets_of(*this);
  std::vector<Tensor> sources;
  for (const Target& target : targets) sources.push_back(value_for(target, given, misfits));
  note_unexpected(values, given, targets, misfits);
  misfits.throw_if_any();

  const NoGrad no_grad;
  for (std::size_t i = 0; i < targets.size(); ++i) targets[i].tensor.copy_(sources[i]);
  current_session().bump_revision();
}

}  // namespace weft::nn
