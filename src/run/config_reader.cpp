// SPDX-License-Identifier: Apache-2.0
#include "run/config_reader.h"

#include <algorithm>
#include <map>

#include "run/config_checks.h"
#include "run/overrides.h"
#include "run/problems.h"
#include "run/schema.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/io/file.h"

namespace weft {
namespace {

std::string node_text(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "null";
    case YamlNode::Kind::scalar:
      return cat('"', weft::quoted(node.scalar), '"');
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
  }
  return {};
}

std::string in_section(std::string_view path) {
  return path.empty() ? std::string() : cat(" in `", path, '`');
}

std::string joined(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : cat(path, '.', key);
}

/// A value as the reader takes it back: a duration keeps its unit.
std::string as_written(const OptionSpec& spec, const OptionValue& value) {
  const std::string text = to_string(value);
  return spec.type == OptionType::duration && text != "null" ? cat('"', text, "s\"") : text;
}

/// What other libraries call a key of ours.
struct Synonym {
  std::string_view theirs;
  std::string_view ours;
};
constexpr Synonym kSynonyms[] = {
    {"learning_rate", "lr"},
    {"num_epochs", "epochs"},
    {"max_epochs", "epochs"},
    {"batch", "batch_size"},
    {"kernel_size", "kernel"},
    {"pool_size", "kernel"},
    {"out_features", "out"},
    {"out_channels", "out"},
    {"filters", "out"},
    {"units", "out"},
    {"rate", "p"},
    {"dropout", "p"},
    {"optim", "optimizer"},
    {"lr_scheduler", "scheduler"},
    {"criterion", "loss"},
    {"random_seed", "seed"},
    {"num_threads", "threads"},
    {"gpu", "device"},
    {"accelerator", "device"},
    {"dtype", "precision"},
    {"normalize", "scale"},
    {"max_grad_norm", "clip_grad_norm"},
    {"gradient_clip_val", "clip_grad_norm"},
    {"accumulate_grad_batches", "accumulate"},
    {"label", "target"},
    {"label_column", "target"},
    {"separator", "delimiter"},
    {"sep", "delimiter"},
    {"file", "path"},
};

std::string nearest_key(std::string_view given, const std::vector<std::string>& known) {
  for (const Synonym& synonym : kSynonyms) {
    if (synonym.theirs == given &&
        std::find(known.begin(), known.end(), synonym.ours) != known.end()) {
      return std::string(synonym.ours);
    }
  }
  return nearest_name(given, known);
}

/// Walks the tables beside the tree: fills the Config, notes every setting with its origin,
/// collects problems.
class Reader {
 public:
  Reader(Config& config, std::filesystem::path base, Problems& problems)
      : config_(config), base_(std::move(base)), problems_(problems) {}

  void read(const YamlNode& root) { section(config_table(), root, {}, &config_); }

 private:
  static const YamlNode& absent() {
    static const YamlNode node;
    return node;
  }

  void section(const SectionTable& table, const YamlNode& node, const std::string& path,
               void* target) {
    if (node.kind != YamlNode::Kind::map && node.kind != YamlNode::Kind::null) {
      problems_.add(node.origin, cat(path.empty() ? "a config" : cat('`', path, '`'),
                                     " expects a map of keys, got ", node_text(node)));
      return;
    }
    std::vector<std::string> known;
    for (const KeyTable& key : table.keys) known.emplace_back(key.spec.name);
    report_unknown(node, known, path);
    for (const KeyTable& key : table.keys) read_key(key, node, path, target);
  }

  void report_unknown(const YamlNode& node, const std::vector<std::string>& known,
                      const std::string& path) {
    for (const YamlNode::Key& key : node.keys) {
      if (std::find(known.begin(), known.end(), key.name) != known.end()) continue;
      const std::string near = nearest_key(key.name, known);
      problems_.add(
          key.origin, cat("unknown key `", weft::quoted(key.name), '`', in_section(path)),
          near.empty() ? cat("it takes ", join(known)) : cat("did you mean `", near, "`?"));
    }
  }

