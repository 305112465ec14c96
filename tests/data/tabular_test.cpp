// SPDX-License-Identifier: Apache-2.0
#include "weft/data/tabular.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "tests/support/error_gallery.h"
#include "tests/support/paths.h"
#include "tests/support/temporary_folder.h"
#include "weft/data/loader.h"

namespace {

using namespace weft;
using namespace weft::data;
using testing::ElementsAre;

Table read(std::string_view text, const TabularOptions& options = {}) {
  return parse_csv(text, "t.csv", csv_options(options));
}

std::vector<std::int64_t> all_rows(const Table& table) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(table.rows));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

Preprocessing fit(std::string_view text, const TabularOptions& options) {
  const Table table = read(text, options);
  return Preprocessing::fit(table, options, all_rows(table));
}

std::vector<double> inputs(std::string_view text, const TabularOptions& options) {
  const Table table = read(text, options);
  return Preprocessing::fit(table, options, all_rows(table)).apply(table).x().to_vector();
}

TEST(Tabular, ClassesBecomeNumbersInSortedOrder) {
  const TabularOptions options{.targets = {"y"}, .scale = Scale::none};
  const Table table = read("a,y\n1,dog\n2,cat\n3,dog\n", options);
  const Preprocessing fitted = Preprocessing::fit(table, options, all_rows(table));
  const TensorDataset data = fitted.apply(table);
  EXPECT_THAT(fitted.classes(), ElementsAre("cat", "dog"));
  EXPECT_EQ(describe(data.y()), "i64[3]");
  EXPECT_THAT(data.y().to_vector(), ElementsAre(1, 0, 1));
  EXPECT_EQ(describe(data.x()), "f32[3,1]");
  EXPECT_THAT(data.x().to_vector(), ElementsAre(1, 2, 3));
}

TEST(Tabular, NumericTargetsHaveAColumnEach) {
  const TabularOptions options{
      .targets = {"y", "0"}, .target_kind = TargetKind::numeric, .scale = Scale::none};
  const Table table = read("z,a,y\n7,1,0.5\n8,2,1.5\n", options);
  const TensorDataset data = Preprocessing::fit(table, options, all_rows(table)).apply(table);
  EXPECT_EQ(describe(data.y()), "f32[2,2]");
  EXPECT_THAT(data.y().to_vector(), ElementsAre(0.5, 7, 1.5, 8));
}

TEST(Tabular, FeaturesAreChosenByNameGlobAndNumber) {
  const auto chosen = [](std::vector<std::string> features) {
    std::vector<std::string> names;
    const Preprocessing fitted =
        fit("p0,p1,q,y\n1,2,3,a\n4,5,6,b\n", {.features = std::move(features), .targets = {"y"}});
    for (const Feature& feature : fitted.features()) names.push_back(feature.name);
    return names;
  };
  EXPECT_THAT(chosen({}), ElementsAre("p0", "p1", "q"));
  EXPECT_THAT(chosen({"p*"}), ElementsAre("p0", "p1"));
  EXPECT_THAT(chosen({"q", "0"}), ElementsAre("q", "p0"));
  EXPECT_THAT(chosen({"*"}), ElementsAre("p0", "p1", "q"));
  EXPECT_THAT(chosen({"p1", "p*"}), ElementsAre("p1", "p0"));
}

TEST(Tabular, SamplesTakeTheShapeAsked) {
  const TabularOptions options{.targets = {"y"}, .shape = {2, 1, 2}, .scale = Scale::none};
  const Table table = read("a,b,c,d,y\n1,2,3,4,u\n5,6,7,8,v\n", options);
  EXPECT_EQ(describe(Preprocessing::fit(table, options, all_rows(table)).apply(table).x()),
            "f32[2,2,1,2]");
}

TEST(Tabular, StandardScaleGivesMeanZeroAndDeviationOne) {
  const auto x = inputs("a,b,y\n1,5,u\n2,5,v\n3,5,u\n", {.targets = {"y"}});
  const double deviation = std::sqrt(2.0 / 3);
  EXPECT_THAT(x,
              testing::Pointwise(testing::DoubleNear(1e-6),
                                 std::vector<double>{-1 / deviation, 0, 0, 0, 1 / deviation, 0}));
}

TEST(Tabular, MinmaxScaleGivesZeroToOne) {
  EXPECT_THAT(inputs("a,y\n10,u\n30,v\n20,u\n", {.targets = {"y"}, .scale = Scale::minmax}),
              ElementsAre(0, 1, 0.5));
}

TEST(Tabular, RangeScaleMapsTheGivenRange) {
  EXPECT_THAT(inputs("a,y\n0,u\n16,v\n4,u\n",
                     {.targets = {"y"}, .scale = Scale::range, .from = {0, 16}, .to = {-1, 1}}),
              ElementsAre(-1, 1, -0.5));
}

TEST(Tabular, ScaleIsFittedOnTheGivenRowsOnly) {
  const TabularOptions options{.targets = {"y"}, .scale = Scale::minmax};
  const Table table = read("a,y\n0,u\n10,v\n100,u\n", options);
  const std::vector<std::int64_t> train = {0, 1};
  EXPECT_THAT(Preprocessing::fit(table, options, train).apply(table).x().to_vector(),
              ElementsAre(0, 1, 10));
}

