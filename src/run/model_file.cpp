// SPDX-License-Identifier: Apache-2.0
#include "run/model_file.h"

#include "run/build.h"
#include "run/config_reader.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/io/safetensors.h"

namespace weft {
namespace {

const std::string& metadata_of(const io::SafetensorsFile& file, const std::filesystem::path& path,
                               const char* key) {
  const auto found = file.metadata().find(key);
  if (found != file.metadata().end()) return found->second;
  throw Error(ErrorKind::model_file, cat("the metadata has no `", key, "`"),
              "only files that weft train wrote can be loaded without a model", path.string());
}

std::int64_t outputs_of(const data::Preprocessing& preprocessing) {
  const auto count = preprocessing.classes().empty() ? preprocessing.targets().size()
                                                     : preprocessing.classes().size();
  return static_cast<std::int64_t>(count);
}

/// The config with what training learned of the data in it: balanced class weights become numbers.
Config settled(Config config, const std::vector<std::int64_t>& class_counts) {
  OptionValues& options = config.loss.options;
  if (!options.has("class_weights") || !options.is_text("class_weights")) return config;
  const OptionValue weights(loss::balanced_weights(class_counts));
  for (Setting& setting : config.settings) {
    if (setting.path == "loss.class_weights") setting.json = to_string(weights);
  }
  options.set("class_weights", weights);
  return config;
}

}  // namespace

void save_model(const std::filesystem::path& path, const nn::Sequential& model,
                const Config& config, const data::TabularData& data) {
  std::vector<io::NamedTensor> tensors;
  for (const auto& [name, tensor] : model.state_dict())
    tensors.push_back({name, tensor.to(Device())});
  io::write_safetensors(path, tensors,
                        {{"weft.config", model_json(settled(config, data.class_counts))},
                         {"weft.preprocessing", data.preprocessing.to_json()}});
}

LoadedModel load_model(const std::filesystem::path& path) {
  const io::SafetensorsFile file(path);
  const std::string& text = metadata_of(file, path, "weft.config");
  const std::string& columns = metadata_of(file, path, "weft.preprocessing");
  try {
    Config config = parse_config(text, cat(path.string(), "[weft.config]"));
    data::Preprocessing preprocessing = data::Preprocessing::from_json(columns);
    nn::Sequential model = build_model(config, preprocessing.shape(), outputs_of(preprocessing));
    StateDict values;
    for (const io::TensorEntry& entry : file.entries())
      values.emplace_back(entry.name, file.tensor(entry.name));
    model.load_state_dict(values);
    model.eval();
    return {std::move(config), std::move(preprocessing), std::move(model)};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) throw;
    throw Error(ErrorKind::model_file, error.message(), error.hint(),
                error.where().empty() ? path.string() : error.where());
  }
}

}  // namespace weft
