// SPDX-License-Identifier: Apache-2.0
#include "run/predict.h"

#include <algorithm>
#include <cmath>

#include "run/build.h"
#include "run/json_line.h"
#include "weft/base/text.h"
#include "weft/core/context.h"

namespace weft {
namespace {

std::vector<double> softmax_of(std::span<const double> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  std::vector<double> shares;
  double sum = 0;
  for (const double logit : logits) sum += shares.emplace_back(std::exp(logit - top));
  for (double& share : shares) share /= sum;
  return shares;
}

std::string number_text(double value) {
  return std::isfinite(value) ? cat(static_cast<float>(value)) : "nan";
}

void add_column(PredictionTable& table, std::string name, bool is_text) {
  table.columns.push_back(std::move(name));
  table.is_text.push_back(is_text);
}

void add_headings(PredictionTable& table, const data::Preprocessing& preprocessing,
                  const data::Table& inputs) {
  add_column(table, "row", false);
  if (!inputs.text.empty()) {
    for (const data::Column& column : inputs.columns) add_column(table, column.name, true);
  }
  if (preprocessing.classes().empty()) {
    for (const data::Target& target : preprocessing.targets())
      add_column(table, target.name, false);
    return;
  }
  add_column(table, "prediction", true);
  add_column(table, "probability", false);
  for (const std::string& name : preprocessing.classes()) add_column(table, cat("p_", name), false);
}

void add_outputs(std::vector<std::string>& row, std::span<const double> outputs,
                 const std::vector<std::string>& classes) {
  if (classes.empty()) {
    for (const double value : outputs) row.push_back(number_text(value));
    return;
  }
  const std::vector<double> shares = softmax_of(outputs);
  const auto best =
      static_cast<std::size_t>(std::max_element(shares.begin(), shares.end()) - shares.begin());
  row.push_back(classes[best]);
  row.push_back(number_text(shares[best]));
  for (const double share : shares) row.push_back(number_text(share));
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace

PredictionTable predict(LoadedModel& model, const std::filesystem::path& data,
                        const PredictOptions& options) {
  const data::Preprocessing& preprocessing = model.preprocessing;
  data::CsvOptions csv = preprocessing.csv_options(tabular_options(model.config).csv, false);
  csv.keep_text = options.keep_inputs;
  const data::Table table = data::read_csv(data, csv);
  const data::TensorDataset samples = preprocessing.apply(table, false);

  PredictionTable result;
  result.extra_columns = preprocessing.extra_columns(table);
  add_headings(result, preprocessing, table);
  const NoGrad no_grad;
  model.model.to(options.device);
  model.model.eval();
  for (std::int64_t begin = 0; begin < samples.size(); begin += options.batch_size) {
    const std::int64_t end = std::min(samples.size(), begin + options.batch_size);
    const Tensor output = model.model(samples.x().slice(begin, end).to(options.device));
    const std::vector<double> values = output.to_vector();
    const std::size_t width = values.size() / static_cast<std::size_t>(end - begin);
    for (std::int64_t row = begin; row < end; ++row) {
      std::vector<std::string> cells = {std::to_string(row + 1)};
      if (options.keep_inputs) {
        const auto& inputs = table.text[static_cast<std::size_t>(row)];
        cells.insert(cells.end(), inputs.begin(), inputs.end());
      }
      const auto offset = static_cast<std::size_t>(row - begin) * width;
      add_outputs(cells, std::span(values).subspan(offset, width), preprocessing.classes());
      result.rows.push_back(std::move(cells));
    }
  }
  return result;
}

std::string to_csv(const PredictionTable& table) {
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i)
      out += cat(i == 0 ? "" : ",", csv_cell(cells[i]));
    out += '\n';
  };
  add_line(table.columns);
  for (const auto& row : table.rows) add_line(row);
  return out;
}

std::string to_json(const PredictionTable& table) {
  std::string out = "[";
  for (const auto& row : table.rows) {
    JsonLine object;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool absent = row[i].empty() || row[i] == "nan";
      object.raw(table.columns[i], table.is_text[i] ? json_string(row[i])
                                   : absent         ? "null"
                                                    : row[i]);
    }
    out += cat(out.size() > 1 ? ",\n" : "\n", object.str());
  }
  return out + "\n]\n";
}

}  // namespace weft
