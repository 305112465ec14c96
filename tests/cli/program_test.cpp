// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "run/runs.h"
#include "tests/support/paths.h"
#include "tests/support/temporary_folder.h"
#include "weft/base/text.h"
#include "weft/io/file.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

struct Result {
  int code = 0;
  std::string out;
  std::string err;
};

/// Starts the built program in `folder`, its output in files there.
pid_t start(const TemporaryFolder& folder, std::vector<std::string> arguments,
            const std::vector<std::string>& environment = {}) {
  arguments.insert(arguments.begin(), test::program().string());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = {"LANG=C", "PATH=/usr/bin:/bin"};
  variables.insert(variables.end(), environment.begin(), environment.end());
  std::vector<char*> envp;
  for (std::string& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.path().c_str());
  posix_spawn_file_actions_addopen(&actions, 1, (folder / "stdout.txt").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_addopen(&actions, 2, (folder / "stderr.txt").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

Result finish(const TemporaryFolder& folder, pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          io::read_file(folder / "stdout.txt"), io::read_file(folder / "stderr.txt")};
}

Result run(const TemporaryFolder& folder, std::vector<std::string> arguments,
           const std::vector<std::string>& environment = {}) {
  return finish(folder, start(folder, std::move(arguments), environment));
}

std::string iris() { return (test::source_dir() / "examples/iris/iris.csv").string(); }

/// A config for iris that trains in a moment.
std::string small_run(const TemporaryFolder& folder) {
  return folder
      .write(
          "iris.yaml",
          "schema: weft.config/1\ndata: {format: csv, path: " + iris() +
              ", target: species}\n"
              "model: {layers: [{type: linear, name: fc1, out: 8}, relu, {type: linear, out: 3}]}\n"
              "loss: cross_entropy\noptimizer: {type: adamw, lr: 1e-2}\n"
              "train: {epochs: 3, batch_size: 16}\n")
      .string();
}

TEST(Program, TrainPrintsTheRunAndItsResultsOnStdout) {
  const TemporaryFolder folder;
  const Result result = run(folder, {"train", small_run(folder)});
  ASSERT_EQ(result.code, 0) << result.err;
  const fs::path latest = find_run(folder / "runs", "latest");
  const std::string first = "run runs/" + latest.filename().string() + "\nbest/epoch ";
  EXPECT_TRUE(result.out.starts_with(first)) << result.out;
  EXPECT_NE(result.out.find("\nval/accuracy "), std::string::npos);
  EXPECT_NE(result.out.find("\ntest/accuracy "), std::string::npos);
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 4);
  EXPECT_NE(result.err.find(" info epoch epoch=3/3 train/loss="), std::string::npos) << result.err;
}

TEST(Program, TrainLeavesAWholeRunFolder) {
  const TemporaryFolder folder;
  const std::string config = small_run(folder);
  ASSERT_EQ(run(folder, {"train", config, "--quiet"}).code, 0);
  const fs::path latest = find_run(folder / "runs", "latest");
  for (const char* name : {"run.json", "config.yaml", "config.json", "environment.json",
                           "metrics.jsonl", "log.jsonl", "model.safetensors"}) {
    EXPECT_TRUE(fs::exists(latest / name)) << name;
  }
  EXPECT_EQ(io::read_file(latest / "config.yaml"), io::read_file(config));
  EXPECT_EQ(read_run(latest).status, "done");
}

/// metrics.jsonl without what a clock or the run's name put there.
std::string timeless_metrics(const fs::path& run) {
  std::string kept;
  std::istringstream lines(io::read_file(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    auto record = nlohmann::json::parse(line);
    record.erase("perf");
    record.erase("run");
    kept += record.dump() + "\n";
  }
  return kept;
}

TEST(Program, TrainWritesTheSameMetricsForEveryNumberOfThreads) {
  const TemporaryFolder folder;
  const std::string config = small_run(folder);
  std::vector<std::string> metrics;
  std::vector<std::string> models;
  for (const char* threads : {"1", "2", "3"}) {
    ASSERT_EQ(run(folder, {"train", config, "--quiet", "--threads", threads, "--seed", "5"}).code,
              0);
    const fs::path latest = find_run(folder / "runs", "latest");
    metrics.push_back(timeless_metrics(latest));
    models.push_back(io::read_file(latest / "model.safetensors"));
  }
  EXPECT_EQ(metrics[0], metrics[1]);
  EXPECT_EQ(metrics[0], metrics[2]);
  EXPECT_EQ(models[0], models[1]);
  EXPECT_EQ(models[0], models[2]);
}

TEST(Program, TrainGivesTheSameFiguresCapturedAndEagerInEveryPrecision) {
  const TemporaryFolder folder;
  const std::string config = small_run(folder);
  for (const char* precision : {"f32", "bf16", "f16"}) {
    std::vector<std::string> values;
    for (const char* capture : {"off", "on"}) {
      const Result result =
          run(folder, {"train", config, "--quiet", "--set", cat("precision=", precision), "--set",
                       cat("train.capture=", capture)});
      ASSERT_EQ(result.code, 0) << result.err;
      values.push_back(timeless_metrics(find_run(folder / "runs", "latest")));
    }
    EXPECT_EQ(values[0], values[1]) << precision;
  }
}

TEST(Program, LogsJsonLines) {
  const TemporaryFolder folder;
  const Result result = run(folder, {"train", small_run(folder), "--log-format", "json"});
  std::istringstream lines(result.err);
  int epochs = 0;
  for (std::string line; std::getline(lines, line);)
    epochs += nlohmann::json::parse(line)["event"] == "epoch" ? 1 : 0;
  EXPECT_EQ(epochs, 3);
}

TEST(Program, PredictWritesTheContractsColumns) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, {"train", small_run(folder), "--quiet"}).code, 0);
  const Result result = run(folder, {"predict", "latest", iris()});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(
      result.out.starts_with("row,prediction,probability,p_setosa,p_versicolor,p_virginica\n1,"))
      << result.out;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 151);
}

