#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <vector>

#include "cinecortex/core/digest.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/core/types.hpp"
#include "temp_folder.hpp"

namespace cinecortex {
namespace {

TEST(AllFinite, FindsOneBadNumberAnywhere) {
  MatrixF values = MatrixF::Constant(5, 7, std::numeric_limits<float>::max());
  EXPECT_TRUE(all_finite(values));
  EXPECT_TRUE(all_finite(MatrixF(0, 3)));
  for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    for (Index i = 0; i < values.size(); ++i) {
      MatrixF spoiled = values;
      spoiled.data()[i] = bad;
      EXPECT_FALSE(all_finite(spoiled));
    }
  }
}

TEST(Partition, CoversEverythingOnceInOrder) {
  for (const Index total : {0, 1, 2, 7, 64, 1001}) {
    for (const Index parts : {1, 2, 3, 4, 7, 100}) {
      Index next = 0;
      for (Index part = 0; part < parts; ++part) {
        const Range range = partition(total, parts, part);
        EXPECT_EQ(range.begin, next);
        EXPECT_LE(range.size(), total / parts + 1);
        EXPECT_GE(range.size(), total / parts);
        next = range.end;
      }
      EXPECT_EQ(next, total);
    }
  }
}

TEST(CheckedCast, ThrowsInsteadOfWrapping) {
  EXPECT_EQ(checked_cast<int>(std::int64_t{2147483647}), 2147483647);
  EXPECT_THROW(checked_cast<int>(std::int64_t{2147483648}), Error);
  EXPECT_THROW(checked_cast<unsigned>(-1), Error);
}

TEST(ClosestName, SuggestsWhatWasMeant) {
  const std::vector<std::string> names{"delay", "window", "components"};
  EXPECT_EQ(closest_name("dealy", names), "delay");
  EXPECT_EQ(closest_name("component", names), "components");
  EXPECT_EQ(closest_name("zzzzzzzz", names), "");
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Digest, FramesItsFields) {
  EXPECT_NE(Digest().add("ab").add("c").hex(), Digest().add("a").add("bc").hex());
  EXPECT_EQ(Digest().add("ab").add(1.5).hex(), Digest().add("ab").add(1.5).hex());
  EXPECT_NE(Digest().add(std::int64_t{1}).hex(), Digest().add(1.0).hex());
  EXPECT_EQ(Digest().hex().size(), 32u);
}

TEST(FileDigest, SeesContentAndLengthButNotName) {
  const testing::TempFolder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
    return file_digest(folder / name);
  };
  EXPECT_EQ(write("a", "movie"), write("b", "movie"));
  EXPECT_NE(write("a", "movie"), write("b", "movia"));
  EXPECT_NE(write("a", ""), write("b", std::string(1, '\0')));
  std::string large(std::size_t{9} << 20, 'x');
  const auto before = write("large", large);
  large.back() = 'y';
  EXPECT_NE(write("large", large), before);
  large.back() = 'x';
  EXPECT_EQ(write("moved", large), before);
}

TEST(FileDigest, NamesTheFileThatIsMissing) {
  try {
    file_digest("/nowhere/movie.mkv");
    FAIL() << "no error";
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find("/nowhere/movie.mkv"), std::string::npos);
  }
}

TEST(Format, DurationsAndBytes) {
  EXPECT_EQ(format_duration(2.34), "2.3 s");
  EXPECT_EQ(format_duration(245), "4 min 05 s");
  EXPECT_EQ(format_duration(3 * 3600 + 12 * 60), "3 h 12 min");
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1.5 * 1024 * 1024 * 1024), "1.5 GiB");
}

TEST(Memory, SizesAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_bytes("2GiB"), std::int64_t{2} << 30);
  EXPECT_EQ(parse_bytes("512 MiB"), std::int64_t{512} << 20);
  EXPECT_EQ(parse_bytes("16G"), std::int64_t{16} << 30);
  EXPECT_EQ(parse_bytes("1.5KB"), 1500);
  EXPECT_EQ(parse_bytes("3e9"), 3'000'000'000);
  for (const auto* wrong : {"", "GiB", "-1G", "0", "1 PiB", "two", "1e30G", "nan"}) {
    EXPECT_THROW(parse_bytes(wrong), InputError) << wrong;
  }
}

TEST(Memory, TheKernelCountsWhatThisProcessUses) {
  EXPECT_GT(resident_bytes(), 1 << 20);
  EXPECT_GE(peak_resident_bytes(), resident_bytes());
  EXPECT_GT(available_bytes(), 1 << 20);
}

}  // namespace
}  // namespace cinecortex