  void read_key(const KeyTable& key, const YamlNode& parent, const std::string& path,
                void* target) {
    const YamlNode* found = parent.find(key.spec.name);
    if (found == nullptr && key.spec.required) {
      problems_.add(parent.origin,
                    cat('`', key.spec.name, '`', in_section(path), " is required",
                        key.kind == KeyKind::option ? cat(": ", type_text(key.spec)) : ""));
      return;
    }
    const YamlNode& node = found != nullptr ? *found : absent();
    const std::string here = joined(path, key.spec.name);
    switch (key.kind) {
      case KeyKind::option:
      case KeyKind::path: {
        const auto value = option(key.spec, found, path);
        if (!value) return;
        key.store(target, key.kind == KeyKind::path ? resolved_path(*value, node.origin) : *value);
        return;
      }
      case KeyKind::words:
        return read_words(key, node, here, target);
      case KeyKind::section:
        if (key.spec.nullable() && node.kind == YamlNode::Kind::null)
          return note(here, "null", node.origin);
        return section(*key.section, node, here, key.slot(target).section);
      case KeyKind::sections:
      case KeyKind::typed_list:
        return list(key, node, here, target);
      case KeyKind::typed:
        return typed(key, node, here, key.slot(target));
    }
  }

  std::optional<OptionValue> option(const OptionSpec& spec, const YamlNode* node,
                                    const std::string& path) {
    const std::string here = joined(path, spec.name);
    if (node == nullptr) {
      OptionValue value = initial_value(spec);
      note(here, to_string(value), {});
      return value;
    }
    std::string problem;
    std::optional<OptionValue> value;
    if (const auto input = option_input_of(*node)) {
      value = read_option(spec, *input, problem);
    } else {
      problem = cat("expects ", type_text(spec), ", got ", node_text(*node));
    }
    if (!value) {
      problems_.add(node->origin, cat('`', spec.name, '`', in_section(path), ' ', problem));
      return {};
    }
    note(here, as_written(spec, *value), node->origin);
    return value;
  }

  static std::optional<OptionInput> option_input_of(const YamlNode& node) {
    OptionInput input;
    if (node.kind == YamlNode::Kind::map) return {};
    input.is_null = node.kind == YamlNode::Kind::null;
    input.is_list = node.kind == YamlNode::Kind::sequence;
    input.is_quoted = node.quoted;
    if (!input.is_list) input.items.push_back(node.scalar);
    for (const YamlNode& item : node.items) {
      if (item.kind == YamlNode::Kind::map || item.kind == YamlNode::Kind::sequence) return {};
      input.items.push_back(item.scalar);
    }
    return input;
  }

  OptionValue resolved_path(const OptionValue& value, const Origin& origin) const {
    const auto* text = std::get_if<std::string>(&value.data());
    if (text == nullptr || origin.kind != Origin::Kind::file) return value;
    return OptionValue((base_ / *text).lexically_normal().string());
  }

  void read_words(const KeyTable& key, const YamlNode& node, const std::string& path,
                  void* target) {
    if (node.kind != YamlNode::Kind::map && node.kind != YamlNode::Kind::null) {
      problems_.add(node.origin, cat('`', path, "` expects a map, got ", node_text(node)));
      return;
    }
    Words& words = *key.words(target);
    std::string json = "{";
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      OptionSpec spec = key.spec;
      spec.type = OptionType::text;
      const auto input = option_input_of(node.items[i]);
      std::string problem =
          cat("expects one of ", join(choices_of(spec)), ", got ", node_text(node.items[i]));
      const auto value = input ? read_option(spec, *input, problem) : std::nullopt;
      if (!value) {
        problems_.add(node.items[i].origin,
                      cat('`', weft::quoted(node.keys[i].name), "` in `", path, "` ", problem));
        continue;
      }
      words.emplace_back(node.keys[i].name, node.items[i].scalar);
      json += cat(json.size() > 1 ? ", " : "", to_string(OptionValue(node.keys[i].name)), ": ",
                  to_string(*value));
    }
    note(path, json + "}", node.origin);
  }

  void list(const KeyTable& key, const YamlNode& node, const std::string& path, void* target) {
    if (node.kind == YamlNode::Kind::null && !key.spec.required) {
      return note(path, std::string(key.spec.initial), node.origin);
    }
    if (node.kind != YamlNode::Kind::sequence) {
      problems_.add(node.origin, cat('`', path, "` expects a list, got ", node_text(node)));
      return;
    }
    key.begin_list(target);
    if (node.items.empty()) {
      if (key.spec.required) problems_.add(node.origin, cat('`', path, "` is empty"));
      note(path, "[]", node.origin);
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const std::string here = cat(path, '.', i);
      const Slot slot = key.slot(target);
      if (key.kind == KeyKind::sections) {
        section(*key.section, node.items[i], here, slot.section);
      } else {
        typed(key, node.items[i], here, slot);
      }
    }
  }