TEST(Program, PredictNeedsTheModelsColumnsAndWarnsOfOthers) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, {"train", small_run(folder), "--quiet"}).code, 0);
  const std::string header = io::read_file(iris()).substr(0, io::read_file(iris()).find('\n'));
  const std::string first = header.substr(0, header.find(','));
  folder.write("missing.csv", "other\n1\n");
  EXPECT_EQ(run(folder, {"predict", "latest", "missing.csv"}).code, 3);
  folder.write("extra.csv", header.substr(0, header.rfind(',')) + ",more\n5,3,1,0.2,9\n");
  const Result extra = run(folder, {"predict", "latest", "extra.csv", "-o", "out.json"});
  EXPECT_EQ(extra.code, 0) << extra.err;
  EXPECT_NE(extra.err.find("more"), std::string::npos) << extra.err;
  EXPECT_TRUE(nlohmann::json::parse(io::read_file(folder / "out.json"))[0].contains("prediction"));
}

TEST(Program, EvaluateRepeatsTheTestFigures) {
  const TemporaryFolder folder;
  const Result trained = run(folder, {"train", small_run(folder), "--quiet"});
  const Result result = run(folder, {"evaluate", "latest"});
  ASSERT_EQ(result.code, 0) << result.err;
  const std::string line = trained.out.substr(trained.out.find("test/accuracy"));
  EXPECT_NE(result.out.find(line), std::string::npos) << result.out;
  EXPECT_TRUE(nlohmann::json::parse(run(folder, {"evaluate", "latest", "--json"}).out)
                  .contains("test/loss"));
}

TEST(Program, ExitCodesTellTheKindOfFailure) {
  const TemporaryFolder folder;
  const std::string config = small_run(folder);
  folder.write("bad.yaml", "schema: weft.config/1\nx: 1\n");
  folder.write("bad.csv", "a,species\n1,x\n2\n");
  folder.write("bad.safetensors", "nonsense");
  struct Case {
    std::vector<std::string> arguments;
    int code;
  };
  const Case cases[] = {
      {{"--help"}, 0},
      {{"--version"}, 0},
      {{"train", config, "--dry-run"}, 0},
      {{"trian"}, 2},
      {{"train"}, 2},
      {{"train", config, "--no-such-flag"}, 2},
      {{"train", "bad.yaml"}, 2},
      {{"config", "check", config, "--set", "train.epoch=1"}, 2},
      {{"runs", "show", "nothing"}, 2},
      {{"train", config, "--set", "data.path=bad.csv"}, 3},
      {{"predict", "bad.safetensors", "bad.csv"}, 4},
      {{"train", config, "--device", "cuda:7"}, 7},
      {{"doctor", "--require", "cuda:7"}, 7},
      {{"train", "absent.yaml"}, 8},
      {{"train", config, "--set", "data.path=absent.csv"}, 8},
      {{"train", config, "--set", "log.dir=/proc/weft"}, 8},
  };
  for (const Case& c : cases) {
    const Result result = run(folder, c.arguments);
    EXPECT_EQ(result.code, c.code) << c.arguments.back() << "\n" << result.err;
    EXPECT_EQ(result.err.empty(), c.code == 0) << result.err;
  }
}

TEST(Program, RefusesAnUnknownKeyFromTheEnvironment) {
  const TemporaryFolder folder;
  const std::string config = small_run(folder);
  EXPECT_EQ(run(folder, {"config", "check", config}, {"WEFT_TRAIN__EPOCH=3"}).code, 2);
  const Result warned = run(folder, {"config", "check", config}, {"WEFT_SEDE=3"});
  EXPECT_EQ(warned.code, 0);
  EXPECT_EQ(warned.err, "warning: WEFT_SEDE: no such variable; ignored; did you mean WEFT_SEED?\n");
}