TEST(Tabular, MissingNumbersAreFilledBeforeScaling) {
  const std::string text = "a,y\n1,u\n,v\n2,u\n6,v\n";
  const auto filled = [&](Impute impute) {
    return inputs(text, {.targets = {"y"}, .scale = Scale::none, .impute = impute})[1];
  };
  EXPECT_EQ(filled(Impute::mean), 3);
  EXPECT_EQ(filled(Impute::median), 2);
  EXPECT_EQ(filled(Impute::zero), 0);
}

TEST(Tabular, MedianOfAnEvenCountIsTheMiddle) {
  EXPECT_EQ(inputs("a,y\n1,u\n,v\n2,u\n6,v\n10,u\n",
                   {.targets = {"y"}, .scale = Scale::none, .impute = Impute::median})[1],
            4);
}

TEST(Tabular, CategoriesBecomeOneValuePerClass) {
  const auto x = inputs("c,n,y\nred,1,u\nblue,2,v\n,3,u\n",
                        {.targets = {"y"}, .scale = Scale::none, .impute = Impute::zero});
  EXPECT_THAT(x, ElementsAre(0, 1, 1, /**/ 1, 0, 2, /**/ 0, 0, 3));
}

TEST(Tabular, PreprocessingComesBackFromJsonBitForBit) {
  const TabularOptions options{.targets = {"y"}, .impute = Impute::mean};
  const std::string text = "a,c,b,y\n0.1,p,true,u\n0.7,q,false,v\n,q,true,u\n";
  const Table table = read(text, options);
  const Preprocessing fitted = Preprocessing::fit(table, options, all_rows(table));
  const Preprocessing again = Preprocessing::from_json(fitted.to_json());
  EXPECT_EQ(again.to_json(), fitted.to_json());
  EXPECT_EQ(again.apply(table).x().to_vector(), fitted.apply(table).x().to_vector());
  EXPECT_EQ(again.classes(), fitted.classes());
}

TEST(Tabular, NewFilesMatchByNameWhateverTheirOrder) {
  const Preprocessing fitted =
      fit("a,b,y\n1,10,u\n2,20,v\n", {.targets = {"y"}, .scale = Scale::none});
  const Table table =
      parse_csv("id,b,a\n1,30,3\n2,40,4\nx3,50,5\n", "new.csv", fitted.csv_options({}, false));
  EXPECT_THAT(fitted.apply(table, false).x().to_vector(), ElementsAre(3, 30, 4, 40, 5, 50));
  EXPECT_THAT(fitted.extra_columns(table), ElementsAre("id"));
  EXPECT_FALSE(fitted.apply(table, false).target().has_value());
}

TEST(Tabular, ClassNumbersAreThoseOfTraining) {
  const Preprocessing fitted =
      fit("a,c,y\n1,p,u\n2,q,v\n", {.targets = {"y"}, .scale = Scale::none});
  const Table table = parse_csv("a,c,y\n5,q,v\n", "new.csv", fitted.csv_options({}));
  const TensorDataset data = fitted.apply(table);
  EXPECT_THAT(data.x().to_vector(), ElementsAre(5, 0, 1));
  EXPECT_THAT(data.y().to_vector(), ElementsAre(1));
}

TEST(Tabular, DigitsSplitAsTheContractSays) {
  const auto path = test::source_dir() / "examples/digits/digits.csv";
  const TabularData digits = load_tabular(path,
                                          {.features = {"p*"},
                                           .targets = {"digit"},
                                           .shape = {8, 8, 1},
                                           .scale = Scale::range,
                                           .from = {0, 16},
                                           .to = {0, 1}},
                                          1);
  EXPECT_EQ(digits.train->size(), 1259);
  EXPECT_EQ(digits.val->size(), 179);
  EXPECT_EQ(digits.test->size(), 359);
  EXPECT_EQ(digits.preprocessing.classes().size(), 10u);
  EXPECT_EQ(digits.train->input().shape, (Shape{8, 8, 1}));
  EXPECT_EQ(
      std::accumulate(digits.class_counts.begin(), digits.class_counts.end(), std::int64_t{0}),
      1259);
  EXPECT_THAT(digits.class_counts,
              testing::Each(testing::AllOf(testing::Ge(121), testing::Le(129))));
}

TEST(Tabular, OwnFilesTakeThePlaceOfTheirShare) {
  const test::TemporaryFolder folder;
  std::string text = "a,y\n";
  for (int i = 0; i < 20; ++i) text += std::to_string(i) + (i % 2 == 0 ? ",u\n" : ",v\n");
  const auto train = folder.write("train.csv", text);
  const TabularData data = load_tabular(
      train, {.targets = {"y"}, .test_path = folder.write("test.csv", "y,a\nv,3\n")}, 1);
  EXPECT_EQ(data.train->size(), 18);
  EXPECT_EQ(data.val->size(), 2);
  EXPECT_EQ(data.test->size(), 1);
}