  void typed(const KeyTable& key, const YamlNode& node, const std::string& path, const Slot& slot) {
    const YamlNode* type = node.kind == YamlNode::Kind::map ? node.find("type") : &node;
    const bool is_map = node.kind == YamlNode::Kind::map;
    std::string name;
    Origin origin;
    if (node.kind == YamlNode::Kind::null) {
      name = key.spec.initial;
    } else if (type != nullptr && type->kind == YamlNode::Kind::scalar) {
      name = type->scalar;
      origin = type->origin;
    }
    Catalogue::Entry entry;
    if (name.empty() || !key.catalogue->find(name, entry)) {
      report_type(key, type != nullptr ? *type : node, path, name);
      return;
    }
    slot.typed->type = name;
    slot.typed->origin = node.origin;
    note(joined(path, "type"), to_string(OptionValue(name)), origin);

    std::vector<std::string> known = {"type"};
    const std::span<const KeyTable> extra =
        key.section != nullptr ? key.section->keys : std::span<const KeyTable>();
    for (const OptionSpec& spec : entry.options) known.emplace_back(spec.name);
    for (const KeyTable& more : extra) known.emplace_back(more.spec.name);
    report_unknown(node, known, path);

    const YamlNode& parent = is_map ? node : absent();
    for (const OptionSpec& spec : entry.options)
      typed_option(spec, parent, node.origin, path, *slot.typed);
    for (const KeyTable& more : extra) read_key(more, parent, path, slot.section);
  }

  void typed_option(const OptionSpec& spec, const YamlNode& parent, const Origin& origin,
                    const std::string& path, TypedConfig& target) {
    const YamlNode* node = parent.find(spec.name);
    if (node == nullptr && spec.required) {
      problems_.add(origin, cat('`', spec.name, "` of `", target.type, '`', in_section(path),
                                " is required: ", type_text(spec)));
      return;
    }
    if (const auto value = option(spec, node, path)) target.options.set(spec.name, *value);
  }

  void report_type(const KeyTable& key, const YamlNode& node, const std::string& path,
                   const std::string& name) {
    const std::vector<std::string> names = key.catalogue->names();
    if (name.empty()) {
      problems_.add(node.origin,
                    cat("`type`", in_section(path), " is required: ", join(names, " | ")));
      return;
    }
    const std::string near = nearest_name(name, names);
    problems_.add(
        node.origin,
        cat("`type`", in_section(path), ": there is no ", key.catalogue->kind, " `",
            weft::quoted(name), '`'),
        near.empty() ? cat("there are ", join(names)) : cat("did you mean `", near, "`?"));
  }

  void note(const std::string& path, std::string json, const Origin& origin) {
    config_.settings.push_back({path, std::move(json), origin});
  }

  Config& config_;
  std::filesystem::path base_;
  Problems& problems_;
};

/// Gives every layer a name, `conv2d_1`, so that flags can address it; a bare `- relu` becomes a
/// map.
void name_layers(YamlNode& root) {
  YamlNode* model = root.find("model");
  YamlNode* layers = model != nullptr ? model->find("layers") : nullptr;
  if (layers == nullptr || layers->kind != YamlNode::Kind::sequence) return;
  std::map<std::string, int> counts;
  for (YamlNode& layer : layers->items) {
    if (layer.kind == YamlNode::Kind::scalar) {
      YamlNode map;
      map.kind = YamlNode::Kind::map;
      map.origin = layer.origin;
      map.keys.push_back({"type", layer.origin});
      map.items.push_back(std::move(layer));
      layer = std::move(map);
    }
    const YamlNode* type = layer.find("type");
    if (type == nullptr || type->kind != YamlNode::Kind::scalar) continue;
    const int number = ++counts[type->scalar];
    if (layer.find("name") != nullptr) continue;
    YamlNode name;
    name.kind = YamlNode::Kind::scalar;
    name.scalar = cat(type->scalar, '_', number);
    layer.keys.push_back({"name", {}});
    layer.items.push_back(std::move(name));
  }
}

}  // namespace

Config parse_config(std::string_view text, const std::string& file,
                    std::span<const Override> overrides, const std::filesystem::path& base) {
  Config config;
  config.source = text;
  YamlNode root = parse_yaml(text, file);
  if (root.kind == YamlNode::Kind::null) root.origin = {Origin::Kind::file, file, 1, 1};
  Problems problems;
  name_layers(root);
  for (const Override& override : overrides) {
    try {
      apply_override(root, override);
    } catch (const Error& error) {
      problems.add(override.origin, error.message(), error.hint());
    }
  }
  name_layers(root);
  Reader(config, base, problems).read(root);
  if (problems.empty()) check_config(config, problems);
  problems.raise();
  return config;
}

Config load_config(const std::filesystem::path& file, std::span<const Override> overrides) {
  Config config = parse_config(io::read_file(file), file.string(), overrides, file.parent_path());
  if (!config.name) config.name = file.stem().string();
  return config;
}

}  // namespace weft
