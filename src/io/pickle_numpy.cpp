// What a pickle may ask NumPy for: data types, arrays and scalars. Nothing here calls anything.
#include <fmt/format.h>

#include <Eigen/Core>
#include <charconv>
#include <cstring>
#include <limits>

#include "pickle_machine.hpp"
#include "utf8.hpp"

namespace cinecortex::io::pickle {
namespace {

struct KnownGlobal {
  std::string_view module, name;
  Global global;
};
constexpr KnownGlobal known_globals[] = {
    {"numpy", "ndarray", Global::ndarray},
    {"numpy", "dtype", Global::dtype},
    {"numpy.core.multiarray", "_reconstruct", Global::reconstruct},
    {"numpy._core.multiarray", "_reconstruct", Global::reconstruct},
    {"numpy.core.multiarray", "scalar", Global::scalar},
    {"numpy._core.multiarray", "scalar", Global::scalar},
    {"numpy.core.numeric", "_frombuffer", Global::from_buffer},
    {"numpy._core.numeric", "_frombuffer", Global::from_buffer},
    {"_codecs", "encode", Global::encode},    // how protocol 2 writes bytes
    {"__builtin__", "bytes", Global::bytes},  // and no bytes at all
};

/// For messages: a name from a file that may hold anything.
std::string shown(std::string_view name) {
  constexpr std::size_t longest = 80;
  std::string text;
  for (const char c : name.substr(0, longest)) text += c >= ' ' && c <= '~' ? c : '?';
  return text;
}

template <class T>
T load(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::int64_t load_integer(std::string_view bytes, bool is_signed) {
  switch (bytes.size()) {
    case 1:
      return is_signed ? load<std::int8_t>(bytes) : std::int64_t{load<std::uint8_t>(bytes)};
    case 2:
      return is_signed ? load<std::int16_t>(bytes) : std::int64_t{load<std::uint16_t>(bytes)};
    case 4:
      return is_signed ? load<std::int32_t>(bytes) : std::int64_t{load<std::uint32_t>(bytes)};
    default:
      return load<std::int64_t>(bytes);
  }
}

double load_real(std::string_view bytes) {
  switch (bytes.size()) {
    case 2:
      return static_cast<double>(load<Eigen::half>(bytes));
    case 4:
      return load<float>(bytes);
    default:
      return load<double>(bytes);
  }
}

}  // namespace

void Machine::push_global(std::string_view module, std::string_view name) {
  for (const auto& known : known_globals) {
    if (known.module == module && known.name == name) return push(known.global);
  }
  fail(fmt::format("it asks for {}.{}, which plain data do not need", shown(module), shown(name)));
}

void Machine::reduce() {
  const auto parts = pop_several(2);
  const Global function = need<Global>(parts[0], "function");
  const auto& arguments = need<Tuple>(parts[1], "tuple of arguments").items;
  switch (function) {
    case Global::dtype:
      return push(make_dtype(arguments));
    case Global::scalar:
      return push(make_scalar(arguments));
    case Global::from_buffer:
      return push(make_from_buffer(arguments));
    case Global::encode:
      return push(encode_latin1(arguments));
    case Global::reconstruct:
      if (arguments.size() != 3 || need<Global>(arguments[0], "array type") != Global::ndarray) {
        fail("_reconstruct is only known for plain arrays");
      }
      return push(Array{});
    case Global::bytes:
      if (!arguments.empty()) fail("bytes() with arguments is not needed for plain data");
      return push(Bytes{});
    case Global::ndarray:
      break;
  }
  fail("numpy.ndarray is not called by plain data");
}

Dtype Machine::make_dtype(const std::vector<Object*>& arguments) const {
  if (arguments.empty()) fail("a data type without a name");
  Dtype dtype;
  dtype.code = need_text(arguments[0], "data type's name");
  const char* end = dtype.code.data() + dtype.code.size();
  Index size = 0;
  const auto parsed = std::from_chars(dtype.code.data() + (dtype.code.empty() ? 0 : 1), end, size);
  const char kind = dtype.code.empty() ? '?' : dtype.code[0];
  if (std::string_view("biufcSUO").find(kind) == std::string_view::npos || parsed.ptr != end ||
      parsed.ec != std::errc{} || size < 0 || size > std::numeric_limits<std::int32_t>::max()) {
    fail(fmt::format("the data type '{}' is not read", shown(dtype.code)));
  }
  dtype.kind = kind;
  dtype.item_bytes = kind == 'U' ? 4 * size : size;
  const bool known_size =
      (kind == 'b' && size == 1) || (kind == 'f' && (size == 2 || size == 4 || size == 8)) ||
      ((kind == 'i' || kind == 'u') && (size == 1 || size == 2 || size == 4 || size == 8)) ||
      (kind == 'c' && (size == 8 || size == 16)) || kind == 'S' || kind == 'U' || kind == 'O';
  if (!known_size) fail(fmt::format("the data type '{}' is not read", shown(dtype.code)));
  return dtype;
}

void Machine::build_dtype(Dtype& dtype, const std::vector<Object*>& state) const {
  if (state.size() < 5) fail("a data type's state is too short");
  const std::string order = need_text(state[1], "byte order");
  for (std::size_t i = 2; i < 5; ++i) {
    if (!std::holds_alternative<None>(state[i]->value)) fail("structured data types are not read");
  }
  dtype.big_endian = order == ">";
  if (order != "<" && order != "|" && order != "=" && order != ">") fail("an unknown byte order");
}

decltype(Object::value) Machine::make_scalar(const std::vector<Object*>& arguments) const {
  if (arguments.size() != 2) fail("a scalar needs a data type and its bytes");
  const auto& dtype = need<Dtype>(arguments[0], "data type");
  std::string_view bytes = need<Bytes>(arguments[1], "bytes of a scalar").data;
  if (dtype.big_endian) fail("big-endian values are not read");
  if (static_cast<Index>(bytes.size()) != dtype.item_bytes) fail("a scalar of another size than its type");
  switch (dtype.kind) {
    case 'b':
      return bytes[0] != 0;
    case 'i':
      return load_integer(bytes, true);
    case 'u':
      if (bytes.size() == 8 && load<std::int64_t>(bytes) < 0) fail("an integer of more than 63 bits");
      return load_integer(bytes, false);
    case 'f':
      return load_real(bytes);
    case 'S':
      return text(bytes.substr(0, bytes.find_last_not_of('\0') + 1));
    case 'U': {
      std::string value;
      for (; !bytes.empty(); bytes.remove_prefix(4)) {
        if (!append_utf8(value, load<std::uint32_t>(bytes))) fail("a text that is not Unicode");
      }
      value.resize(value.find_last_not_of('\0') + 1);
      return value;
    }
    default:
      fail(fmt::format("a scalar of the type '{}' is not read", shown(dtype.code)));
  }
}

std::vector<Index> Machine::need_shape(Object* object) const {
  constexpr std::size_t most_dimensions = 32;  // as NumPy 1
  std::vector<Index> shape;
  for (Object* item : need<Tuple>(object, "shape").items) {
    shape.push_back(need<std::int64_t>(item, "size"));
    if (shape.back() < 0 || shape.size() > most_dimensions) fail("an impossible shape");
  }
  return shape;
}

void Machine::check_array(const Array& array) const {
  Index count = 1, bytes = 0;
  bool possible = !array.dtype.big_endian;
  if (!possible) fail("big-endian arrays are not read");
  for (const Index size : array.shape) possible = possible && !__builtin_mul_overflow(count, size, &count);
  possible = possible && !__builtin_mul_overflow(count, array.dtype.item_bytes, &bytes);
  const bool objects = array.dtype.kind == 'O';
  const std::size_t found = objects ? array.values.size() : array.data.size();
  if (!possible || found != static_cast<std::size_t>(objects ? count : bytes)) {
    fail("an array's data do not fill its shape");
  }
}

Array Machine::make_from_buffer(const std::vector<Object*>& arguments) const {
  if (arguments.size() != 4) fail("_frombuffer needs four arguments");
  Array array;
  array.data = need<Bytes>(arguments[0], "buffer").data;
  array.dtype = need<Dtype>(arguments[1], "data type");
  array.shape = need_shape(arguments[2]);
  const std::string order = need_text(arguments[3], "order");
  if (order != "C" && order != "F") fail("an array is stored in neither C nor Fortran order");
  if (array.dtype.kind == 'O') fail("Python objects in a buffer");
  array.fortran = order == "F";
  array.built = true;
  check_array(array);
  return array;
}

Bytes Machine::encode_latin1(const std::vector<Object*>& arguments) {
  if (arguments.size() != 2) fail("_codecs.encode needs two arguments");
  const std::string encoding = need_text(arguments[1], "encoding");
  if (encoding != "latin1" && encoding != "latin-1") fail("_codecs.encode is only known for latin1");
  const auto& value = need<std::string>(arguments[0], "text");
  // Written by Python, all such texts together are no longer than the pickle they stand in.
  encoded_bytes_ += value.size();
  if (encoded_bytes_ > pickle_.size()) fail("one text is encoded again and again");
  std::string& bytes = encoded_.emplace_back();
  for (std::size_t i = 0; i < value.size();) {
    const char32_t c = next_character(value, i);
    if (c > 0xFF) fail("a text that is not latin1");
    bytes += static_cast<char>(static_cast<unsigned char>(c));
  }
  return Bytes{bytes, false};
}

void Machine::build_array(Array& array, const std::vector<Object*>& state) const {
  if (array.built) fail("an array is filled twice");
  if (state.size() != 5) fail("an array's state needs five items");
  array.shape = need_shape(state[1]);
  array.dtype = need<Dtype>(state[2], "data type");
  array.fortran = need_truth(state[3], "truth value");
  if (array.dtype.kind == 'O') {
    array.values = need<List>(state[4], "list of objects").items;
  } else {
    array.data = need<Bytes>(state[4], "array data").data;
  }
  array.built = true;
  check_array(array);
}

void Machine::build() {
  const auto parts = pop_several(2);
  stack_.push_back(parts[0]);
  const auto& state = need<Tuple>(parts[1], "state").items;
  if (auto* array = std::get_if<Array>(&parts[0]->value)) return build_array(*array, state);
  build_dtype(need<Dtype>(parts[0], "array or data type"), state);
}

}  // namespace cinecortex::io::pickle
