#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <optional>
#include <variant>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/npy.hpp"

namespace cinecortex::io {
namespace {

struct Hdf5Matrix {
  Hdf5Reader reader;
  DatasetInfo info;
};
using Source = std::variant<NpyFile, Hdf5Matrix>;

Source open_source(const std::string& where) {
  if (const std::size_t cut = where.rfind(":/"); cut != std::string::npos && cut > 0) {
    Hdf5Reader reader(where.substr(0, cut));
    DatasetInfo info = reader.info(where.substr(cut + 1));
    if (info.type == Stored::other) throw InputError(where + " does not hold numbers");
    if (info.shape.size() != 1 && info.shape.size() != 2) {
      throw InputError(fmt::format("{} has the shape [{}]; a matrix or a vector is needed", where,
                                   fmt::join(info.shape, ", ")));
    }
    return Hdf5Matrix{std::move(reader), std::move(info)};
  }
  const std::filesystem::path file(where);
  if (file.extension() == ".npy") return NpyFile(file);
  if (file.extension() == ".h5" || file.extension() == ".hdf5") {
    throw InputError(fmt::format("{}: which data set? Write {}:/NAME; the file has {}", where, where,
                                 fmt::join(Hdf5Reader(file).children(), ", ")));
  }
  throw InputError("'" + where + "' is no matrix: X.npy and FILE.h5:/DATASET are allowed");
}

template <class Scalar>
void check_finite(const Matrix<Scalar>& values, const std::string& where, Range rows, Range columns) {
  if (all_finite(values)) return;
  for (Index r = 0; r < values.rows(); ++r) {
    for (Index c = 0; c < values.cols(); ++c) {
      if (std::isfinite(values(r, c))) continue;
      throw InputError(fmt::format("{}: row {}, column {} (counted from 0) is {}; every value must be finite",
                                   where, rows.begin + r, columns.begin + c,
                                   std::isnan(values(r, c)) ? "NaN" : "infinite"));
    }
  }
}

}  // namespace

struct MatrixFile::Impl {
  std::string where;
  Source source;
};

MatrixFile::MatrixFile(const std::string& where) : impl_(new Impl{where, open_source(where)}) {}
MatrixFile::~MatrixFile() = default;
MatrixFile::MatrixFile(MatrixFile&&) noexcept = default;

Index MatrixFile::rows() const {
  if (const auto* npy = std::get_if<NpyFile>(&impl_->source)) return npy->rows();
  return std::get<Hdf5Matrix>(impl_->source).info.shape[0];
}

Index MatrixFile::columns() const {
  if (const auto* npy = std::get_if<NpyFile>(&impl_->source)) return npy->columns();
  const auto& shape = std::get<Hdf5Matrix>(impl_->source).info.shape;
  return shape.size() == 2 ? shape[1] : 1;
}

const std::string& MatrixFile::where() const {
  return impl_->where;
}

bool MatrixFile::single() const {
  if (const auto* npy = std::get_if<NpyFile>(&impl_->source)) return npy->single();
  const Stored type = std::get<Hdf5Matrix>(impl_->source).info.type;
  return type == Stored::float16 || type == Stored::float32;
}

template <class Scalar>
Matrix<Scalar> MatrixFile::read(Range rows, Range columns) const {
  Matrix<Scalar> values;
  if (const auto* npy = std::get_if<NpyFile>(&impl_->source)) {
    values = npy->read<Scalar>(rows, columns);
  } else {
    const auto& data = std::get<Hdf5Matrix>(impl_->source);
    values = data.reader.read<Scalar>(data.info.path, rows, columns);
  }
  check_finite(values, impl_->where, rows, columns);
  return values;
}

template MatrixF MatrixFile::read<float>(Range, Range) const;
template MatrixD MatrixFile::read<double>(Range, Range) const;

}  // namespace cinecortex::io
