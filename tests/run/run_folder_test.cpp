// SPDX-License-Identifier: Apache-2.0
#include "run/run_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "run/process.h"
#include "run/runs.h"
#include "tests/support/temporary_folder.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/io/file.h"

namespace weft {
namespace {

using test::TemporaryFolder;

RunRecord record_named(std::string name) {
  RunRecord record;
  record.name = std::move(name);
  record.command = {"weft", "train", "a \"b\".yaml"};
  record.config_path = "/x/a.yaml";
  return record;
}

TEST(RunId, HasATimeAndSixBase32Characters) {
  const std::string id = new_run_id();
  ASSERT_EQ(id.size(), 22u) << id;
  const std::string digits = id.substr(0, 8) + id.substr(9, 6);
  EXPECT_EQ(digits.find_first_not_of("0123456789"), std::string::npos) << id;
  EXPECT_EQ(id.substr(16).find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos)
      << id;
  EXPECT_EQ(cat(id[8], id[15]), "--") << id;
}

TEST(RunId, IsUniqueAndSortsByTime) {
  std::set<std::string> ids;
  std::string last_time;
  for (int i = 0; i < 500; ++i) {
    const std::string id = new_run_id();
    ids.insert(id);
    EXPECT_GE(id.substr(0, 15), last_time);
    last_time = id.substr(0, 15);
  }
  EXPECT_EQ(ids.size(), 500u);
}

TEST(RunFolder, PointsLatestAtTheNewestRun) {
  const TemporaryFolder folder;
  const RunFolder first = RunFolder::create(folder / "runs", record_named("a"));
  const RunFolder second = RunFolder::create(folder / "runs", record_named("b"));
  EXPECT_NE(first.id(), second.id());
  EXPECT_EQ(std::filesystem::read_symlink(folder / "runs/latest"), second.id());
}

TEST(RunFolder, RecordsItsLife) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder.path(), record_named("a"));
  EXPECT_EQ(read_run(run.path()).status, "running");
  run.finish(RunStatus::early_stopped, 0);
  const RunEntry entry = read_run(run.path());
  EXPECT_EQ(entry.status, "early_stopped");
  EXPECT_EQ(entry.exit_code, 0);
  EXPECT_EQ(entry.name, "a");
  EXPECT_EQ(entry.config_path, "/x/a.yaml");
  EXPECT_GE(entry.end, entry.start);
}

TEST(RunFolder, ListsADeadRunAsDied) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), record_named("a"));
  auto json = nlohmann::json::parse(io::read_file(run.path() / "run.json"));
  json["process"]["start"] = 1;
  io::write_file_atomically(run.path() / "run.json", json.dump());
  EXPECT_EQ(read_run(run.path()).status, "died");
  json["process"]["host"] = "elsewhere";
  io::write_file_atomically(run.path() / "run.json", json.dump());
  EXPECT_EQ(read_run(run.path()).status, "running");
}

TEST(RunFolder, WritesARecordALine) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder.path(), record_named("a"));
  run.add({.kind = "train",
           .step = 10,
           .epoch = 1,
           .values = {{"train/loss", 2.0781207084655762}, {"lr", 0.00060375}},
           .perf = {{"time", "0.071"}}});
  run.add(
      {.kind = "epoch", .step = 20, .epoch = 1, .best = true, .values = {{"val/accuracy", 1.0}}});
  run.add({.kind = "event", .step = 20, .epoch = 1, .event = "stop", .reason = "epochs"});
  EXPECT_EQ(io::read_file(run.path() / "metrics.jsonl"),
            "{\"schema\":\"weft.metrics/1\",\"run\":\"" + run.id() +
                "\"}\n"
                "{\"kind\":\"train\",\"step\":10,\"epoch\":1,\"values\":{\"train/"
                "loss\":2.0781207,\"lr\":0.00060375},"
                "\"perf\":{\"time\":0.071}}\n"
                "{\"kind\":\"epoch\",\"step\":20,\"epoch\":1,\"best\":true,\"values\":{\"val/"
                "accuracy\":1.0}}\n"
                "{\"kind\":\"event\",\"step\":20,\"epoch\":1,\"event\":\"stop\",\"reason\":"
                "\"epochs\"}\n");
}

