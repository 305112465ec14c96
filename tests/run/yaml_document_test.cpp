// SPDX-License-Identifier: Apache-2.0
#include "run/yaml_document.h"

#include <gtest/gtest.h>

#include "tests/support/error_gallery.h"

namespace weft {
namespace {

constexpr ErrorKind kConfig = ErrorKind::config;

TEST(YamlDocument, KeepsEveryPairInOrderWithItsPosition) {
  const YamlNode root = parse_yaml("b: 1\na:\n  - x\n  - {k: 'v'}\n", "f.yaml");
  ASSERT_EQ(root.keys.size(), 2u);
  EXPECT_EQ(root.keys[0].name, "b");
  EXPECT_EQ(root.keys[1].name, "a");
  EXPECT_EQ(root.keys[1].origin.where(), "f.yaml:2:1");
  EXPECT_EQ(root.items[0].origin.where(), "f.yaml:1:4");
  const YamlNode& value = root.items[1].items[1].items[0];
  EXPECT_EQ(value.scalar, "v");
  EXPECT_TRUE(value.quoted);
  EXPECT_EQ(value.origin.where(), "f.yaml:4:9");
}

TEST(YamlDocument, ReadsJsonWithTabs) {
  const YamlNode root = parse_yaml("{\n\t\"a\": [1, 2.5],\n\t\"b\": null\n}\n", "f.json");
  EXPECT_EQ(root.find("a")->items[1].scalar, "2.5");
  EXPECT_EQ(root.find("b")->kind, YamlNode::Kind::null);
  EXPECT_EQ(root.find("a")->origin.where(), "f.json:2:7");
}

TEST(YamlDocument, TellsNullFromQuotedText) {
  const YamlNode root = parse_yaml("a: null\nb: ~\nc:\nd: \"null\"\ne: ''\n", "f");
  EXPECT_EQ(root.find("a")->kind, YamlNode::Kind::null);
  EXPECT_EQ(root.find("b")->kind, YamlNode::Kind::null);
  EXPECT_EQ(root.find("c")->kind, YamlNode::Kind::null);
  EXPECT_EQ(root.find("d")->kind, YamlNode::Kind::scalar);
  EXPECT_EQ(root.find("e")->kind, YamlNode::Kind::scalar);
}

TEST(YamlDocument, RefusesDuplicateKeys) {
  EXPECT_WEFT_ERROR(parse_yaml("a: 1\nb: 2\na: 3\n", "f.yaml"), kConfig,
                    "f.yaml:3:1: key `a` is given twice, first in line 1; remove one",
                    "config/duplicate-key");
}

TEST(YamlDocument, RefusesDuplicateKeysInJson) {
  EXPECT_WEFT_ERROR(parse_yaml("{\"a\": 1,\n \"a\": 1}", "f.json"), kConfig,
                    "f.json:2:2: key `a` is given twice, first in line 1; remove one",
                    "config/duplicate-key-json");
}

TEST(YamlDocument, RefusesAnchors) {
  EXPECT_WEFT_ERROR(parse_yaml("a: &x 1\n", "f.yaml"), kConfig,
                    "f.yaml:1:4: anchors (`&name`) are not accepted; write the value out",
                    "config/anchor");
}

TEST(YamlDocument, RefusesAliases) {
  try {
    parse_yaml("a: &x [1]\nb: *x\n", "f.yaml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "f.yaml:1:4");
  }
}

TEST(YamlDocument, RefusesMergeKeys) {
  EXPECT_WEFT_ERROR(parse_yaml("a:\n  <<: {b: 1}\n", "f.yaml"), kConfig,
                    "f.yaml:2:3: merge keys (`<<`) are not accepted; write the keys out",
                    "config/merge-key");
}

TEST(YamlDocument, RefusesTags) {
  EXPECT_WEFT_ERROR(parse_yaml("a: !!str 1\n", "f.yaml"), kConfig,
                    "f.yaml:1:4: the tag `tag:yaml.org,2002:str` is not accepted; types come from "
                    "the key; remove it",
                    "config/tag");
}

TEST(YamlDocument, RefusesASecondDocument) {
  EXPECT_WEFT_ERROR(parse_yaml("a: 1\n---\nb: 2\n", "f.yaml"), kConfig,
                    "f.yaml:2:1: a second document starts here; a config is one document; remove "
                    "it, or the `---` "
                    "or closing bracket before it",
                    "config/second-document");
}

TEST(YamlDocument, RefusesTextAfterJson) {
  EXPECT_THROW(parse_yaml("{\"a\": 1}\n{\"b\": 2}", "f.json"), Error);
  EXPECT_THROW(parse_yaml("{\"a\": 1} x", "f.json"), Error);
}

TEST(YamlDocument, RefusesInvalidUtf8) {
  EXPECT_WEFT_ERROR(parse_yaml("a: 1\nb: \xC3\x28\n", "f.yaml"), kConfig,
                    "f.yaml:2:4: byte \\xc3 is not UTF-8; save the file as UTF-8", "config/utf8");
  for (const char* bad : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\xE2\x82"}) {
    EXPECT_THROW(parse_yaml(bad, "f"), Error);
  }
}

TEST(YamlDocument, RefusesNul) {
  EXPECT_WEFT_ERROR(parse_yaml(std::string_view("a: 1\0", 5), "f.yaml"), kConfig,
                    "f.yaml:1:5: a NUL byte; a config is text", "config/nul");
}

TEST(YamlDocument, RefusesDeepNesting) {
  std::string text = "a: ";
  for (int i = 0; i < 70; ++i) text += '[';
  EXPECT_WEFT_ERROR(parse_yaml(text + std::string(70, ']'), "f.yaml"), kConfig,
                    "f.yaml:1:67: nested deeper than 64 levels", "config/depth");
  EXPECT_NO_THROW(parse_yaml("a: " + std::string(63, '[') + std::string(63, ']'), "f"));
}

TEST(YamlDocument, RefusesKeysThatAreNoNames) {
  EXPECT_THROW(parse_yaml("? [1, 2]\n: 3\n", "f"), Error);
  EXPECT_THROW(parse_yaml("~: 3\n", "f"), Error);
}

TEST(YamlDocument, NamesThePlaceOfASyntaxError) {
  EXPECT_WEFT_ERROR(parse_yaml("a: [1, 2\nb: 3\n", "f.yaml"), kConfig,
                    "f.yaml:2:2: this is not YAML or JSON: end of sequence flow not found",
                    "config/syntax");
}

TEST(YamlDocument, TakesTheFullSizeAndNoMore) {
  EXPECT_NO_THROW(parse_yaml("# " + std::string(1 << 20, 'x'), "f"));
  EXPECT_THROW(parse_yaml(std::string(kMaxYamlBytes + 1, ' '), "f"), Error);
}

}  // namespace
}  // namespace weft