TEST(Tabular, EmptySharesGiveNoDataset) {
  const test::TemporaryFolder folder;
  const auto path = folder.write("t.csv", "a,y\n1,u\n2,v\n");
  const TabularData data =
      load_tabular(path, {.targets = {"y"}, .split = {.train = 1, .val = 0, .test = 0}}, 1);
  EXPECT_EQ(data.val, nullptr);
  EXPECT_EQ(data.test, nullptr);
}

TEST(TabularErrors, MissingFeatureNamesItsLine) {
  EXPECT_WEFT_ERROR(inputs("a,b,y\n1,2,u\n1,,v\n,2,u\n", {.targets = {"y"}}), ErrorKind::data,
                    "t.csv:4: feature `a` has no value\nt.csv:3: feature `b` has no value; set "
                    "data.impute to mean, "
                    "median or zero, or complete the file",
                    "data/missing-feature");
}

TEST(TabularErrors, MissingTargetNamesItsLine) {
  EXPECT_WEFT_ERROR(inputs("a,y\n1,u\n1,\n", {.targets = {"y"}}), ErrorKind::data,
                    "t.csv:3: target `y` has no value", "data/missing-target");
}

TEST(TabularErrors, UnseenClassNamesItsLineAndTheKnownOnes) {
  const Preprocessing fitted = fit("a,c,y\n1,red,u\n2,blue,v\n", {.targets = {"y"}});
  const Table table = parse_csv("a,c\n1,red\n2,mauve\n", "new.csv", fitted.csv_options({}, false));
  EXPECT_WEFT_ERROR(fitted.apply(table, false), ErrorKind::data,
                    "new.csv:3: column `c` expects one of blue, red, got \"mauve\"",
                    "data/unseen-class");
}

TEST(TabularErrors, AbsentColumnsAreNamed) {
  const Preprocessing fitted = fit("age,c,y\n1,red,u\n2,blue,v\n", {.targets = {"y"}});
  EXPECT_WEFT_ERROR(parse_csv("ages,c\n1,red\n", "new.csv", fitted.csv_options({}, false)),
                    ErrorKind::data, "new.csv: no column `age`; did you mean `ages`?",
                    "data/absent-column");
  EXPECT_WEFT_ERROR(fitted.apply(parse_csv("c\nred\n", "new.csv"), false), ErrorKind::data,
                    "new.csv: the feature column `age` is missing; it has c",
                    "data/absent-feature");
}

TEST(TabularErrors, NamesThatMatchNothing) {
  const std::string text = "p0,p1,digit\n1,2,u\n3,4,v\n";
  EXPECT_WEFT_ERROR(fit(text, {.features = {"x*"}, .targets = {"digit"}}), ErrorKind::data,
                    "t.csv: no column for feature `x*`; it has p0, p1, digit",
                    "data/no-such-feature");
  EXPECT_WEFT_ERROR(fit(text, {.targets = {"digits"}}), ErrorKind::data,
                    "t.csv: no column `digits`; did you mean `digit`?", "data/no-such-target");
  EXPECT_WEFT_ERROR(fit(text, {.features = {"digit"}, .targets = {"digit"}}), ErrorKind::data,
                    "t.csv: column `digit` is both feature and target", "data/feature-is-target");
}

TEST(TabularErrors, ShapeMustHoldTheFeatures) {
  EXPECT_WEFT_ERROR(fit("a,b,c,y\n1,2,3,u\n1,2,3,v\n", {.targets = {"y"}, .shape = {2, 2}}),
                    ErrorKind::data, "t.csv: shape [2,2] holds 4 values but the features give 3",
                    "data/shape");
}

TEST(TabularErrors, SeveralTargetsCannotBeClasses) {
  EXPECT_WEFT_ERROR(fit("a,y,z\n1,2,3\n", {.targets = {"y", "z"}}), ErrorKind::value,
                    "targets: y, z cannot all be classes; name one, or set target_kind: numeric",
                    "data/several-class-targets");
}

TEST(TabularErrors, ForcedKindOfATargetMustFit) {
  EXPECT_WEFT_ERROR(
      fit("a,y\n1,2\n", {.csv = {.columns = {{"y", ColumnKind::numeric}}}, .targets = {"y"}}),
      ErrorKind::data,
      "t.csv: target `y` is a numeric column, needed is category; set csv.columns: {y: category}",
      "data/target-kind");
}

TEST(TabularErrors, DamagedPreprocessingIsAModelFileError) {
  const std::string good = fit("a,y\n1,u\n2,v\n", {.targets = {"y"}}).to_json();
  EXPECT_THROW(Preprocessing::from_json("{}"), Error);
  EXPECT_THROW(Preprocessing::from_json(good.substr(0, good.size() / 2)), Error);
  std::string newer = good;
  newer.replace(newer.find("preprocessing/1"), 15, "preprocessing/2");
  EXPECT_WEFT_ERROR(Preprocessing::from_json(newer), ErrorKind::model_file,
                    "preprocessing: schema is \"weft.preprocessing/2\", needed is "
                    "\"weft.preprocessing/1\"; the model "
                    "file is damaged or from a newer version",
                    "model_file/preprocessing-newer");
}

}  // namespace