TEST(RunFolder, NamesWhatIsNotFinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  const MetricRecord record{
      .kind = "train",
      .step = 1,
      .epoch = 1,
      .values = {{"a", std::nan("")}, {"b", infinity}, {"c", -infinity}, {"d", 0.5}}};
  EXPECT_EQ(to_json(record),
            "{\"kind\":\"train\",\"step\":1,\"epoch\":1,\"values\":{\"a\":null,\"b\":null,\"c\":"
            "null,\"d\":0.5},"
            "\"nonfinite\":{\"a\":\"nan\",\"b\":\"inf\",\"c\":\"-inf\"}}");
}

TEST(RunFolder, SummarisesMetrics) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder.path(), record_named("a"));
  for (const double loss : {3.0, 1.0, 2.0}) {
    run.add({.kind = "epoch",
             .step = 1,
             .epoch = 1,
             .values = {{"val/loss", loss}, {"val/accuracy", loss / 4}}});
  }
  run.finish(RunStatus::done, 0);
  const auto json = nlohmann::json::parse(io::read_file(run.path() / "run.json"));
  const auto& loss = json["summary"]["val/loss"];
  EXPECT_EQ(loss["last"], 2.0);
  EXPECT_EQ(loss["best"], 1.0);
  EXPECT_EQ(loss["mean"], 2.0);
  EXPECT_EQ(loss["min"], 1.0);
  EXPECT_EQ(loss["max"], 3.0);
  EXPECT_EQ(json["summary"]["val/accuracy"]["best"], 0.75);
}

TEST(RunFolder, WritesNoLinesWhenNotAsked) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder.path(), record_named("a"));
  run.without_lines();
  run.add({.kind = "epoch", .values = {{"val/loss", 1}}});
  EXPECT_FALSE(std::filesystem::exists(run.path() / "metrics.jsonl"));
}

TEST(Runs, AreFoundByPathIdTailAndLatest) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), record_named("a"));
  EXPECT_EQ(find_run(folder.path(), run.id()), run.path());
  EXPECT_EQ(find_run(folder.path(), run.id().substr(16)), run.path());
  EXPECT_EQ(find_run(folder.path(), "latest"), run.path());
  EXPECT_EQ(find_run("elsewhere", run.path().string()), run.path());
}

TEST(Runs, NameWhatIsThereWhenNoneFits) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), record_named("a"));
  try {
    find_run(folder.path(), "nope0");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find(run.id()), std::string::npos);
  }
}

TEST(Runs, ListNewestFirstAndNameBrokenOnes) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), record_named("a"));
  std::filesystem::create_directory(folder / "00000000-broken");
  folder.write("00000000-broken/run.json", "{\"id\": 3}");
  std::vector<std::string> skipped;
  const auto runs = list_runs(folder.path(), skipped);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].id, run.id());
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_NE(skipped[0].find("00000000-broken"), std::string::npos);
}

TEST(Process, KnowsItself) {
  EXPECT_TRUE(may_be_alive(this_process()));
  ProcessId other = this_process();
  other.start += 1;
  EXPECT_FALSE(may_be_alive(other));
  EXPECT_EQ(output_of({"echo", "a b"}), "a b\n");
  EXPECT_FALSE(output_of({"no-such-program-anywhere"}));
  EXPECT_FALSE(output_of({"false"}));
}

TEST(JsonNumber, IsTheShortestThatReadsBack) {
  EXPECT_EQ(json_number(1), "1.0");
  EXPECT_EQ(json_number(-0.0), "-0.0");
  EXPECT_EQ(json_number(0.1f), "0.1");
  EXPECT_EQ(json_number(0.1), "0.1");
  EXPECT_EQ(json_number(0.9972144846796658), "0.9972144846796658");
  EXPECT_EQ(json_number(1e300), "1e+300");
  EXPECT_EQ(json_number(std::nan("")), "null");
}

}  // namespace
}  // namespace weft
