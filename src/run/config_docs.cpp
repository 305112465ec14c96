// SPDX-License-Identifier: Apache-2.0
#include "run/config_docs.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "run/schema.h"
#include "weft/base/text.h"

namespace weft {
namespace {

using Json = nlohmann::ordered_json;

void add_range(Json& schema, const OptionRange& range) {
  if (std::isfinite(range.min)) schema[range.open_min ? "exclusiveMinimum" : "minimum"] = range.min;
  if (std::isfinite(range.max)) schema[range.open_max ? "exclusiveMaximum" : "maximum"] = range.max;
}

Json scalar_schema(std::string_view type, const OptionRange& range) {
  Json schema = {{"type", type}};
  add_range(schema, range);
  return schema;
}

Json list_schema(Json item, int length) {
  Json schema = {{"type", "array"}, {"items", std::move(item)}};
  if (length > 0) {
    schema["minItems"] = length;
    schema["maxItems"] = length;
  }
  return schema;
}

/// All forms that an option takes; one of them must fit.
std::vector<Json> option_forms(const OptionSpec& spec) {
  const std::vector<std::string> words = choices_of(spec);
  const Json integer = scalar_schema("integer", spec.range);
  std::vector<Json> forms;
  switch (spec.type) {
    case OptionType::boolean:
      forms = {{{"type", "boolean"}}};
      break;
    case OptionType::integer:
      forms = {integer};
      break;
    case OptionType::u64:
      forms = {scalar_schema("integer", at_least(0))};
      break;
    case OptionType::number:
      forms = {scalar_schema("number", spec.range)};
      break;
    case OptionType::text:
      if (words.empty()) forms = {{{"type", "string"}}};
      break;
    case OptionType::pair:
      forms = {integer, list_schema(integer, 2)};
      break;
    case OptionType::integers:
      forms = {integer, list_schema(integer, spec.length)};
      break;
    case OptionType::numbers: {
      const Json number = scalar_schema("number", spec.range);
      forms = {number, list_schema(number, spec.length)};
      break;
    }
    case OptionType::texts: {
      Json text = {{"type", Json::array({"string", "number"})}};
      if (!words.empty()) text = {{"enum", words}};
      return {text, list_schema(text, spec.length)};
    }
    case OptionType::duration:
      forms = {{{"type", "string"}, {"pattern", "^[0-9.]+[smh]$"}}};
      break;
  }
  if (!words.empty()) forms.push_back({{"enum", words}});
  return forms;
}

Json with_forms(std::vector<Json> forms, const OptionSpec& spec) {
  if (spec.nullable()) forms.push_back({{"type", "null"}});
  Json schema = forms.size() == 1 ? forms.front() : Json{{"anyOf", forms}};
  if (!spec.doc.empty()) schema["description"] = spec.doc;
  return schema;
}

Json option_schema(const OptionSpec& spec) {
  Json schema = with_forms(option_forms(spec), spec);
  if (!spec.required) schema["default"] = Json::parse(to_string(initial_value(spec)));
  return schema;
}

Json section_schema(const SectionTable& table);

Json object_schema(Json properties, Json required) {
  Json schema = {
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

/// A type's object: `type`, its options, and what the place adds (a layer's `name`).
Json entry_schema(const std::string& name, const Catalogue::Entry& entry,
                  const SectionTable* extra) {
  Json properties = {{"type", {{"const", name}}}};
  Json required = Json::array({"type"});
  for (const OptionSpec& spec : entry.options) {
    properties[std::string(spec.name)] = option_schema(spec);
    if (spec.required) required.push_back(spec.name);
  }
  if (extra != nullptr) properties.update(section_schema(*extra)["properties"]);
  Json schema = object_schema(std::move(properties), std::move(required));
  schema["description"] = entry.doc;
  return schema;
}

Json catalogue_schema(const KeyTable& key) {
  Json forms = Json::array();
  Json bare = Json::array();
  for (const std::string& name : key.catalogue->names()) {
    Catalogue::Entry entry;
    if (!key.catalogue->find(name, entry)) continue;
    const bool needs_more = std::any_of(entry.options.begin(), entry.options.end(),
                                        [](const OptionSpec& spec) { return spec.required; });
    if (!needs_more) bare.push_back(name);
    forms.push_back(entry_schema(name, entry, key.section));
  }
  if (!bare.empty()) forms.push_back({{"enum", std::move(bare)}});
  return {{"anyOf", std::move(forms)}};
}

Json key_schema(const KeyTable& key) {
  switch (key.kind) {
    case KeyKind::option:
    case KeyKind::path:
      return option_schema(key.spec);
    case KeyKind::words: {
      Json schema = {{"type", "object"},
                     {"additionalProperties", {{"enum", choices_of(key.spec)}}}};
      schema["description"] = key.spec.doc;
      return schema;
    }
    case KeyKind::section:
      return with_forms({section_schema(*key.section)}, key.spec);
    case KeyKind::sections:
      return with_forms({list_schema(section_schema(*key.section), 0)}, key.spec);
    case KeyKind::typed:
      return with_forms({catalogue_schema(key)}, key.spec);
    case KeyKind::typed_list:
      return with_forms({list_schema(catalogue_schema(key), 0)}, key.spec);
  }
  return {};
}

Json section_schema(const SectionTable& table) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const KeyTable& key : table.keys) {
    properties[std::string(key.spec.name)] = key_schema(key);
    if (key.spec.required) required.push_back(key.spec.name);
  }
  return object_schema(std::move(properties), std::move(required));
}

std::string table_cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

/// `| key | type | default | meaning |` rows.
class Markdown {
 public:
  void section(const SectionTable& table, const std::string& path) {
    const std::string heading = path.empty() ? "The file" : cat('`', path, '`');
    begin_table(heading, {});
    for (const KeyTable& key : table.keys) row(key);
    for (const KeyTable& key : table.keys) below(key, path);
  }
  std::string text;

