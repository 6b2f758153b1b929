#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cinecortex/io/hdf5.hpp"
#include "hdf5_support.hpp"

namespace cinecortex::io {
namespace {

constexpr Index transfer_bytes = Index{1} << 28;

herr_t collect_name(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

std::string shape_text(const std::vector<Index>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

struct Hdf5Reader::Impl {
  std::filesystem::path file;
  h5::Handle id;

  std::string place(const std::string& path) const { return h5::place(file, path); }
  bool contains(const std::string& path) const;
  h5::Handle dataset(const std::string& path) const;
  std::vector<Index> shape_of(const h5::Handle& data, const std::string& path) const;
  template <class Scalar>
  void read_piece(const h5::Handle& data, Stored type, std::span<const Index> start, Index rows,
                  Index columns, View<Scalar> target, const std::string& path) const;
};

Hdf5Reader::Hdf5Reader(const std::filesystem::path& file) : impl_(std::make_unique<Impl>()) {
  const auto turn = h5::take_turn();
  h5::silence_error_stack();
  impl_->file = file;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) throw InputError(file.string() + ": no such file");
  if (std::filesystem::is_directory(file, error))
    throw InputError(file.string() + " is a folder, not an HDF5 file");
  if (std::filesystem::file_size(file, error) == 0 && !error)
    throw InputError(file.string() + " is empty (0 bytes)");
  const std::string what = file.string() + " cannot be read as HDF5";
  const h5::Handle access = h5::serial_access(what);
  const hid_t id = H5Fopen(file.c_str(), H5F_ACC_RDONLY, access.get());
  if (id < 0) {
    const std::string reason = h5::last_error();
    if (reason.find("truncated") != std::string::npos) {
      throw InputError(what + ": it is truncated, as after a broken copy (" + reason + ")");
    }
    if (reason.find("signature") != std::string::npos)
      throw InputError(file.string() + " is not an HDF5 file");
    throw InputError(what + ": " + reason);
  }
  impl_->id = h5::Handle(id, H5Fclose);
}

Hdf5Reader::~Hdf5Reader() {
  const auto turn = h5::take_turn();
  impl_.reset();
}
Hdf5Reader::Hdf5Reader(Hdf5Reader&&) noexcept = default;
Hdf5Reader& Hdf5Reader::operator=(Hdf5Reader&& other) noexcept {
  const auto turn = h5::take_turn();
  impl_ = std::move(other.impl_);
  return *this;
}

const std::filesystem::path& Hdf5Reader::file() const noexcept {
  return impl_->file;
}

bool Hdf5Reader::Impl::contains(const std::string& path) const {
  // H5Lexists fails, rather than says no, if a group above is missing: ask level by level.
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (!prefix.empty() && prefix != "/") {
      if (H5Lexists(id.get(), prefix.c_str(), H5P_DEFAULT) <= 0 ||
          H5Oexists_by_name(id.get(), prefix.c_str(), H5P_DEFAULT) <= 0) {
        H5Eclear2(H5E_DEFAULT);
        return false;
      }
    }
    if (end == std::string::npos) return !path.empty();
  }
}

bool Hdf5Reader::contains(const std::string& path) const {
  const auto turn = h5::take_turn();
  return impl_->contains(path);
}

bool Hdf5Reader::is_group(const std::string& path) const {
  const auto turn = h5::take_turn();
  H5O_info_t info;
  return impl_->contains(path) &&
         H5Oget_info_by_name2(impl_->id.get(), path.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
         info.type == H5O_TYPE_GROUP;
}

std::vector<std::string> Hdf5Reader::children(const std::string& group) const {
  const auto turn = h5::take_turn();
  const std::string where = impl_->place(group);
  if (!impl_->contains(group)) throw InputError(where + ": there is no such group");
  const h5::Handle id = h5::own(H5Gopen2(impl_->id.get(), group.c_str(), H5P_DEFAULT), H5Gclose, where);
  std::vector<std::string> names;
  h5::check(H5Literate(id.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_name, &names), where);
  std::sort(names.begin(), names.end());
  return names;
}

h5::Handle Hdf5Reader::Impl::dataset(const std::string& path) const {
  if (!contains(path)) {
    std::vector<std::string> names;
    H5Literate(id.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_name, &names);
    const std::string bare = path.substr(std::min(path.size(), path.find_first_not_of('/')));
    const std::string close = closest_name(bare, names);
    constexpr std::size_t most = 8;
    const bool many = names.size() > most;
    if (many) names.resize(most);
    throw InputError(fmt::format("{}: there is no such data set; the file has {}{}{}", place(path),
                                 fmt::join(names, ", "), many ? ", …" : (names.empty() ? "none" : ""),
                                 close.empty() ? "" : " (did you mean " + close + "?)"));
  }
  const hid_t found = H5Dopen2(id.get(), path.c_str(), H5P_DEFAULT);
  if (found < 0) throw InputError(place(path) + " cannot be opened as a data set: " + h5::last_error());
  return h5::Handle(found, H5Dclose);
}

std::vector<Index> Hdf5Reader::Impl::shape_of(const h5::Handle& data, const std::string& path) const {
  const h5::Handle space = h5::own(H5Dget_space(data.get()), H5Sclose, place(path));
  const int rank = H5Sget_simple_extent_ndims(space.get());
  std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(rank, 0)));
  h5::check(H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr), place(path));
  std::vector<Index> shape;
  for (const hsize_t size : dims) shape.push_back(checked_cast<Index>(size));
  return shape;
}

DatasetInfo Hdf5Reader::info(const std::string& path) const {
  const auto turn = h5::take_turn();
  const h5::Handle data = impl_->dataset(path);
  const h5::Handle type = h5::own(H5Dget_type(data.get()), H5Tclose, impl_->place(path));
  return {path, impl_->shape_of(data, path), h5::stored_of(type.get())};
}

