// SPDX-License-Identifier: Apache-2.0
#include "run/yaml_document.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {
namespace {

[[noreturn]] void fail(const Origin& origin, std::string message, std::string hint = {}) {
  throw Error(ErrorKind::config, std::move(message), std::move(hint), origin.where());
}

/// Builds the tree from yaml-cpp's events: its Node API loses duplicates and forgives aliases.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string file) : file_(std::move(file)) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      fail(origin(mark), "a second document starts here; a config is one document",
           "remove it, or the `---` or closing bracket before it");
    }
  }
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(origin(mark), "aliases (`*name`) are not accepted", "write the value out");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    begin(mark, {}, anchor);
    YamlNode node;
    node.origin = origin(mark);
    add(std::move(node));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    begin(mark, tag, anchor);
    YamlNode node;
    node.origin = origin(mark);
    node.quoted = tag == "!";
    node.scalar = value;
    const bool is_null = !node.quoted && (value.empty() || value == "~" || value == "null");
    node.kind = is_null ? YamlNode::Kind::null : YamlNode::Kind::scalar;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::map);
  }
  void OnMapEnd() override { close(); }

  YamlNode take() { return std::move(root_); }

 private:
  struct Level {
    YamlNode node;
    bool has_key = false;
  };

  Origin origin(const YAML::Mark& mark) const {
    return {Origin::Kind::file, file_, mark.line + 1, mark.column + 1};
  }

  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != 0)
      fail(origin(mark), "anchors (`&name`) are not accepted", "write the value out");
    if (tag.size() > 1) {
      fail(origin(mark), cat("the tag `", weft::quoted(tag), "` is not accepted"),
           "types come from the key; remove it");
    }
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    begin(mark, tag, anchor);
    if (wants_key()) fail(origin(mark), "a key must be a name, not a list or map");
    if (levels_.size() >= kMaxYamlDepth) {
      fail(origin(mark), cat("nested deeper than ", kMaxYamlDepth, " levels"));
    }
    YamlNode node;
    node.kind = kind;
    node.origin = origin(mark);
    levels_.push_back({std::move(node)});
  }

  void close() {
    YamlNode node = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(node));
  }

  bool wants_key() const {
    return !levels_.empty() && levels_.back().node.kind == YamlNode::Kind::map &&
           !levels_.back().has_key;
  }

  void add(YamlNode node) {
    if (levels_.empty()) {
      root_ = std::move(node);
    } else if (wants_key()) {
      add_key(node);
    } else {
      levels_.back().node.items.push_back(std::move(node));
      levels_.back().has_key = false;
    }
  }

  void add_key(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::scalar) fail(node.origin, "a key must be a name, not null");
    if (node.scalar == "<<" && !node.quoted) {
      fail(node.origin, "merge keys (`<<`) are not accepted", "write the keys out");
    }
    Level& level = levels_.back();
    for (const YamlNode::Key& key : level.node.keys) {
      if (key.name == node.scalar) {
        fail(node.origin,
             cat("key `", weft::quoted(node.scalar), "` is given twice, first in line ",
                 key.origin.line),
             "remove one");
      }
    }
    level.node.keys.push_back({node.scalar, node.origin});
    level.has_key = true;
  }

  std::string file_;
  std::vector<Level> levels_;
  YamlNode root_;
  int documents_ = 0;
};

/// Length of the UTF-8 sequence at the start of `text`; 0 when it is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xC2   ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and code points above U+10FFFF.
  const unsigned char second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

void check_bytes(std::string_view text, const std::string& file) {
  if (text.size() > kMaxYamlBytes) {
    throw Error(ErrorKind::config,
                cat("the file has ", bytes_text(text.size()), "; a config has at most ",
                    bytes_text(kMaxYamlBytes)),
                {}, file);
  }
  Origin here{Origin::Kind::file, file, 1, 1};
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0)
      fail(here, cat("byte ", weft::quoted(text.substr(0, 1)), " is not UTF-8"),
           "save the file as UTF-8");
    if (text[0] == '\0') fail(here, "a NUL byte; a config is text");
    if (text[0] == '\n') {
      ++here.line;
      here.column = 0;
    }
    ++here.column;
    text.remove_prefix(length);
  }
}

}  // namespace

std::string Origin::where() const {
  return kind == Kind::file ? cat(name, ':', line, ':', column) : name;
}

std::string Origin::text() const {
  switch (kind) {
    case Kind::initial:
      return "default";
    case Kind::file:
      return cat(name, ':', line);
    case Kind::environment:
      return cat("environment ", name);
    case Kind::flag:
      return cat("flag ", name);
  }
  return {};
}

const YamlNode* YamlNode::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].name == key) return &items[i];
  }
  return nullptr;
}

YamlNode* YamlNode::find(std::string_view key) {
  return const_cast<YamlNode*>(std::as_const(*this).find(key));
}

YamlNode parse_yaml(std::string_view text, const std::string& file) {
  check_bytes(text, file);
  TreeBuilder builder(file);
  const Origin start{Origin::Kind::file, file, 1, 1};
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Error&) {
    throw;
  } catch (const YAML::Exception& error) {
    const Origin at = error.mark.is_null() ? start
                                           : Origin{Origin::Kind::file, file, error.mark.line + 1,
                                                    error.mark.column + 1};
    fail(at, cat("this is not YAML or JSON: ", error.msg));
  } catch (const std::exception& error) {
    fail(start, cat("this is not YAML or JSON: ", error.what()));
  }
  return builder.take();
}

}  // namespace weft