 private:
  void begin_table(std::string_view heading, std::string_view doc) {
    text += cat("\n## ", heading, "\n");
    if (!doc.empty()) text += cat(doc, "\n");
    text += "\n| key | type | default | meaning |\n|---|---|---|---|\n";
  }

  void option_row(const OptionSpec& spec) {
    const std::string initial = spec.required          ? "*required*"
                                : spec.initial.empty() ? ""
                                                       : cat('`', spec.initial, '`');
    row(spec, type_text(spec), initial);
  }

  void row(const OptionSpec& spec, const std::string& type, const std::string& initial) {
    text += cat("| `", spec.name, "` | ", table_cell(type), " | ", table_cell(initial), " | ",
                table_cell(spec.doc), " |\n");
  }

  void row(const KeyTable& key) {
    const std::string initial = key.spec.required          ? "*required*"
                                : key.spec.initial.empty() ? ""
                                                           : cat('`', key.spec.initial, '`');
    switch (key.kind) {
      case KeyKind::option:
        return option_row(key.spec);
      case KeyKind::path:
        return row(key.spec, key.spec.nullable() ? "file | null" : "file", initial);
      case KeyKind::words:
        return row(key.spec, cat("map to ", join(choices_of(key.spec), " | ")), "`{}`");
      case KeyKind::section:
        return row(key.spec, "section", initial);
      case KeyKind::sections:
        return row(key.spec, "list of sections", initial);
      case KeyKind::typed:
        return row(key.spec, cat(key.catalogue->kind), initial);
      case KeyKind::typed_list:
        return row(key.spec, cat("list of ", key.catalogue->kind), initial);
    }
  }

  void below(const KeyTable& key, const std::string& path) {
    const std::string here =
        path.empty() ? std::string(key.spec.name) : cat(path, '.', key.spec.name);
    if (key.catalogue != nullptr) return catalogue(key, here);
    if (key.kind == KeyKind::section) section(*key.section, here);
    if (key.kind == KeyKind::sections) section(*key.section, here + "[]");
  }

  void catalogue(const KeyTable& key, const std::string& path) {
    for (const std::string& name : key.catalogue->names()) {
      Catalogue::Entry entry;
      if (!key.catalogue->find(name, entry)) continue;
      begin_table(cat('`', path, "` of type `", name, '`'), entry.doc);
      for (const OptionSpec& spec : entry.options) option_row(spec);
    }
    if (key.section == nullptr) return;
    begin_table(cat('`', path, "` of every type"), {});
    for (const KeyTable& extra : key.section->keys) row(extra);
    for (const KeyTable& extra : key.section->keys) below(extra, path);
  }
};

}  // namespace

std::string config_schema_json() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "weft.config/1"}};
  schema.update(section_schema(config_table()));
  return schema.dump(2) + "\n";
}

std::string config_markdown() {
  Markdown markdown;
  markdown.text =
      "# Config keys\n\nPrinted by `weft config schema --markdown` from the tables that read "
      "config files. "
      "Unknown, duplicate, ill-typed and\nout-of-range keys are errors. Sources, later ones win: "
      "default, file, "
      "environment (`WEFT_TRAIN__EPOCHS=3`),\nflags (`--set train.epochs=3`, `--set "
      "model.layers.fc1.out=128`).\n";
  markdown.section(config_table(), {});
  return markdown.text;
}

std::string config_text(const Config& config, bool origins) {
  std::size_t path_width = 0;
  std::size_t value_width = 0;
  for (const Setting& setting : config.settings) {
    path_width = std::max(path_width, setting.path.size());
    if (setting.json.size() <= 40) value_width = std::max(value_width, setting.json.size());
  }
  std::string text;
  for (const Setting& setting : config.settings) {
    text += cat(setting.path, std::string(path_width - setting.path.size() + 2, ' '), setting.json);
    if (origins) {
      const std::size_t pad =
          setting.json.size() < value_width ? value_width - setting.json.size() : 0;
      text += cat(std::string(pad + 2, ' '), setting.origin.text());
    }
    text += '\n';
  }
  return text;
}

}  // namespace weft
