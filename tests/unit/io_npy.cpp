#include "cinecortex/io/npy.hpp"

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

#include "io_support.hpp"

namespace cinecortex::io {
namespace {

class Npy : public test::Folder {
 protected:
  /// A .npy of any header text, version 1, as NumPy aligns it.
  static std::string npy(std::string dict, const std::string& data, char version = 1) {
    dict.resize((dict.size() / 64 + 1) * 64 + 64 - (version == 1 ? 10 : 12), ' ');
    dict.back() = '\n';
    std::string bytes = std::string("\x93NUMPY") + version + '\0';
    bytes += static_cast<char>(dict.size() & 0xff);
    bytes += static_cast<char>(dict.size() >> 8);
    if (version > 1) bytes += std::string(2, '\0');
    return bytes + dict + data;
  }
  template <class T>
  static std::string bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
  }
  template <class T>
  void expect_read(const std::string& descr) {
    const std::vector<T> values{T(0), T(1), T(2), T(3), T(4), T(5)};
    const auto name =
        write("t.npy",
              npy("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (2, 3), }", bytes_of(values)));
    MatrixD expected(2, 3);
    expected << 0, 1, 2, 3, 4, 5;
    EXPECT_EQ(NpyFile(name).read({0, 2}, {0, 3}), expected) << descr;
    EXPECT_EQ(NpyFile(name).single(), descr[1] == 'f' ? sizeof(T) <= 4 : sizeof(T) <= 2) << descr;
  }
};

TEST_F(Npy, WrittenMatricesAreReadBackAndNothingIsLeftOver) {
  const MatrixF single = MatrixF::Random(5, 7);
  const MatrixD wide = MatrixD::Random(3, 2);
  write_npy(file("new/folder/f.npy"), single);
  write_npy(file("d.npy"), wide);
  EXPECT_EQ(NpyFile(file("new/folder/f.npy")).read({0, 5}, {0, 7}), single.cast<double>());
  EXPECT_EQ(NpyFile(file("d.npy")).read({1, 3}, {1, 2}), wide.block(1, 1, 2, 1));
  EXPECT_TRUE(NpyFile(file("new/folder/f.npy")).single());
  EXPECT_FALSE(std::filesystem::exists(file("d.npy.partial")));
  const std::string bytes = test::read_all(file("d.npy"));
  EXPECT_EQ(bytes.size(), 128u + 6 * sizeof(double));
  EXPECT_EQ(bytes.substr(10, 59), "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }");
}

TEST_F(Npy, HeadersAreNumPysOwn) {
  EXPECT_EQ(npy_header("<f4", {3}).substr(10, 57),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }");
  EXPECT_EQ(npy_header("|O", {}).substr(10, 55), "{'descr': '|O', 'fortran_order': False, 'shape': (), } ");
  EXPECT_EQ(npy_header("|O", {}).size() % 64, 0u);
  EXPECT_EQ(npy_header("|O", {}).back(), '\n');
}

TEST_F(Npy, EveryNumberType) {
  expect_read<Eigen::half>("<f2");
  expect_read<float>("<f4");
  expect_read<double>("<f8");
  expect_read<std::int8_t>("|i1");
  expect_read<std::int16_t>("<i2");
  expect_read<std::int32_t>("<i4");
  expect_read<std::int64_t>("<i8");
  expect_read<std::uint8_t>("|u1");
  expect_read<std::uint16_t>("<u2");
  expect_read<std::uint32_t>("<u4");
  expect_read<std::uint64_t>("<u8");
  const auto flags = write("b.npy", npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", {1, 0}));
  EXPECT_EQ(NpyFile(flags).read({0, 2}, {0, 1}), (MatrixD(2, 1) << 1, 0).finished());
}

TEST_F(Npy, FortranOrderVectorsAndVersions) {
  const std::string data = bytes_of<double>({1, 4, 2, 5, 3, 6});
  const auto fortran =
      write("f.npy", npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", data, 2));
  EXPECT_EQ(NpyFile(fortran).read({0, 2}, {0, 3}), (MatrixD(2, 3) << 1, 2, 3, 4, 5, 6).finished());
  EXPECT_EQ(NpyFile(fortran).read({1, 2}, {1, 3}), (MatrixD(1, 2) << 5, 6).finished());
  const auto vector =
      write("v.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (6,), }", data, 3));
  EXPECT_EQ(NpyFile(vector).rows(), 6);
  EXPECT_EQ(NpyFile(vector).columns(), 1);
  const auto empty = write("e.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4), }", ""));
  EXPECT_EQ(NpyFile(empty).read({0, 0}, {0, 4}).cols(), 4);
}

TEST_F(Npy, WhatCannotBeReadIsNamed) {
  const auto with = [&](const std::string& descr, const std::string& shape, const std::string& data = "") {
    return write("bad.npy",
                 npy("{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }", data));
  };
  EXPECT_INPUT_ERROR(NpyFile(file("missing.npy")), "cannot be opened: No such file");
  EXPECT_INPUT_ERROR(NpyFile{folder_}, "is not a file");
  EXPECT_INPUT_ERROR(NpyFile(write("bad.npy", "")), "is empty");
  EXPECT_INPUT_ERROR(NpyFile(write("bad.npy", "PK\x03\x04 a zip, say")), "is not a .npy file");
  EXPECT_INPUT_ERROR(NpyFile(write("bad.npy", "\x93NUMPY\x01")), "cut off");
  EXPECT_INPUT_ERROR(NpyFile(write("bad.npy", npy("{}", "", 9))), "version 9");
  EXPECT_INPUT_ERROR(NpyFile(with("'>f4'", "(1,)", "abcd")), "'>f4'");
  EXPECT_INPUT_ERROR(NpyFile(with("'<c8'", "(1,)")), "'<c8'");
  EXPECT_INPUT_ERROR(NpyFile(with("'|O'", "()")), "Python objects");
  EXPECT_INPUT_ERROR(NpyFile(with("[('a', '<f4')]", "(1,)")), "structured");
  EXPECT_INPUT_ERROR(NpyFile(with("'<f4'", "()", "abcd")), "shape ()");
  EXPECT_INPUT_ERROR(NpyFile(with("'<f4'", "(1, 1, 1)", "abcd")), "shape (1, 1, 1)");
  EXPECT_INPUT_ERROR(NpyFile(with("'<f4'", "(2, 3)", "abcd")), "truncated: its header announces 2 × 3");
  EXPECT_INPUT_ERROR(NpyFile(with("'<f8'", "(4611686018427387904, 4)")), "truncated");
  EXPECT_INPUT_ERROR(NpyFile(with("'<f4'", "(-1,)")), "size");
  EXPECT_INPUT_ERROR(write_npy(write("plain", "x") / "f.npy", MatrixF(1, 1)), "plain");
}

TEST_F(Npy, AFullDiskIsAnErrorAndLeavesNoFinalFile) {
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit{4096, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string message =
      test::input_error([&] { write_npy(file("x.npy"), MatrixD(MatrixD::Zero(100, 100))); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("x.npy.partial cannot be written: File too large"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(file("x.npy")));
}

TEST_F(Npy, RangesOutsideAreRefused) {
  write_npy(file("d.npy"), MatrixD(MatrixD::Zero(3, 2)));
  EXPECT_INPUT_ERROR(NpyFile(file("d.npy")).read({0, 4}, {0, 2}), "3 rows");
  EXPECT_INPUT_ERROR(NpyFile(file("d.npy")).read({0, 3}, {1, 3}), "2 columns");
  EXPECT_INPUT_ERROR(NpyFile(file("d.npy")).read({2, 1}, {0, 2}), "3 rows");
}

TEST_F(Npy, BrokenFilesAreRefusedAndNeverCrash) {
  const std::string original =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", std::string(48, 'x'));
  const int refused = test::fuzz(original, 2000, [&](const std::string& bytes) {
    const NpyFile npy_file(write("fuzz.npy", bytes));
    npy_file.read({0, npy_file.rows()}, {0, npy_file.columns()});
  });
  EXPECT_GT(refused, 500);
}

TEST_F(Npy, MatricesAreNamedByFileAndDataSet) {
  write_npy(file("x.npy"), MatrixD(MatrixD::Ones(3, 2)));
  const MatrixFile npy_matrix(file("x.npy").string());
  EXPECT_EQ(npy_matrix.rows(), 3);
  EXPECT_EQ(npy_matrix.columns(), 2);
  EXPECT_EQ(npy_matrix.read({0, 3}, {0, 2}), MatrixD::Ones(3, 2));
  const MatrixFile hdf5_matrix(test::fixture("h5py.h5").string() + ":/numbers/float32");
  EXPECT_EQ(hdf5_matrix.rows(), 4);
  EXPECT_EQ(hdf5_matrix.read({3, 4}, {0, 3}), (MatrixD(1, 3) << 9, 10, 11).finished());
  const MatrixFile column(test::fixture("h5py.h5").string() + ":/vector");
  EXPECT_EQ(column.columns(), 1);
}

TEST_F(Npy, MatrixNamesThatMeanNothing) {
  const std::string h5 = test::fixture("h5py.h5").string();
  EXPECT_INPUT_ERROR(MatrixFile("x.csv"), "X.npy and FILE.h5:/DATASET are allowed");
  EXPECT_INPUT_ERROR(MatrixFile(""), "allowed");
  EXPECT_INPUT_ERROR(MatrixFile{h5}, "which data set?");
  EXPECT_INPUT_ERROR(MatrixFile(h5 + ":/nothing"), "no such data set");
  EXPECT_INPUT_ERROR(MatrixFile(h5 + ":/cube"), "[2, 2, 3]");
  EXPECT_INPUT_ERROR(MatrixFile(h5 + ":/texts"), "does not hold numbers");
  EXPECT_INPUT_ERROR(MatrixFile(file("none.h5").string() + ":/x"), "none.h5: no such file");
}

TEST_F(Npy, ValuesThatAreNotFiniteAreNamed) {
  MatrixD values = MatrixD::Zero(4, 5);
  values(2, 3) = std::numeric_limits<double>::quiet_NaN();
  values(3, 0) = -std::numeric_limits<double>::infinity();
  write_npy(file("x.npy"), values);
  const MatrixFile matrix(file("x.npy").string());
  EXPECT_INPUT_ERROR(matrix.read({1, 4}, {2, 5}), "row 2, column 3 (counted from 0) is NaN");
  EXPECT_INPUT_ERROR(matrix.read({3, 4}, {0, 5}), "row 3, column 0 (counted from 0) is infinite");
  EXPECT_EQ(matrix.read({0, 2}, {0, 5}).rows(), 2);
}

}  // namespace
}  // namespace cinecortex::io
