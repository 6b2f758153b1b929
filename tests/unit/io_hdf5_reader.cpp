// Reading files that h5py wrote (tests/parity/io/make_fixtures.py).
#include <future>

#include "cinecortex/io/hdf5.hpp"
#include "io_support.hpp"

namespace cinecortex::io {
namespace {

class Hdf5ReaderTest : public test::Folder {
 protected:
  Hdf5ReaderTest() : values_(4, 3) {
    for (Index i = 0; i < values_.size(); ++i) values_.data()[i] = static_cast<double>(i);
  }
  Hdf5Reader reader_{test::fixture("h5py.h5")};
  MatrixD values_;
};

TEST_F(Hdf5ReaderTest, NumbersOfEveryTypeAreConverted) {
  for (const auto& name : reader_.children("/numbers")) {
    const std::string path = "/numbers/" + name;
    EXPECT_EQ(reader_.read<double>(path), values_) << name;
    EXPECT_EQ(reader_.read<float>(path), values_.cast<float>()) << name;
    EXPECT_EQ(reader_.info(path).shape, (std::vector<Index>{4, 3}));
  }
  EXPECT_EQ(reader_.info("numbers/float16").type, Stored::float16);
  EXPECT_EQ(reader_.info("numbers/float32").type, Stored::float32);
  EXPECT_EQ(reader_.info("numbers/big_f4").type, Stored::float32);
  EXPECT_EQ(reader_.info("numbers/float64").type, Stored::float64);
  EXPECT_EQ(reader_.info("numbers/uint8").type, Stored::int64);
  EXPECT_EQ(reader_.info("texts").type, Stored::other);
  EXPECT_EQ(reader_.read<double>("/compressed"), values_);
}

TEST_F(Hdf5ReaderTest, PartsOfAMatrixAndAVector) {
  for (const char* path : {"/numbers/float16", "/numbers/float64", "/compressed"}) {
    EXPECT_EQ(reader_.read<double>(path, {1, 3}, {1, 3}), values_.block(1, 1, 2, 2));
    EXPECT_EQ(reader_.read<float>(path, {2, 2}, {0, 3}).rows(), 0);
  }
  EXPECT_EQ(reader_.read_vector("/vector"), values_.col(0));
  EXPECT_EQ(reader_.read<double>("/vector", {1, 4}, {0, 1}), values_.block(1, 0, 3, 1));
}

TEST_F(Hdf5ReaderTest, ThreadsThatReadAtTheSameTimeTakeTurns) {
  const auto read_often = [&](const Hdf5Reader& shared) {
    for (int i = 0; i < 300; ++i) {
      const Hdf5Reader own(test::fixture("h5py.h5"));
      if (own.read<float>("/compressed") != values_.cast<float>()) return false;
      if (shared.read<double>("/numbers/float16", {1, 3}, {1, 3}) != values_.block(1, 1, 2, 2)) return false;
    }
    return true;
  };
  std::vector<std::future<bool>> threads;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(std::async(std::launch::async, [&] { return read_often(reader_); }));
  }
  for (auto& thread : threads) EXPECT_TRUE(thread.get());
}

TEST_F(Hdf5ReaderTest, TextsAndAttributes) {
  EXPECT_EQ(reader_.read_strings("/texts"), (std::vector<std::string>{"a", "Größe"}));
  EXPECT_EQ(reader_.read_strings("/fixed texts"), (std::vector<std::string>{"abc", "d"}));
  EXPECT_EQ(std::get<std::string>(*reader_.attribute("/", "text")), "Größe");
  EXPECT_EQ(std::get<std::string>(*reader_.attribute("/", "fixed")), "abc");
  EXPECT_EQ(std::get<std::int64_t>(*reader_.attribute("/", "whole")), 3);
  EXPECT_EQ(std::get<std::int64_t>(*reader_.attribute("/", "flag")), 1);
  EXPECT_EQ(std::get<double>(*reader_.attribute("/", "real")), 0.5);
  EXPECT_EQ(std::get<std::vector<double>>(*reader_.attribute("/", "reals")), (std::vector<double>{0.5, 1.5}));
  EXPECT_EQ(std::get<std::vector<std::string>>(*reader_.attribute("/", "texts")),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(reader_.attribute("/", "missing"));
}

TEST_F(Hdf5ReaderTest, WhatIsThereAndWhatIsNot) {
  EXPECT_TRUE(reader_.contains("/"));
  EXPECT_TRUE(reader_.contains("/numbers"));
  EXPECT_TRUE(reader_.contains("numbers/float32"));
  EXPECT_FALSE(reader_.contains("/no/such/group"));
  EXPECT_FALSE(reader_.contains(""));
  EXPECT_INPUT_ERROR(reader_.read<double>("/vektor"), "did you mean vector?");
  EXPECT_INPUT_ERROR(reader_.info("/a/b/c"), "h5py.h5:/a/b/c: there is no such data set");
  EXPECT_INPUT_ERROR(reader_.info("/numbers"), "cannot be opened as a data set");
  EXPECT_INPUT_ERROR(reader_.children("/x"), "no such group");
  EXPECT_INPUT_ERROR(reader_.attribute("/x", "y"), "no such data set or group");
}

TEST_F(Hdf5ReaderTest, WrongTypesAndShapes) {
  EXPECT_INPUT_ERROR(reader_.read<double>("/cube"), "[2, 2, 3]");
  EXPECT_INPUT_ERROR(reader_.read<double>("/texts"), "does not hold numbers");
  EXPECT_INPUT_ERROR(reader_.read<double>("/bool"), "does not hold numbers");
  EXPECT_INPUT_ERROR(reader_.read_vector("/numbers/float32"), "a vector is needed");
  EXPECT_INPUT_ERROR(reader_.read_strings("/vector"), "does not hold texts");
  EXPECT_INPUT_ERROR(reader_.read<double>("/compressed", {0, 5}, {0, 3}), "rows 0 to 5");
  EXPECT_INPUT_ERROR(reader_.read<double>("/compressed", {0, 4}, {-1, 3}), "columns -1 to 3");
}

TEST_F(Hdf5ReaderTest, FilesThatAreNone) {
  EXPECT_INPUT_ERROR(Hdf5Reader(file("missing.h5")), "no such file");
  EXPECT_INPUT_ERROR(Hdf5Reader{folder_}, "is a folder");
  EXPECT_INPUT_ERROR(Hdf5Reader(write("empty.h5", "")), "is empty");
  EXPECT_INPUT_ERROR(Hdf5Reader(write("text.h5", "subject\trun\n")), "is not an HDF5 file");
  const std::string whole = test::read_all(test::fixture("h5py.h5"));
  EXPECT_INPUT_ERROR(Hdf5Reader(write("cut.h5", whole.substr(0, whole.size() - 100))), "truncated");
  EXPECT_INPUT_ERROR(Hdf5Reader(write("short.h5", whole.substr(0, 300))), "short.h5");
}

TEST_F(Hdf5ReaderTest, CanBeMoved) {
  Hdf5Reader moved(std::move(reader_));
  EXPECT_EQ(moved.read_vector("/vector").size(), 4);
}

}  // namespace
}  // namespace cinecortex::io