template <class Scalar>
void Hdf5Reader::Impl::read_piece(const h5::Handle& data, Stored type, std::span<const Index> start,
                                  Index rows, Index columns, View<Scalar> target,
                                  const std::string& path) const {
  const std::string where = place(path);
  const std::vector<hsize_t> first(start.begin(), start.end());
  const std::vector<hsize_t> count =
      start.size() == 1 ? std::vector<hsize_t>{static_cast<hsize_t>(rows)}
                        : std::vector<hsize_t>{static_cast<hsize_t>(rows), static_cast<hsize_t>(columns)};
  const h5::Handle from = h5::own(H5Dget_space(data.get()), H5Sclose, where);
  h5::check(H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, first.data(), nullptr, count.data(), nullptr),
            where);
  const h5::Handle to =
      h5::own(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose, where);
  const auto read_into = [&](hid_t memory_type, void* values) {
    h5::check(H5Dread(data.get(), memory_type, to.get(), from.get(), H5P_DEFAULT, values), where);
  };
  if (type == Stored::float16) {
    // HDF5 converts a type of one's own bit by bit; the processor does it a hundred times faster.
    Matrix<Eigen::half> buffer(rows, columns);
    read_into(h5::half_type().get(), buffer.data());
    target = buffer.template cast<Scalar>();
  } else if (target.outerStride() == columns) {
    read_into(h5::native_type<Scalar>(), target.data());
  } else {
    Matrix<Scalar> buffer(rows, columns);
    read_into(h5::native_type<Scalar>(), buffer.data());
    target = buffer;
  }
}

template <class Scalar>
Matrix<Scalar> Hdf5Reader::read(const std::string& path, Range rows, Range columns) const {
  const auto turn = h5::take_turn();
  const h5::Handle data = impl_->dataset(path);
  const h5::Handle type = h5::own(H5Dget_type(data.get()), H5Tclose, impl_->place(path));
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind != H5T_FLOAT && kind != H5T_INTEGER)
    throw InputError(impl_->place(path) + " does not hold numbers");
  const std::vector<Index> shape = impl_->shape_of(data, path);
  if (shape.size() != 1 && shape.size() != 2) {
    throw InputError(fmt::format("{} has the shape {}; a matrix or a vector is needed", impl_->place(path),
                                 shape_text(shape)));
  }
  const Index width = shape.size() == 2 ? shape[1] : 1;
  const auto outside = [](Range range, Index size) {
    return range.begin < 0 || range.end < range.begin || range.end > size;
  };
  if (outside(rows, shape[0]) || outside(columns, width)) {
    throw InputError(fmt::format("{} has the shape {}, but rows {} to {} and columns {} to {} are needed",
                                 impl_->place(path), shape_text(shape), rows.begin, rows.end, columns.begin,
                                 columns.end));
  }
  Matrix<Scalar> values(rows.size(), columns.size());
  const h5::Pieces pieces(rows.size(), columns.size(), sizeof(Scalar), transfer_bytes);
  for (Index piece = 0; piece < pieces.count(); ++piece) {
    const Range r = pieces.rows(piece), c = pieces.columns(piece);
    const Index start[] = {rows.begin + r.begin, columns.begin + c.begin};
    impl_->read_piece<Scalar>(data, h5::stored_of(type.get()), std::span(start, shape.size()), r.size(),
                              c.size(), values.block(r.begin, c.begin, r.size(), c.size()), path);
  }
  return values;
}

template <class Scalar>
Matrix<Scalar> Hdf5Reader::read(const std::string& path) const {
  const std::vector<Index> shape = info(path).shape;
  const Index rows = shape.empty() ? 0 : shape[0];
  return read<Scalar>(path, {0, rows}, {0, shape.size() >= 2 ? shape[1] : 1});
}

template Matrix<float> Hdf5Reader::read<float>(const std::string&, Range, Range) const;
template Matrix<double> Hdf5Reader::read<double>(const std::string&, Range, Range) const;
template Matrix<float> Hdf5Reader::read<float>(const std::string&) const;
template Matrix<double> Hdf5Reader::read<double>(const std::string&) const;

VectorD Hdf5Reader::read_vector(const std::string& path) const {
  const std::vector<Index> shape = info(path).shape;
  if (shape.size() != 1) {
    throw InputError(
        fmt::format("{} has the shape {}; a vector is needed", impl_->place(path), shape_text(shape)));
  }
  return read<double>(path).col(0);
}

std::vector<std::string> Hdf5Reader::read_strings(const std::string& path) const {
  const auto turn = h5::take_turn();
  const std::string where = impl_->place(path);
  const h5::Handle data = impl_->dataset(path);
  const h5::Handle type = h5::own(H5Dget_type(data.get()), H5Tclose, where);
  if (H5Tget_class(type.get()) != H5T_STRING) throw InputError(where + " does not hold texts");
  const h5::Handle space = h5::own(H5Dget_space(data.get()), H5Sclose, where);
  return h5::read_string_values(type.get(), space.get(), where, [&](hid_t memory, void* values) {
    return H5Dread(data.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  });
}

std::optional<Attribute> Hdf5Reader::attribute(const std::string& path, const std::string& name) const {
  const auto turn = h5::take_turn();
  const std::string where = impl_->place(path);
  if (!impl_->contains(path)) throw InputError(where + ": there is no such data set or group");
  const h5::Handle object = h5::own(H5Oopen(impl_->id.get(), path.c_str(), H5P_DEFAULT), H5Oclose, where);
  return h5::read_attribute(object.get(), name, where);
}

}  // namespace cinecortex::io