TEST(Program, AutoTakesADeviceThatIsThere) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, {"train", small_run(folder), "--quiet", "--device", "auto"}).code, 0);
  const fs::path latest = find_run(folder / "runs", "latest");
  const auto environment = nlohmann::json::parse(io::read_file(latest / "environment.json"));
  const auto devices = nlohmann::json::parse(run(folder, {"devices", "--json"}).out);
  EXPECT_EQ(environment["device"],
            devices.back()["device"].get<std::string>().starts_with("cuda") ? "cuda:0" : "cpu");
}

TEST(Program, SaysWhyAPluginCannotBeLoaded) {
  const TemporaryFolder folder;
  const Result result = run(folder, {"layers"}, {"WEFT_PLUGINS=absent.so"});
  EXPECT_NE(result.code, 0);
  EXPECT_NE(result.err.find("absent.so"), std::string::npos) << result.err;
}

TEST(Program, NamesTheNearestVerb) {
  const TemporaryFolder folder;
  EXPECT_EQ(run(folder, {"trian"}).err,
            "error: there is no verb `trian`; did you mean `weft train`?\n");
}

TEST(Program, AFailedRunIsRecordedAsFailed) {
  const TemporaryFolder folder;
  const Result result =
      run(folder, {"train", small_run(folder), "--set", "optimizer.lr=1e30", "--quiet"});
  EXPECT_EQ(result.code, 6) << result.err;
  const RunEntry entry = read_run(find_run(folder / "runs", "latest"));
  EXPECT_EQ(entry.status, "failed");
  EXPECT_EQ(entry.exit_code, 6);
}

class ProgramSignal : public testing::TestWithParam<int> {};

TEST_P(ProgramSignal, FinishesTheStepSavesAndExits) {
  const TemporaryFolder folder;
  const pid_t pid =
      start(folder, {"train", small_run(folder), "--quiet", "--set", "train.epochs=10000000"});
  // The first line of stdout comes before the handlers; a record of an epoch after.
  const auto trained = [&] {
    std::error_code code;
    return fs::exists(folder / "runs/latest/model.safetensors", code);
  };
  while (!trained()) std::this_thread::yield();
  kill(pid, GetParam());
  EXPECT_EQ(finish(folder, pid).code, 128 + GetParam());
  const fs::path latest = find_run(folder / "runs", "latest");
  EXPECT_EQ(read_run(latest).status, "interrupted");
  EXPECT_EQ(run(folder, {"predict", "latest", iris()}).code, 0);
}

INSTANTIATE_TEST_SUITE_P(Signals, ProgramSignal, testing::Values(SIGINT, SIGTERM));

TEST(Program, AKilledRunListsAsDied) {
  const TemporaryFolder folder;
  const pid_t pid =
      start(folder, {"train", small_run(folder), "--quiet", "--set", "train.epochs=10000000"});
  std::error_code code;
  while (!fs::exists(folder / "runs/latest/model.safetensors", code)) std::this_thread::yield();
  kill(pid, SIGKILL);
  finish(folder, pid);
  EXPECT_NE(run(folder, {"runs", "list"}).out.find("died"), std::string::npos);
}

TEST(Program, ListsWhatAConfigMayName) {
  const TemporaryFolder folder;
  for (const char* verb :
       {"ops", "layers", "losses", "optimizers", "schedulers", "metrics", "devices"}) {
    const Result text = run(folder, {verb});
    EXPECT_EQ(text.code, 0) << verb;
    EXPECT_FALSE(text.out.empty()) << verb;
    EXPECT_TRUE(nlohmann::json::parse(run(folder, {verb, "--json"}).out).is_array()) << verb;
  }
  EXPECT_NE(run(folder, {"layers", "conv2d"}).out.find("kernel"), std::string::npos);
  EXPECT_EQ(run(folder, {"layers", "conv2"}).code, 2);
}

TEST(Program, ConfigShowTellsOrigins) {
  const TemporaryFolder folder;
  const Result result = run(
      folder, {"config", "show", small_run(folder), "--origin", "--set", "model.layers.fc1.out=5"},
      {"WEFT_SEED=9"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("environment WEFT_SEED"), std::string::npos);
  EXPECT_NE(result.out.find("flag --set model.layers.fc1.out=5"), std::string::npos);
  EXPECT_NE(result.out.find("iris.yaml:6"), std::string::npos);
}

TEST(Program, DemoShowsANetworkLearnDigits) {
  const TemporaryFolder folder;
  const Result result = run(folder, {"demo"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("unseen digits: 0.9"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("says "), std::string::npos);
  EXPECT_NE(result.out.find("weft predict latest "), std::string::npos);
}

}  // namespace
}  // namespace weft
