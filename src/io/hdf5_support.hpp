#pragma once
#include <hdf5.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cinecortex/io/hdf5.hpp"

/// What reader and writer share: identifiers that close themselves, errors as one line, types, cuts.
namespace cinecortex::io::h5 {

/// Owns one HDF5 identifier.   Collective: no, unless it is a file of a parallel driver.
class Handle {
 public:
  using Closer = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Closer closer) noexcept : id_(id), closer_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(closer_, other.closer_);
    return *this;
  }
  ~Handle() { close(); }

  hid_t get() const noexcept { return id_; }
  bool close() noexcept {  ///< false if HDF5 could not
    const hid_t id = std::exchange(id_, H5I_INVALID_HID);
    return id < 0 || closer_(id) >= 0;
  }
  void abandon() noexcept { id_ = H5I_INVALID_HID; }  ///< leaves it open for the library to close

 private:
  hid_t id_ = H5I_INVALID_HID;
  Closer closer_ = nullptr;
};

/// HDF5 as it is built for MPI may be in one thread at a time, whichever files are read: readers take turns.
[[nodiscard]] std::unique_lock<std::recursive_mutex> take_turn();

/// HDF5 prints its error stack by default; here errors become exceptions of one line.
void silence_error_stack();

/// The innermost message of HDF5's error stack, on one line.
std::string last_error();

/// @throws InputError "<what>: <last_error()>" if `status` is negative.
void check(herr_t status, const std::string& what);
Handle own(hid_t id, Handle::Closer closer, const std::string& what);

/// How one process opens a file for reading.
Handle serial_access(const std::string& what);

/// Where something is, for messages: "file.h5:/path".
std::string place(const std::filesystem::path& file, const std::string& path);

Handle half_type();                ///< IEEE binary16, little-endian, as h5py writes float16
Handle type_of(Stored type);       ///< little-endian; @pre not Stored::other
Index bytes_of(Stored type);       ///< of one number; @pre not Stored::other
Stored stored_of(hid_t datatype);  ///< any integer is int64
template <class Scalar>
hid_t native_type();
template <>
inline hid_t native_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
inline hid_t native_type<double>() {
  return H5T_NATIVE_DOUBLE;
}

/// A [rows, columns] block cut into pieces of at most `piece_bytes` (and at least one number).
class Pieces {
 public:
  Pieces() = default;
  Pieces(Index rows, Index columns, Index item_bytes, Index piece_bytes);
  Index count() const noexcept { return row_cuts_ * column_cuts_; }
  Range rows(Index piece) const;
  Range columns(Index piece) const;

 private:
  Index rows_ = 0, columns_ = 0;
  Index row_step_ = 1, column_step_ = 1;
  Index row_cuts_ = 0, column_cuts_ = 0;
};

void write_attribute(hid_t object, const std::string& name, const Attribute& value, const std::string& where);
std::optional<Attribute> read_attribute(hid_t object, const std::string& name, const std::string& where);

/// UTF-8 of `bytes` bytes, filled up with zeros: the text type that can be written in parallel.
Handle fixed_text_type(std::size_t bytes);
void label_dimension(hid_t dataset, unsigned axis, const std::string& label, const std::string& where);
/// Attaches `scale` to an axis, and makes it a dimension scale called `name` if it is not one yet.
void attach_scale(hid_t dataset, hid_t scale, unsigned axis, const std::string& name,
                  const std::string& where);

/// All strings of a data set or attribute of a string type, variable or fixed length. `read` is H5Dread or
/// H5Aread.
template <class Read>
std::vector<std::string> read_string_values(hid_t type, hid_t space, const std::string& where, Read&& read);

template <class Read>
std::vector<std::string> read_string_values(hid_t type, hid_t space, const std::string& where, Read&& read) {
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(space));
  std::vector<std::string> values(count);
  if (count == 0) return values;
  const Handle memory = own(H5Tcopy(H5T_C_S1), H5Tclose, where);
  check(H5Tset_cset(memory.get(), H5Tget_cset(type)), where);
  if (H5Tis_variable_str(type) > 0) {
    check(H5Tset_size(memory.get(), H5T_VARIABLE), where);
    std::vector<char*> pointers(count, nullptr);
    check(read(memory.get(), static_cast<void*>(pointers.data())), where);
    for (std::size_t i = 0; i < count; ++i) values[i] = pointers[i] ? pointers[i] : "";
    H5Dvlen_reclaim(memory.get(), space, H5P_DEFAULT, pointers.data());
    return values;
  }
  const std::size_t width = H5Tget_size(type);
  check(H5Tset_size(memory.get(), width), where);
  check(H5Tset_strpad(memory.get(), H5T_STR_NULLPAD), where);
  std::string bytes(count * width, '\0');
  check(read(memory.get(), static_cast<void*>(bytes.data())), where);
  const bool space_padded = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  for (std::size_t i = 0; i < count; ++i) {
    std::string value = bytes.substr(i * width, width);
    value.resize(std::min(value.find('\0'), value.size()));
    while (space_padded && value.ends_with(' ')) value.pop_back();
    values[i] = std::move(value);
  }
  return values;
}

}  // namespace cinecortex::io::h5
