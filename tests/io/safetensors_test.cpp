// SPDX-License-Identifier: Apache-2.0
#include "weft/io/safetensors.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"
#include "weft/base/error.h"
#include "weft/io/file.h"

namespace {

using namespace weft;
using io::NamedTensor;
using io::read_file;
using io::SafetensorsFile;
using io::write_safetensors;
using test::TemporaryFolder;

Tensor floats(const std::vector<float>& values, const Shape& shape) {
  return Tensor::from(values, shape);
}

std::vector<NamedTensor> small_model() {
  return {{"fc.weight", floats({1, 2, 3, 4, 5, 6}, {2, 3})},
          {"fc.bias", floats({-1, 0.5f}, {2})},
          {"steps", Tensor::from(std::vector<std::int64_t>{7}, {})},
          {"mask", Tensor::from(std::vector<std::uint8_t>{1, 0, 1}, {3})},
          {"none", floats({}, {0, 4})}};
}

std::string small_file(const TemporaryFolder& folder) {
  const auto path = folder / "small.safetensors";
  write_safetensors(path, small_model(), {{"note", "a \"quoted\" line\n"}});
  return read_file(path);
}

// A file as another writer would make it: no checksums.
std::string file_of(const std::string& header, std::size_t data_bytes = 0) {
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    file[i] = static_cast<char>((header.size() >> (8 * i)) & 0xff);
  return file + header + std::string(data_bytes, '\x01');
}

TEST(Safetensors, TensorsAndMetadataComeBackEqual) {
  const TemporaryFolder folder;
  small_file(folder);
  const SafetensorsFile file(folder / "small.safetensors");
  EXPECT_TRUE(file.has_checksums());
  EXPECT_EQ(file.metadata().at("note"), "a \"quoted\" line\n");
  EXPECT_EQ(file.entries().size(), small_model().size());
  for (const auto& [name, tensor] : small_model()) {
    const Tensor read = file.tensor(name);
    EXPECT_EQ(describe(read), describe(tensor)) << name;
    EXPECT_EQ(read.to_vector(), tensor.to_vector()) << name;
  }
}

TEST(Safetensors, SameInputGivesSameBytes) {
  const TemporaryFolder folder;
  const std::string first = small_file(folder);
  std::vector<NamedTensor> other_order = small_model();
  std::ranges::reverse(other_order);
  write_safetensors(folder / "again.safetensors", other_order, {{"note", "a \"quoted\" line\n"}});
  EXPECT_EQ(read_file(folder / "again.safetensors"), first);
}

TEST(Safetensors, WiderElementsComeFirstThenNames) {
  const TemporaryFolder folder;
  small_file(folder);
  std::vector<std::string> names;
  const SafetensorsFile file(folder / "small.safetensors");
  for (const auto& entry : file.entries()) {
    names.push_back(entry.name);
  }
  EXPECT_THAT(names, testing::ElementsAre("steps", "fc.bias", "fc.weight", "none", "mask"));
}

TEST(Safetensors, HeaderIsPaddedWithSpacesToEight) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", std::vector<NamedTensor>{{"x", floats({1}, {1})}}, {},
                    {.checksums = false});
  const std::string header = R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const std::string file = read_file(folder / "f");
  EXPECT_EQ(file.substr(0, 8), std::string("\x38\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(file.substr(8, 56), header + std::string(56 - header.size(), ' '));
}

TEST(Safetensors, TensorsLieOverTheMappedFileAndAreReadOnly) {
  const TemporaryFolder folder;
  small_file(folder);
  const SafetensorsFile file(folder / "small.safetensors");
  Tensor weight = file.tensor("fc.weight");
  EXPECT_EQ(weight.impl()->data, file.tensor("fc.weight").impl()->data);
  EXPECT_TRUE(weight.impl()->storage->read_only());
  EXPECT_THROW(weight.mutable_data<float>(), Error);
}

TEST(Safetensors, TensorsOutliveTheFileObject) {
  const TemporaryFolder folder;
  small_file(folder);
  Tensor weight = SafetensorsFile(folder / "small.safetensors").tensor("fc.weight");
  std::filesystem::remove(folder / "small.safetensors");
  EXPECT_THAT(weight.to_vector(), testing::ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Safetensors, MisalignedTensorsAreCopied) {
  // The header's 55 bytes put the data at an odd address.
  const std::string file = file_of(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                   R"("y":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                                   5);
  const Tensor y = SafetensorsFile::from_bytes(file, "f").tensor("y");
  EXPECT_FALSE(y.impl()->storage->read_only());
  float value = 0;
  std::memcpy(&value, "\1\1\1\1", 4);
  EXPECT_EQ(y.item<float>(), value);
}

TEST(Safetensors, AnyChangedByteOfAWeftFileIsNoticed) {
  const TemporaryFolder folder;
  const std::string good = small_file(folder);
  ASSERT_NO_THROW(SafetensorsFile::from_bytes(good, "good"));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int mask : {0x01, 0x20, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ mask);
      EXPECT_THROW(SafetensorsFile::from_bytes(bad, "bad"), Error)
          << "byte " << at << " mask " << mask;
    }
  }
}

TEST(Safetensors, AnyCutOfAWeftFileIsNoticed) {
  const TemporaryFolder folder;
  const std::string good = small_file(folder);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(SafetensorsFile::from_bytes(good.substr(0, size), "cut"), Error)
        << size << " bytes";
  }
  EXPECT_THROW(SafetensorsFile::from_bytes(good + '\0', "long"), Error);
}

