#include <hdf5_hl.h>

#include "hdf5_support.hpp"

namespace cinecortex::io::h5 {
namespace {

/// Variable length, UTF-8: what h5py gives back as str.
Handle text_type(const std::string& where) {
  Handle type = own(H5Tcopy(H5T_C_S1), H5Tclose, where);
  check(H5Tset_size(type.get(), H5T_VARIABLE), where);
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), where);
  return type;
}

void write_values(hid_t object, const std::string& name, hid_t file_type, hid_t memory_type,
                  const Handle& space, const void* values, const std::string& where) {
  const Handle attribute = own(
      H5Acreate2(object, name.c_str(), file_type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, where);
  check(H5Awrite(attribute.get(), memory_type, values), where);
}

struct AttributeWriter {
  hid_t object;
  const std::string& name;
  const std::string& where;

  Handle scalar() const { return own(H5Screate(H5S_SCALAR), H5Sclose, where); }
  Handle list(std::size_t size) const {
    const hsize_t dims = size;
    return own(H5Screate_simple(1, &dims, nullptr), H5Sclose, where);
  }
  void operator()(std::int64_t value) const {
    write_values(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, scalar(), &value, where);
  }
  void operator()(double value) const {
    write_values(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, scalar(), &value, where);
  }
  void operator()(const std::string& value) const {
    const Handle type = text_type(where);
    const char* text = value.c_str();
    write_values(object, name, type.get(), type.get(), scalar(), &text, where);
  }
  void operator()(const std::vector<double>& values) const {
    write_values(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, list(values.size()), values.data(), where);
  }
  void operator()(const std::vector<std::string>& values) const {
    const Handle type = text_type(where);
    std::vector<const char*> texts;
    for (const auto& value : values) texts.push_back(value.c_str());
    write_values(object, name, type.get(), type.get(), list(values.size()), texts.data(), where);
  }
};

}  // namespace

void write_attribute(hid_t object, const std::string& name, const Attribute& value,
                     const std::string& where) {
  const std::string what = where + ": attribute " + name;
  const htri_t exists = H5Aexists(object, name.c_str());
  check(exists, what);
  if (exists > 0) check(H5Adelete(object, name.c_str()), what);
  std::visit(AttributeWriter{object, name, what}, value);
}

std::optional<Attribute> read_attribute(hid_t object, const std::string& name, const std::string& where) {
  const std::string what = where + ": attribute " + name;
  const htri_t exists = H5Aexists(object, name.c_str());
  check(exists, what);
  if (exists == 0) return std::nullopt;
  const Handle attribute = own(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, what);
  const Handle type = own(H5Aget_type(attribute.get()), H5Tclose, what);
  const Handle space = own(H5Aget_space(attribute.get()), H5Sclose, what);
  const bool scalar = H5Sget_simple_extent_type(space.get()) == H5S_SCALAR;
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get()));
  switch (H5Tget_class(type.get())) {
    case H5T_STRING: {
      auto texts = read_string_values(type.get(), space.get(), what, [&](hid_t memory, void* values) {
        return H5Aread(attribute.get(), memory, values);
      });
      if (scalar) return texts.at(0);
      return texts;
    }
    case H5T_INTEGER:
    case H5T_ENUM:  // h5py's bool
      if (scalar) {
        std::int64_t value = 0;
        check(H5Aread(attribute.get(), H5T_NATIVE_INT64, &value), what);
        return value;
      }
      [[fallthrough]];
    case H5T_FLOAT: {
      std::vector<double> values(count);
      if (count > 0) check(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, values.data()), what);
      if (scalar) return values.at(0);
      return values;
    }
    default:
      break;
  }
  throw InputError(what + " is neither a number nor a text");
}

Handle fixed_text_type(std::size_t bytes) {
  Handle type = own(H5Tcopy(H5T_C_S1), H5Tclose, "text");
  check(H5Tset_size(type.get(), bytes), "text");
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "text");
  check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), "text");
  return type;
}

void label_dimension(hid_t dataset, unsigned axis, const std::string& label, const std::string& where) {
  check(H5DSset_label(dataset, axis, label.c_str()), where);
}

void attach_scale(hid_t dataset, hid_t scale, unsigned axis, const std::string& name,
                  const std::string& where) {
  const std::string bare = name.substr(name.rfind('/') + 1);
  if (H5DSis_scale(scale) <= 0) check(H5DSset_scale(scale, bare.c_str()), where);
  check(H5DSattach_scale(dataset, scale, axis), where);
  label_dimension(dataset, axis, bare, where);
}

}  // namespace cinecortex::io::h5
