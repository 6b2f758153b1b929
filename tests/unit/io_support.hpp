#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "cinecortex/core/error.hpp"

namespace cinecortex::io::test {

/// A folder of a test's own, gone at its end.
class Folder : public ::testing::Test {
 protected:
  Folder() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() / ("cinecortex-" + std::to_string(::getpid()) + "-" +
                                                        info->test_suite_name() + "-" + info->name());
    std::filesystem::create_directories(folder_);
  }
  ~Folder() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::filesystem::remove(file(name));  // ext4 flushes a file that is cut to nothing and written again
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }

  std::filesystem::path folder_;
};

inline std::string read_all(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline std::filesystem::path fixture(const std::string& name) {
  const char* root = std::getenv("CINECORTEX_TEST_DATA");
  if (root == nullptr) throw std::runtime_error("CINECORTEX_TEST_DATA is not set: run this through ctest");
  return std::filesystem::path(root) / "parity" / "io" / name;
}

/// The message of the InputError that `fn` throws, "" if it throws none; other exceptions pass.
template <class Fn>
std::string input_error(Fn&& fn) {
  try {
    fn();
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

#define EXPECT_INPUT_ERROR(statement, part)                             \
  do {                                                                  \
    const std::string message_ = test::input_error([&] { statement; }); \
    EXPECT_NE(message_.find(part), std::string::npos) << message_;      \
    EXPECT_EQ(message_.find('\n'), std::string::npos) << message_;      \
  } while (false)

/// Changes, inserts, removes and cuts some bytes of `original`.
inline std::string mutate(std::string bytes, std::mt19937& random) {
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  for (std::size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = below(bytes.size());
    switch (below(6)) {
      case 0:
        bytes.erase(at, 1 + below(8));
        break;
      case 1:
        bytes.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 2:
        bytes.insert(at, bytes.substr(below(bytes.size()), below(32)));
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      default:
        bytes[at] = static_cast<char>(below(256));
        break;
    }
  }
  return bytes;
}

/// Feeds `count` mutations of `original` to `parse`, which may throw nothing but InputError.
/// @return how many were refused
template <class Parse>
int fuzz(const std::string& original, int count, Parse&& parse) {
  std::mt19937 random(1004);
  int refused = 0;
  for (int i = 0; i < count; ++i) {
    const std::string bytes = mutate(original, random);
    try {
      parse(bytes);
    } catch (const InputError& e) {
      ++refused;
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    }
  }
  return refused;
}

}  // namespace cinecortex::io::test
