// SPDX-License-Identifier: Apache-2.0
#include "weft/io/file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cerrno>

#include "tests/io/system_faults.h"
#include "tests/support/error_gallery.h"
#include "tests/support/temporary_folder.h"
#include "weft/io/hash.h"

namespace {

using weft::ErrorKind;
using weft::io::MappedFile;
using weft::io::read_file;
using weft::io::write_file_atomically;
using weft::test::FaultScope;
using weft::test::TemporaryFolder;

TEST(File, WhatIsWrittenIsReadBack) {
  const TemporaryFolder folder;
  const std::string contents("a\0b\r\n", 5);
  write_file_atomically(folder / "f", contents);
  EXPECT_EQ(read_file(folder / "f"), contents);
  EXPECT_EQ(MappedFile(folder / "f").text(), contents);
}

TEST(File, EmptyFilesMapToNothing) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "");
  EXPECT_TRUE(MappedFile(folder / "f").bytes().empty());
  EXPECT_EQ(read_file(folder / "f"), "");
}

TEST(File, ReadsFilesWhoseSizeIsNotKnownBefore) {
  EXPECT_THAT(read_file("/proc/self/status"), testing::HasSubstr("Pid:"));
}

TEST(File, MappingKeepsTheOldContentsWhenTheFileIsReplaced) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "old");
  const MappedFile mapped(folder / "f");
  write_file_atomically(folder / "f", "new contents");
  EXPECT_EQ(mapped.text(), "old");
}

TEST(File, AbsentFilesAreNamed) {
  EXPECT_WEFT_ERROR(read_file("/nowhere/model"), ErrorKind::io,
                    "cannot open /nowhere/model: No such file or directory", "io/absent");
  EXPECT_WEFT_ERROR(MappedFile("/nowhere/model"), ErrorKind::io,
                    "cannot open /nowhere/model: No such file or directory", "io/absent");
  EXPECT_WEFT_ERROR(write_file_atomically("/nowhere/model", ""), ErrorKind::io,
                    "cannot create /nowhere/model: No such file or directory", "io/no-directory");
}

TEST(File, DirectoriesAreNoFiles) {
  EXPECT_WEFT_ERROR(read_file("/proc"), ErrorKind::io, "cannot read /proc: Is a directory",
                    "io/directory");
}

TEST(AtomicFile, UncommittedLeavesNothing) {
  const TemporaryFolder folder;
  weft::io::AtomicFile(folder / "f").write("partial");
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(AtomicFile, SyncsTheFileThenRenamesThenSyncsTheDirectory) {
  const TemporaryFolder folder;
  const FaultScope scope({});
  write_file_atomically(folder / "f", "x");
  EXPECT_THAT(scope.faults().log, testing::ElementsAre("write", "fsync", "rename", "fsync"));
}

TEST(AtomicFile, ShortWritesAreContinued) {
  const TemporaryFolder folder;
  {
    const FaultScope scope({.short_writes = true});
    write_file_atomically(folder / "f", "many bytes");
  }
  EXPECT_EQ(read_file(folder / "f"), "many bytes");
}

TEST(AtomicFile, InterruptedCallsAreRepeated) {
  const TemporaryFolder folder;
  for (const int call : {1, 2, 4}) {
    const FaultScope scope({.fail_at = call, .error = EINTR});
    write_file_atomically(folder / "f", "contents");
    EXPECT_EQ(scope.faults().calls, 5) << "call " << call;
  }
  EXPECT_EQ(read_file(folder / "f"), "contents");
}

TEST(AtomicFile, FailureAtAnyCallKeepsTheOldFileOrHasTheWholeNewOne) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "old");
  for (const int error : {ENOSPC, EIO}) {
    for (int call = 1; call <= 4; ++call) {
      const FaultScope scope({.fail_at = call, .error = error, .once = false});
      EXPECT_THROW(write_file_atomically(folder / "f", "new"), weft::Error) << "call " << call;
      const bool renamed = call == 4;
      EXPECT_EQ(read_file(folder / "f"), renamed ? "new" : "old") << "call " << call;
      EXPECT_EQ(folder.entries(), 1u) << "call " << call;
      if (renamed) std::filesystem::remove(folder / "f");
    }
    write_file_atomically(folder / "f", "old");
  }
}

TEST(AtomicFile, FullDiskIsNamed) {
  const TemporaryFolder folder;
  const weft::test::WorkingIn inside(folder);
  const FaultScope scope({.fail_at = 1, .error = ENOSPC});
  EXPECT_WEFT_ERROR(write_file_atomically("model.safetensors", "x"), ErrorKind::io,
                    "cannot write model.safetensors: No space left on device; free some space or "
                    "choose another directory",
                    "io/disk-full");
}

TEST(AtomicFile, NewFilesFollowTheUmask) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(027);
  write_file_atomically(folder / "f", "x");
  ::umask(before);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(folder / "f").permissions(),
            perms::owner_read | perms::owner_write | perms::group_read);
}

// Values of XXH3_128bits from the specification's test vectors: the empty input, and "abc".
TEST(Hash, MatchesKnownValues) {
  EXPECT_EQ(weft::io::xxh3_128(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(weft::io::xxh3_128("abc"), "06b05ab6733a618578af5f94892f3950");
}

TEST(Hash, FingerprintOfAFileIsThatOfItsContents) {
  const TemporaryFolder folder;
  const auto path = folder.write("f", "abc");
  EXPECT_EQ(weft::io::fingerprint_of_file(path), "xxh3-128:06b05ab6733a618578af5f94892f3950");
}

}  // namespace
