// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/options.h"
#include "cli/verbs.h"
#include "run/json_line.h"
#include "run/schema.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/op/registry.h"

namespace weft::cli {
namespace {

struct Given {
  std::string name;
  bool json = false;
};

std::string json_list(const std::vector<std::string>& items) {
  std::string list = "[";
  for (const std::string& item : items) list += cat(list.size() > 1 ? "," : "", item);
  return list + "]";
}

/// The kernels of an op: `cpu f32: onednn, portable`.
struct Slot {
  DeviceKind kind;
  DType dtype;
  std::vector<std::string> variants;
  std::vector<std::string> nondeterministic;  ///< those of them that may differ from run to run
};

std::vector<Slot> slots_of(const OpEntry& op) {
  std::vector<Slot> slots;
  for (std::size_t kind = 0; kind < kDeviceKindCount; ++kind) {
    for (const DType dtype : kAllDTypes) {
      Slot slot{static_cast<DeviceKind>(kind), dtype, {}, {}};
      for (const KernelRow& row : op.kernels.rows(slot.kind, dtype)) {
        slot.variants.emplace_back(row.variant);
        if (!row.deterministic) slot.nondeterministic.emplace_back(row.variant);
      }
      if (!slot.variants.empty()) slots.push_back(std::move(slot));
    }
  }
  return slots;
}

std::string op_json(const OpEntry& op) {
  JsonLine line;
  line.text("name", op.name())
      .integer("version", op.def.version)
      .text("signature", signature_text(op));
  line.boolean("gradient", op.def.backward != nullptr)
      .boolean("composite", op.def.composite != nullptr);
  line.boolean("random", op.def.random).boolean("cpu_fallback", op.def.cpu_fallback);
  std::vector<std::string> kernels;
  for (const Slot& slot : slots_of(op)) {
    std::vector<std::string> variants;
    for (const std::string& variant : slot.variants) variants.push_back(json_string(variant));
    std::vector<std::string> nondeterministic;
    for (const std::string& variant : slot.nondeterministic) {
      nondeterministic.push_back(json_string(variant));
    }
    kernels.push_back(JsonLine()
                          .text("device", name_of(slot.kind))
                          .text("dtype", name_of(slot.dtype))
                          .raw("variants", json_list(variants))
                          .raw("nondeterministic", json_list(nondeterministic))
                          .str());
  }
  return line.raw("kernels", json_list(kernels)).str();
}

std::string op_text(const OpEntry& op) {
  std::vector<std::vector<std::string>> rows = {
      {"version", std::to_string(op.def.version)},
      {"gradient", op.def.backward != nullptr    ? "yes"
                   : op.def.composite != nullptr ? "through its parts"
                                                 : "no"}};
  if (op.def.random) rows.push_back({"random", "draws from the session's generator"});
  if (op.def.composite != nullptr)
    rows.push_back({"composite", "runs as other ops where no kernel fits"});
  if (op.def.cpu_fallback)
    rows.push_back({"fallback", "runs on the CPU for tensors of other devices, with a warning"});
  for (const Slot& slot : slots_of(op)) {
    std::string variants = join(slot.variants);
    if (!slot.nondeterministic.empty()) {
      variants += cat("; not deterministic: ", join(slot.nondeterministic));
    }
    rows.push_back({cat(name_of(slot.kind), ' ', name_of(slot.dtype)), variants});
  }
  return cat(signature_text(op), '\n', aligned(rows));
}

std::string devices_of(const OpEntry& op) {
  std::vector<std::string> kinds;
  for (const Slot& slot : slots_of(op)) {
    const std::string kind(name_of(slot.kind));
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  if (kinds.empty() && op.def.composite != nullptr) kinds.emplace_back("composite");
  return join(kinds, " ");
}

void list_ops(const Given& given) {
  ensure_registered();
  std::vector<const OpEntry*> ops = all_ops();
  if (!given.name.empty()) ops = {&op_named(given.name)};
  if (given.json) {
    std::vector<std::string> items;
    for (const OpEntry* op : ops) items.push_back(op_json(*op));
    return print(given.name.empty() ? json_list(items) + "\n" : items.front() + "\n");
  }
  if (!given.name.empty()) return print(op_text(*ops.front()));
  std::vector<std::vector<std::string>> rows;
  for (const OpEntry* op : ops) rows.push_back({signature_text(*op), devices_of(*op)});
  print(aligned(rows));
}

std::string entry_json(const std::string& name, const Catalogue::Entry& entry) {
  std::vector<std::string> options;
  for (const OptionSpec& spec : entry.options) {
    JsonLine option;
    option.text("name", spec.name).text("type", type_text(spec)).boolean("required", spec.required);
    if (!spec.required) option.raw("default", to_string(initial_value(spec)));
    options.push_back(option.text("doc", spec.doc).str());
  }
  return JsonLine()
      .text("name", name)
      .text("doc", entry.doc)
      .raw("options", json_list(options))
      .str();
}

std::string entry_text(const std::string& name, const Catalogue::Entry& entry) {
  std::vector<std::vector<std::string>> rows;
  for (const OptionSpec& spec : entry.options) {
    const std::string initial =
        spec.required ? std::string("required") : cat("default ", spec.initial);
    rows.push_back({cat("  ", spec.name), type_text(spec), initial, std::string(spec.doc)});
  }
  return cat(name, ": ", entry.doc, '\n', aligned(rows));
}

[[noreturn]] void fail_unknown(const Catalogue& catalogue, const std::string& name) {
  const std::vector<std::string> names = catalogue.names();
  const std::string near = nearest_name(name, names);
  throw Error(ErrorKind::config,
              cat("no ", catalogue.kind, " is called `", weft::quoted(name), '`'),
              near.empty() ? cat("there are ", join(names)) : cat("did you mean `", near, "`?"));
}

void list_catalogue(const Catalogue& catalogue, const Given& given) {
  Catalogue::Entry entry;
  if (!given.name.empty()) {
    if (!catalogue.find(given.name, entry)) fail_unknown(catalogue, given.name);
    return print(given.json ? entry_json(given.name, entry) + "\n" : entry_text(given.name, entry));
  }
  std::vector<std::string> items;
  std::vector<std::vector<std::string>> rows;
  for (const std::string& name : catalogue.names()) {
    if (!catalogue.find(name, entry)) continue;
    items.push_back(entry_json(name, entry));
    std::vector<std::string> options;
    for (const OptionSpec& spec : entry.options)
      options.push_back(spec.required ? cat(spec.name, '*') : std::string(spec.name));
    rows.push_back({name, join(options), entry.doc});
  }
  print(given.json ? json_list(items) + "\n" : aligned(rows));
}

}  // namespace

void add_listings(CLI::App& app) {
  auto given = std::make_shared<Given>();
  const auto add = [&](const char* name, const char* doc, auto list) {
    CLI::App* verb = app.add_subcommand(name, doc);
    verb->add_option("NAME", given->name, "only this one, with its details");
    verb->add_flag("--json", given->json, "as JSON");
    verb->callback([given, list] { list(*given); });
  };
  add("ops", "ops with signatures and devices", list_ops);
  struct Verb {
    const char* name;
    const char* doc;
    const Catalogue* catalogue;
  };
  const Verb verbs[] = {{"layers", "layers that a config may name", &kLayerCatalogue},
                        {"losses", "losses that a config may name", &kLossCatalogue},
                        {"optimizers", "optimizers that a config may name", &kOptimizerCatalogue},
                        {"schedulers", "phases of the learning rate", &kScheduleCatalogue},
                        {"metrics", "metrics that a config may name", &kMetricCatalogue}};
  for (const Verb& verb : verbs) {
    add(verb.name, verb.doc,
        [catalogue = verb.catalogue](const Given& asked) { list_catalogue(*catalogue, asked); });
  }
}

}  // namespace weft::cli
