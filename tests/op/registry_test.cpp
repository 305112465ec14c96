// SPDX-License-Identifier: Apache-2.0
#include "weft/op/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/op/support.h"
#include "tests/support/error_gallery.h"
#include "weft/op/plugin.h"

namespace weft::test {
namespace {

OpDef named(const char* name) {
  OpDef def{.name = name, .inputs = {"x"}, .outputs = {"y"}};
  def.infer = like_input;
  return def;
}

TEST(Registry, FindsWhatWasAdded) {
  OpEntry& op = add_op(named("acme::found"));
  EXPECT_EQ(find_op("acme::found"), &op);
  EXPECT_EQ(find_op("acme::absent"), nullptr);
  const auto all = all_ops();
  EXPECT_NE(std::find(all.begin(), all.end(), &op), all.end());
}

TEST(Registry, CopiesTheRecordsStrings) {
  std::string name = "acme::temporary";
  OpEntry& op = add_op(named(name.c_str()));
  name.assign(name.size(), '!');
  EXPECT_EQ(op.name(), "acme::temporary");
}

TEST(Registry, RejectsDuplicatesUnlessAskedToReplace) {
  OpEntry& first = add_op(named("acme::once"));
  expect_error(
      [] { add_op(named("acme::once")); }, ErrorKind::value,
      "add_op: an op called `acme::once` is already registered; choose another name, or pass "
      "{.replace = true}",
      "op/duplicate");
  OpEntry& second = add_op(named("acme::once"), {.replace = true});
  EXPECT_NE(&first, &second);
  EXPECT_EQ(find_op("acme::once"), &second);
}

TEST(Registry, SuggestsANearName) {
  add_op(named("acme::swish"));
  expect_error([] { op_named("acme::swich"); }, ErrorKind::unsupported,
               "no op is called `acme::swich`; did you mean `acme::swish`?", "op/unknown op");
}

TEST(Registry, PrintsAndChecksSignatures) {
  EXPECT_EQ(signature_text(twice_op()),
            "twice(x, *, factor: real = 2, keep: boolean = false) -> (y, kept?)");
  EXPECT_EQ(signature_text(join_op()), "join(first, rest*, last?) -> y");
  add_op(named("acme::signed"), {.signature = "acme::signed(x)->y"});
  expect_error(
      [] { add_op(named("acme::missigned"), {.signature = "acme::missigned(x, w) -> y"}); },
      ErrorKind::value,
      "add_op: record `acme::missigned`: its signature is acme::missigned(x) -> y, not "
      "acme::missigned(x, w) -> y",
      "op/signature");
}

TEST(Registry, RefusesBadRecords) {
  const auto expect_refusal = [](OpDef def, std::string_view why) {
    EXPECT_THROW(
        {
          try {
            add_op(def);
          } catch (const Error& error) {
            EXPECT_NE(error.message().find(why), std::string::npos) << error.message();
            throw;
          }
        },
        Error);
  };
  expect_refusal(named("2fast"), "a name of letters");
  OpDef silent = named("acme::silent");
  silent.infer = nullptr;
  expect_refusal(silent, "no shape inference");
  OpDef twins = named("acme::twins");
  twins.inputs = {"x", "x?"};
  expect_refusal(twins, "input `x` twice");
  OpDef lists = named("acme::lists");
  lists.outputs = {"ys*"};
  expect_refusal(lists, "a list output");
  OpDef nothing = named("acme::nothing");
  nothing.outputs = {};
  expect_refusal(nothing, "makes no output and mutates no input");
}

TEST(Registry, TellsWhatAnOpIsAndWhereItRuns) {
  const OpEntry& op = twice_op();
  EXPECT_EQ(op.def.version, 1);
  EXPECT_NE(op.def.backward, nullptr);
  EXPECT_FALSE(op.def.cpu_fallback);
  const auto rows = op.kernels.rows(DeviceKind::cpu, DType::f32);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].variant, "fast");
  EXPECT_TRUE(rows[0].deterministic);
  EXPECT_FALSE(rows[1].deterministic);
  EXPECT_TRUE(op.kernels.rows(DeviceKind::cpu, DType::f64).empty());
  EXPECT_TRUE(op.kernels.rows(DeviceKind::cuda, DType::f32).empty());
}

TEST(KernelTable, RefusesTheSameVariantTwiceAndFullSlots) {
  KernelTable table;
  const auto run = [](const KernelArgs&) {};
  table.add(DeviceKind::cpu, DType::f32, {.variant = "a", .run = run});
  EXPECT_THROW(table.add(DeviceKind::cpu, DType::f32, {.variant = "a", .run = run}), Error);
  for (const char* name : {"b", "c", "d"})
    table.add(DeviceKind::cpu, DType::f32, {.variant = name, .run = run});
  EXPECT_THROW(table.add(DeviceKind::cpu, DType::f32, {.variant = "e", .run = run}), Error);
  EXPECT_EQ(table.rows(DeviceKind::cpu, DType::f32).size(), 4u);
  EXPECT_EQ(table.rows(DeviceKind::cpu, DType::f64).size(), 0u);
}

TEST(Attributes, PrintParseCompareAndHash) {
  const AttrsInfo& info = *attrs_of<TwiceAttrs>;
  TwiceAttrs a;
  EXPECT_EQ(attrs_text(info, &a), "{factor=2, keep=false}");
  set_attr(info, &a, "factor", "0.25");
  set_attr(info, &a, "keep", "true");
  EXPECT_EQ(a.factor, 0.25);
  EXPECT_TRUE(a.keep);
  TwiceAttrs b = a;
  EXPECT_TRUE(attrs_equal(info, &a, &b));
  EXPECT_EQ(attrs_hash(info, &a), attrs_hash(info, &b));
  b.keep = false;
  EXPECT_FALSE(attrs_equal(info, &a, &b));
  EXPECT_NE(attrs_hash(info, &a), attrs_hash(info, &b));
  EXPECT_NE(layout_hash(info), layout_hash(*attrs_of<NoAttrs>));
}

TEST(Attributes, SayWhatTheyAccept) {
  TwiceAttrs attrs;
  const AttrsInfo& info = *attrs_of<TwiceAttrs>;
  expect_error([&] { set_attr(info, &attrs, "factr", "1"); }, ErrorKind::value,
               "unknown attribute `factr`; did you mean `factor`?", "op/unknown attribute");
  expect_error([&] { set_attr(info, &attrs, "factor", "much"); }, ErrorKind::value,
               "attribute `factor` is \"much\" but must be a number", "op/attribute value");
}

TEST(Plugin, AbiDifferencesAreToldWithBothValues) {
  const PluginAbi host = plugin_abi();
  EXPECT_EQ(abi_difference(host, plugin_abi()), "");
  PluginAbi other = host;
  other.version = "9.9.9";
  EXPECT_EQ(abi_difference(host, other),
            cat("the Weft version is 9.9.9 in the plugin but ", host.version,
                " in libweft; rebuild the plugin against it"));
  other = host;
  other.sizes[2] += 8;
  EXPECT_NE(abi_difference(host, other).find("the size of OpDef"), std::string::npos);
}

TEST(Plugin, MissingLibraryIsAnErrorWithItsPath) {
  try {
    load_plugin("/nowhere/plugin.so");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(error.message().find("/nowhere/plugin.so"), std::string::npos);
  }
}

}  // namespace
}  // namespace weft::test
