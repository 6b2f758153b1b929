#include "hdf5_support.hpp"

#include <algorithm>

namespace cinecortex::io {

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

namespace h5 {
namespace {

constexpr std::size_t chunk_cache_bytes = std::size_t{16} << 20;

herr_t keep_innermost(unsigned n, const H5E_error2_t* error, void* text) {
  if (n == 0 && error->desc != nullptr) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

}  // namespace

std::unique_lock<std::recursive_mutex> take_turn() {
  static std::recursive_mutex mutex;
  return std::unique_lock(mutex);
}

void silence_error_stack() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string last_error() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &text);
  H5Eclear2(H5E_DEFAULT);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text.empty() ? "HDF5 gives no reason" : text;
}

void check(herr_t status, const std::string& what) {
  if (status < 0) throw InputError(what + ": " + last_error());
}

Handle own(hid_t id, Handle::Closer closer, const std::string& what) {
  if (id < 0) throw InputError(what + ": " + last_error());
  return Handle(id, closer);
}

Handle serial_access(const std::string& what) {
  Handle access = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, what);
  check(H5Pset_cache(access.get(), 0, 521, chunk_cache_bytes, 0.75), what);
  // Files are complete once they have their name, so a lock protects nothing; and many clusters' file
  // systems offer none, which HDF5 would report as an error.
#if H5_VERSION_GE(1, 10, 7) && !(H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 12 && H5_VERS_RELEASE == 0)
  check(H5Pset_file_locking(access.get(), false, true), what);
#endif
  return access;
}

std::string place(const std::filesystem::path& file, const std::string& path) {
  return file.string() + ":" + path;
}

Handle half_type() {
  Handle type = own(H5Tcopy(H5T_IEEE_F32LE), H5Tclose, "float16");
  check(H5Tset_fields(type.get(), 15, 10, 5, 0, 10), "float16");
  check(H5Tset_size(type.get(), 2), "float16");
  check(H5Tset_ebias(type.get(), 15), "float16");
  return type;
}

Handle type_of(Stored type) {
  switch (type) {
    case Stored::float16:
      return half_type();
    case Stored::float32:
      return own(H5Tcopy(H5T_IEEE_F32LE), H5Tclose, "float32");
    case Stored::float64:
      return own(H5Tcopy(H5T_IEEE_F64LE), H5Tclose, "float64");
    case Stored::int64:
      return own(H5Tcopy(H5T_STD_I64LE), H5Tclose, "int64");
    case Stored::other:
      break;
  }
  throw Error("internal: an HDF5 type that cannot be written was asked for");
}

Index bytes_of(Stored type) {
  switch (type) {
    case Stored::float16:
      return 2;
    case Stored::float32:
      return 4;
    case Stored::float64:
    case Stored::int64:
      return 8;
    case Stored::other:
      break;
  }
  throw Error("internal: the size of an unknown HDF5 type was asked for");
}

Stored stored_of(hid_t datatype) {
  switch (H5Tget_class(datatype)) {
    case H5T_INTEGER:
      return Stored::int64;
    case H5T_FLOAT:
      break;
    default:
      return Stored::other;
  }
  if (H5Tequal(datatype, H5T_IEEE_F64LE) > 0 || H5Tequal(datatype, H5T_IEEE_F64BE) > 0)
    return Stored::float64;
  if (H5Tequal(datatype, H5T_IEEE_F32LE) > 0 || H5Tequal(datatype, H5T_IEEE_F32BE) > 0)
    return Stored::float32;
  return H5Tequal(datatype, half_type().get()) > 0 ? Stored::float16 : Stored::other;
}

Pieces::Pieces(Index rows, Index columns, Index item_bytes, Index piece_bytes)
    : rows_(rows), columns_(columns) {
  if (rows == 0 || columns == 0) return;
  column_step_ = std::clamp<Index>(piece_bytes / item_bytes, 1, columns);
  row_step_ = std::clamp<Index>(piece_bytes / (column_step_ * item_bytes), 1, rows);
  row_cuts_ = (rows + row_step_ - 1) / row_step_;
  column_cuts_ = (columns + column_step_ - 1) / column_step_;
}

Range Pieces::rows(Index piece) const {
  const Index begin = piece / column_cuts_ * row_step_;
  return {begin, std::min(rows_, begin + row_step_)};
}

Range Pieces::columns(Index piece) const {
  const Index begin = piece % column_cuts_ * column_step_;
  return {begin, std::min(columns_, begin + column_step_)};
}

}  // namespace h5
}  // namespace cinecortex::io