TEST(Safetensors, SwappedTensorsOfEqualSizeAreNoticed) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", std::vector<NamedTensor>{{"a", floats({1, 2}, {2})},
                                                           {"b", floats({3, 4}, {2})}});
  std::string file = read_file(folder / "f");
  std::swap_ranges(file.end() - 16, file.end() - 8, file.end() - 8);
  EXPECT_THROW(SafetensorsFile::from_bytes(file, "f"), Error);
}

TEST(Safetensors, PaddingBelongsToTheChecksum) {
  const TemporaryFolder folder;
  for (int length = 0; length < 8; ++length) {
    write_safetensors(folder / "f", {},
                      {{"note", std::string(static_cast<std::size_t>(length), 'x')}});
    std::string file = read_file(folder / "f");
    if (file.back() != ' ') continue;
    file.back() = '\n';
    EXPECT_THROW(SafetensorsFile::from_bytes(file, "f"), Error);
    return;
  }
  FAIL() << "no header length needed padding";
}

TEST(Safetensors, FilesOfOtherWritersNeedNoChecksums) {
  const std::string file = file_of(
      "  {\"__metadata__\":{\"format\":\"pt\"},\"x\":{\"shape\":[],"
      "\"dtype\":\"U8\",\"data_offsets\":[0,1]}}\n\t ",
      1);
  const SafetensorsFile read = SafetensorsFile::from_bytes(file, "f");
  EXPECT_FALSE(read.has_checksums());
  EXPECT_EQ(read.metadata().at("format"), "pt");
  EXPECT_EQ(read.tensor("x").item<int>(), 1);
}

TEST(Safetensors, DtypesThatWeftDoesNotHoldAreListedButNotRead) {
  const std::string file =
      file_of(R"({"x":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}})", 2);
  const SafetensorsFile read = SafetensorsFile::from_bytes(file, "f");
  ASSERT_NE(read.find("x"), nullptr);
  EXPECT_EQ(read.find("x")->dtype_name, "F8_E4M3");
  EXPECT_FALSE(read.find("x")->dtype.has_value());
  EXPECT_THROW(read.tensor("x"), Error);
}

TEST(Safetensors, FourBitElementsFillWholeBytes) {
  const std::string good = file_of(R"({"x":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})", 2);
  EXPECT_EQ(SafetensorsFile::from_bytes(good, "f").find("x")->bytes, 2u);
  const std::string odd = file_of(R"({"x":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2);
  EXPECT_THROW(SafetensorsFile::from_bytes(odd, "f"), Error);
}

TEST(Safetensors, ZeroExtentsAndScalarsHaveTheirSizes) {
  const std::string file = file_of(R"({"z":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},)"
                                   R"("s":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})",
                                   1);
  const SafetensorsFile read = SafetensorsFile::from_bytes(file, "f");
  EXPECT_EQ(read.tensor("z").shape(), (Shape{0, 5}));
  EXPECT_EQ(read.tensor("s").shape(), Shape{});
}

TEST(Safetensors, WriterRefusesWhatNoReaderTakes) {
  const TemporaryFolder folder;
  const Tensor x = floats({1}, {1});
  const auto write = [&](std::vector<NamedTensor> tensors, const io::Metadata& metadata = {}) {
    write_safetensors(folder / "f", tensors, metadata);
  };
  EXPECT_THROW(write({{"", x}}), Error);
  EXPECT_THROW(write({{"a", x}, {"a", x}}), Error);
  EXPECT_THROW(write({{"__metadata__", x}}), Error);
  EXPECT_THROW(write({{"a\n", x}}), Error);
  EXPECT_THROW(write({{"\xff", x}}), Error);
  EXPECT_THROW(write({{"../a", x}}), Error);
  EXPECT_THROW(write({{"a", Tensor()}}), Error);
  EXPECT_THROW(write({{"a", x}}, {{"k", "\xff"}}), Error);
  EXPECT_THROW(write({{"a", x}}, {{"weft.checksums", ""}}), Error);
  EXPECT_EQ(folder.entries(), 0u);
}

}  // namespace
