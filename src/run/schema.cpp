// SPDX-License-Identifier: Apache-2.0
#include "run/schema.h"

namespace weft {
namespace {

using enum OptionType;

constexpr OptionSpec kRangeScale[] = {
    {.name = "from",
     .type = numbers,
     .required = true,
     .length = 2,
     .doc = "the values that the data span, `[low, high]`"},
    {.name = "to", .type = numbers, .initial = "[0, 1]", .length = 2, .doc = "what they become"},
};

struct Scale {
  std::string_view name;
  std::string_view doc;
  std::span<const OptionSpec> options;
};
constexpr Scale kScales[] = {
    {"none", "features as they are", {}},
    {"standard", "mean 0 and standard deviation 1 over the training part", {}},
    {"minmax", "[0, 1] over the training part", {}},
    {"range", "a given range to another", kRangeScale},
};

constexpr Catalogue kScaleCatalogue{.kind = "scale",
                                    .names =
                                        [] {
                                          std::vector<std::string> names;
                                          for (const Scale& scale : kScales)
                                            names.emplace_back(scale.name);
                                          return names;
                                        },
                                    .find =
                                        [](std::string_view name, Catalogue::Entry& entry) {
                                          for (const Scale& scale : kScales) {
                                            if (scale.name != name) continue;
                                            entry = {std::string(scale.doc), scale.options};
                                            return true;
                                          }
                                          return false;
                                        }};

constexpr KeyTable kCsvKeys[] = {
    key<&CsvConfig::delimiter>({.name = "delimiter",
                                .type = text,
                                .initial = ",",
                                .doc = "one character between cells; \"\\t\" is a tab"}),
    key<&CsvConfig::header>({.name = "header",
                             .type = boolean,
                             .initial = "true",
                             .doc = "the first row names the columns; else they are c0, c1, ..."}),
    key<&CsvConfig::missing>({.name = "missing",
                              .type = texts,
                              .initial = "[\"\", NA, NaN]",
                              .doc = "cells that hold no value"}),
    key<&CsvConfig::on_error>(
        {.name = "on_error",
         .type = text,
         .initial = "strict",
         .choices = "strict|lenient|drop_row",
         .doc = "a malformed cell: stop, take it as missing, or drop its row"}),
    words<&CsvConfig::columns>({.name = "columns",
                                .choices = "numeric|category|bool|ignore",
                                .doc = "forced kinds of columns: `{zip: category, id: ignore}`"}),
};
constexpr SectionTable kCsv{kCsvKeys};

constexpr KeyTable kSplitKeys[] = {
    key<&SplitConfig::train>({.name = "train",
                              .initial = "0.7",
                              .range = between(0, 1),
                              .doc = "share for training; takes what rounding leaves"}),
    key<&SplitConfig::val>({.name = "val",
                            .initial = "0.1",
                            .range = between(0, 1),
                            .doc = "share for validation, rounded down"}),
    key<&SplitConfig::test>({.name = "test",
                             .initial = "0.2",
                             .range = between(0, 1),
                             .doc = "share for the final test, rounded down"}),
    key<&SplitConfig::stratify>({.name = "stratify",
                                 .type = boolean,
                                 .initial = "true",
                                 .doc =
                                     "each part has the class shares of the whole; targets of kind "
                                     "numeric are split at random"}),
};
constexpr SectionTable kSplit{kSplitKeys};

constexpr KeyTable kDataKeys[] = {
    key<&DataConfig::format>({.name = "format",
                              .type = text,
                              .required = true,
                              .choices = "csv",
                              .doc = "format of the data files"}),
    key<&DataConfig::path>({.name = "path", .type = text, .required = true, .doc = "the data file"},
                           KeyKind::path),
    key<&DataConfig::val_path>(
        {.name = "val_path",
         .type = text,
         .initial = "null",
         .doc = "a file of its own for validation instead of its share in `split`"},
        KeyKind::path),
    key<&DataConfig::test_path>(
        {.name = "test_path",
         .type = text,
         .initial = "null",
         .doc = "a file of its own for the test instead of its share in `split`"},
        KeyKind::path),
    nested<&DataConfig::csv>({.name = "csv", .doc = "options of the csv format"}, kCsv),
    key<&DataConfig::features>(
        {.name = "features",
         .type = texts,
         .initial = "null",
         .doc = "column names, globs or 0-based numbers; null is all but target "
                "and ignored ones"}),
    key<&DataConfig::target>({.name = "target",
                              .type = texts,
                              .initial = "null",
                              .doc = "the column to predict; several for regression"}),
    key<&DataConfig::target_kind>({.name = "target_kind",
                                   .type = text,
                                   .initial = "null",
                                   .choices = "numeric|category",
                                   .doc = "null is what the loss needs; classes are sorted"}),
    key<&DataConfig::shape>(
        {.name = "shape",
         .type = integers,
         .initial = "null",
         .range = at_least(1),
         .doc = "one sample, images as [H, W, C]; null is [number of features]"}),
    typed<&DataConfig::scale>(
        {.name = "scale",
         .initial = "standard",
         .doc = "scaling of features, fitted on the training part and stored in the "
                "model"},
        kScaleCatalogue),
    key<&DataConfig::impute>({.name = "impute",
                              .type = text,
                              .initial = "error",
                              .choices = "error|mean|median|zero",
                              .doc = "what takes the place of a missing "
                                     "feature"}),
    nested<&DataConfig::split>({.name = "split", .doc = "shares of the parts; they add up to 1"},
                               kSplit),
};
constexpr SectionTable kData{kDataKeys};

constexpr KeyTable kLoaderKeys[] = {
    key<&LoaderConfig::shuffle>({.name = "shuffle",
                                 .type = boolean,
                                 .initial = "true",
                                 .doc = "a new seeded order in each epoch"}),
    key<&LoaderConfig::last_batch>(
        {.name = "last_batch",
         .type = text,
         .initial = "keep",
         .choices = "keep|drop|pad",
         .doc = "a last batch that is not full; padding is masked out of loss and "
                "metrics"}),
    key<&LoaderConfig::prefetch>({.name = "prefetch",
                                  .type = integer,
                                  .initial = "2",
                                  .range = between(0, 1024),
                                  .doc = "batches prepared ahead; 0 is none"}),
    key<&LoaderConfig::reuse_buffers>(
        {.name = "reuse_buffers",
         .type = boolean,
         .initial = "true",
         .doc = "batches are written into buffers that are free again"}),
};
constexpr SectionTable kLoader{kLoaderKeys};

constexpr KeyTable kLayerKeys[] = {
    key<&LayerConfig::name>({.name = "name",
                             .type = text,
                             .initial = "",
                             .doc = "default: the type and its number, `conv2d_1`"}),
    key<&LayerConfig::in>(
        {.name = "in",
         .type = integers,
         .initial = "null",
         .range = at_least(1),
         .doc = "the shape of one sample that arrives here, or its last extent; inferred, and "
                "checked when given"}),
};
constexpr SectionTable kLayer{kLayerKeys};

constexpr KeyTable kModelKeys[] = {
    key<&ModelConfig::init>(
        {.name = "init",
         .type = text,
         .initial = "default",
         .choices = "default|zeros|ones|uniform|normal|truncated_normal|xavier_uniform|"
                    "xavier_normal|kaiming_uniform|kaiming_normal|orthogonal",
         .doc = "how weights start; default is each layer's own"}),
    key<&ModelConfig::freeze>({.name = "freeze",
                               .type = texts,
                               .initial = "[]",
                               .doc = "globs of parameters that are not trained"}),
    typed<&ModelConfig::layers>({.name = "layers", .required = true, .doc = "the layers in order"},
                                kLayerCatalogue, KeyKind::typed_list, &kLayer),
};
constexpr SectionTable kModel{kModelKeys};

constexpr KeyTable kGroupKeys[] = {
    key<&GroupConfig::params>({.name = "params",
                               .type = texts,
                               .required = true,
                               .doc = "globs of parameter names, `*.bias`"}),
    key<&GroupConfig::lr>({.name = "lr",
                           .initial = "null",
                           .range = at_least(0),
                           .doc = "instead of the optimizer's"}),
    key<&GroupConfig::weight_decay>({.name = "weight_decay",
                                     .initial = "null",
                                     .range = at_least(0),
                                     .doc = "instead of the optimizer's"}),
};
constexpr SectionTable kGroup{kGroupKeys};

constexpr KeyTable kOptimizerKeys[] = {
    nested<&OptimizerConfig::groups>(
        {.name = "groups",
         .initial = "[]",
         .doc = "parameters with options of their own; the first match wins"},
        kGroup, KeyKind::sections),
};
constexpr SectionTable kOptimizer{kOptimizerKeys};

constexpr KeyTable kPhaseKeys[] = {
    key<&PhaseConfig::epochs>({.name = "epochs",
                               .type = integer,
                               .initial = "null",
                               .range = at_least(1),
                               .doc = "length of the phase; the last takes what is left"}),
    key<&PhaseConfig::steps>({.name = "steps",
                              .type = integer,
                              .initial = "null",
                              .range = at_least(1),
                              .doc = "length of the phase in steps, instead of epochs"}),
};
constexpr SectionTable kPhase{kPhaseKeys};

constexpr KeyTable kEarlyStoppingKeys[] = {
    key<&EarlyStoppingConfig::monitor>(
        {.name = "monitor", .type = text, .initial = "val/loss", .doc = "the value watched"}),
    key<&EarlyStoppingConfig::mode>({.name = "mode",
                                     .type = text,
                                     .initial = "auto",
                                     .choices = "auto|min|max",
                                     .doc = "what is better; auto knows losses and metrics"}),
    key<&EarlyStoppingConfig::patience>({.name = "patience",
                                         .type = integer,
                                         .initial = "5",
                                         .range = at_least(1),
                                         .doc = "evaluations without gain"}),
    key<&EarlyStoppingConfig::min_delta>({.name = "min_delta",
                                          .initial = "0",
                                          .range = at_least(0),
                                          .doc = "the least change that counts as gain"}),
};
constexpr SectionTable kEarlyStopping{kEarlyStoppingKeys};

constexpr KeyTable kTrainKeys[] = {
    key<&TrainConfig::epochs>(
        {.name = "epochs",
         .type = integer,
         .initial = "null",
         .range = at_least(1),
         .doc = "one of epochs, max_steps, max_time is required; the first reached ends "
                "the run"}),
    key<&TrainConfig::max_steps>({.name = "max_steps",
                                  .type = integer,
                                  .initial = "null",
                                  .range = at_least(1),
                                  .doc = "updates"}),
    key<&TrainConfig::max_time>(
        {.name = "max_time", .type = duration, .initial = "null", .doc = "wall time"}),
    key<&TrainConfig::batch_size>({.name = "batch_size",
                                   .type = integer,
                                   .initial = "32",
                                   .range = at_least(1),
                                   .doc = "samples per pass"}),
    key<&TrainConfig::accumulate>({.name = "accumulate",
                                   .type = integer,
                                   .initial = "1",
                                   .range = at_least(1),
                                   .doc = "passes per update"}),
    key<&TrainConfig::clip_grad_norm>({.name = "clip_grad_norm",
                                       .initial = "null",
                                       .range = above(0),
                                       .doc = "largest norm of all gradients together"}),
    key<&TrainConfig::clip_grad_value>({.name = "clip_grad_value",
                                        .initial = "null",
                                        .range = above(0),
                                        .doc = "largest magnitude of a gradient's element"}),
    key<&TrainConfig::capture>(
        {.name = "capture",
         .type = text,
         .initial = "auto",
         .choices = "auto|on|off",
         .doc = "record the step and replay it as one graph; auto is on for GPUs"}),
    nested<&TrainConfig::early_stopping>({.name = "early_stopping",
                                          .initial = "null",
                                          .doc = "end the run when a value no longer gains"},
                                         kEarlyStopping),
};
constexpr SectionTable kTrain{kTrainKeys};

constexpr KeyTable kEvalKeys[] = {
    key<&EvalConfig::every_epochs>({.name = "every_epochs",
                                    .type = integer,
                                    .initial = "null",
                                    .range = at_least(1),
                                    .doc = "default: 1, unless every_steps is given"}),
    key<&EvalConfig::every_steps>({.name = "every_steps",
                                   .type = integer,
                                   .initial = "null",
                                   .range = at_least(1),
                                   .doc = "instead of every_epochs"}),
    key<&EvalConfig::batch_size>({.name = "batch_size",
                                  .type = integer,
                                  .initial = "null",
                                  .range = at_least(1),
                                  .doc = "null is train.batch_size"}),
    key<&EvalConfig::sanity_batches>(
        {.name = "sanity_batches",
         .type = integer,
         .initial = "2",
         .range = at_least(0),
         .doc = "validation batches before the first step; not recorded"}),
    key<&EvalConfig::best>({.name = "best",
                            .type = text,
                            .initial = "val/loss",
                            .doc = "the value that chooses model.safetensors"}),
    key<&EvalConfig::test_at_end>({.name = "test_at_end",
                                   .type = boolean,
                                   .initial = "true",
                                   .doc = "evaluate the test part once, with the best weights"}),
};
constexpr SectionTable kEval{kEvalKeys};

constexpr KeyTable kLogKeys[] = {
    key<&LogConfig::dir>({.name = "dir",
                          .type = text,
                          .initial = "runs",
                          .doc = "folder of run folders, relative to the working directory"}),
    key<&LogConfig::level>({.name = "level",
                            .type = text,
                            .initial = "info",
                            .choices = "debug|info|warn|error",
                            .doc = "the least level that is written"}),
    key<&LogConfig::every_steps>({.name = "every_steps",
                                  .type = integer,
                                  .initial = "10",
                                  .range = at_least(1),
                                  .doc = "steps between train records"}),
    key<&LogConfig::sinks>({.name = "sinks",
                            .type = texts,
                            .initial = "[console, jsonl]",
                            .choices = "console|jsonl",
                            .doc = "where records go"}),
};
constexpr SectionTable kLog{kLogKeys};

constexpr KeyTable kConfigKeys[] = {
    key<&Config::schema>({.name = "schema",
                          .type = text,
                          .required = true,
                          .choices = "weft.config/1",
                          .doc = "version of this format"}),
    key<&Config::name>(
        {.name = "name", .type = text, .initial = "null", .doc = "null is the file's name"}),
    key<&Config::seed>({.name = "seed",
                        .type = u64,
                        .initial = "0",
                        .doc = "every random stream derives from it"}),
    key<&Config::device>(
        {.name = "device",
         .type = text,
         .initial = "auto",
         .doc = "auto, cpu, cuda or cuda:N; auto says what it took, cuda without a device is an "
                "error"}),
    key<&Config::threads>({.name = "threads",
                           .type = integer,
                           .initial = "0",
                           .range = between(0, 1024),
                           .doc = "0 is all the process may use; results do not depend on it"}),
    key<&Config::precision>(
        {.name = "precision",
         .type = text,
         .initial = "f32",
         .choices = "f32|bf16|f16",
         .doc = "of matrix products and convolutions; parameters, norms and losses stay f32. f16 "
                "scales the loss"}),
    nested<&Config::data>({.name = "data", .required = true, .doc = "what to learn from"}, kData),
    nested<&Config::loader>({.name = "loader", .doc = "how batches are made"}, kLoader),
    nested<&Config::model>({.name = "model", .required = true, .doc = "the network"}, kModel),
    typed<&Config::loss>({.name = "loss", .required = true, .doc = "what is made small"},
                         kLossCatalogue),
    typed<&Config::metrics>(
        {.name = "metrics",
         .initial = "null",
         .doc = "what is measured; null is accuracy for classes, mae and r2 for numbers"},
        kMetricCatalogue, KeyKind::typed_list),
    typed<&Config::optimizer>(
        {.name = "optimizer", .required = true, .doc = "how parameters are updated"},
        kOptimizerCatalogue, KeyKind::typed, &kOptimizer),
    typed<&Config::scheduler>(
        {.name = "scheduler",
         .initial = "[]",
         .doc = "phases in order, each a factor of lr; none is a constant rate"},
        kScheduleCatalogue, KeyKind::typed_list, &kPhase),
    nested<&Config::train>(
        {.name = "train", .required = true, .doc = "how long and in which portions"}, kTrain),
    nested<&Config::eval>({.name = "eval", .doc = "when and how the model is judged"}, kEval),
    nested<&Config::log>({.name = "log", .doc = "what is written where"}, kLog),
};
constexpr SectionTable kConfig{kConfigKeys};

}  // namespace

const SectionTable& config_table() { return kConfig; }

}  // namespace weft
