// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/data/tabular.h"

namespace weft::data {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kSchema = "weft.preprocessing/1";

[[noreturn]] void fail(std::string_view message) {
  throw Error(ErrorKind::model_file, cat("preprocessing: ", message),
              "the model file is damaged or from a newer version");
}

ColumnKind kind_named(const std::string& name) {
  for (const ColumnKind kind : {ColumnKind::numeric, ColumnKind::category, ColumnKind::boolean}) {
    if (name_of(kind) == name) return kind;
  }
  fail(cat("unknown kind of column \"", weft::quoted(name), '"'));
}

ordered_json to_json(const Feature& feature) {
  ordered_json out = {{"name", feature.name}, {"kind", name_of(feature.kind)}};
  if (feature.kind == ColumnKind::category) out["classes"] = feature.classes;
  if (feature.kind == ColumnKind::numeric) {
    out["scale"] = feature.scale;
    out["offset"] = feature.offset;
  }
  if (feature.fill) out["fill"] = *feature.fill;
  return out;
}

ordered_json to_json(const Target& target) {
  ordered_json out = {{"name", target.name}, {"kind", name_of(target.kind)}};
  if (target.kind == ColumnKind::category) out["classes"] = target.classes;
  return out;
}

template <class T>
T value_or(const json& from, const char* key, T fallback) {
  return from.contains(key) ? from.at(key).get<T>() : std::move(fallback);
}

Feature feature_of(const json& from) {
  Feature feature{.name = from.at("name"), .kind = kind_named(from.at("kind"))};
  feature.classes = value_or(from, "classes", std::vector<std::string>{});
  feature.scale = value_or(from, "scale", 1.0);
  feature.offset = value_or(from, "offset", 0.0);
  if (from.contains("fill")) feature.fill = from.at("fill").get<double>();
  return feature;
}

Target target_of(const json& from) {
  return {.name = from.at("name"),
          .kind = kind_named(from.at("kind")),
          .classes = value_or(from, "classes", std::vector<std::string>{})};
}

std::int64_t width_of(const std::vector<Feature>& features) {
  std::int64_t width = 0;
  for (const Feature& feature : features) {
    const bool category = feature.kind == ColumnKind::category;
    width = checked_add(width, category ? std::ssize(feature.classes) : 1, "features");
  }
  return width;
}

}  // namespace

std::string Preprocessing::to_json() const {
  ordered_json out = {{"schema", kSchema},
                      {"shape", std::vector<std::int64_t>(shape_.begin(), shape_.end())}};
  out["features"] = ordered_json::array();
  for (const Feature& feature : features_) out["features"].push_back(data::to_json(feature));
  out["targets"] = ordered_json::array();
  for (const Target& target : targets_) out["targets"].push_back(data::to_json(target));
  return out.dump();
}

Preprocessing Preprocessing::from_json(std::string_view text) {
  try {
    const json in = json::parse(text);
    if (const std::string schema = in.at("schema"); schema != kSchema) {
      fail(cat("schema is \"", weft::quoted(schema), "\", needed is \"", kSchema, '"'));
    }
    Preprocessing result;
    result.shape_ = Shape(in.at("shape").get<std::vector<std::int64_t>>());
    for (const json& feature : in.at("features")) result.features_.push_back(feature_of(feature));
    for (const json& target : in.at("targets")) result.targets_.push_back(target_of(target));
    if (result.shape_.numel() != width_of(result.features_))
      fail("the shape does not hold the features");
    return result;
  } catch (const json::exception& error) {
    fail(cat("not the expected JSON (", error.what(), ')'));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::model_file) throw;
    fail(error.message());
  }
}

}  // namespace weft::data
