#include "cinecortex/io/pickle.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <unordered_map>

#include "npy_header.hpp"
#include "pickle_machine.hpp"

namespace cinecortex::io {
namespace {

constexpr int deepest = 64;

/// Turns the machine's objects, which may share and even contain each other, into values. What is shared is
/// copied, so the copies are counted: a small pickle must not become a large value.
class Converter {
 public:
  Converter(const pickle::Machine& machine, std::size_t pickle_bytes)
      : machine_(machine), bytes_left_(16 * pickle_bytes + 65536) {}

  PyValue convert(const pickle::Object& object, int depth = 0) {
    if (depth > deepest) machine_.fail(fmt::format("more than {} levels of nesting", deepest));
    spend(sizeof(PyValue) / 8);
    return std::visit([&](const auto& value) { return from(value, depth); }, object.value);
  }

 private:
  void spend(std::size_t bytes) {
    if (bytes > bytes_left_) machine_.fail("the same object is used again and again");
    bytes_left_ -= bytes;
  }

  PyValue from(pickle::None, int) { return {}; }
  PyValue from(bool value, int) { return {std::int64_t{value}}; }
  PyValue from(std::int64_t value, int) { return {value}; }
  PyValue from(double value, int) { return {value}; }
  PyValue from(const std::string& value, int) {
    spend(value.size());
    return {value};
  }
  PyValue from(const pickle::Bytes& value, int) {
    if (!value.python2_text) machine_.fail("bytes are not read as a value");
    spend(value.data.size());
    return {std::string(value.data)};
  }
  PyValue from(const pickle::Tuple&, int) { machine_.fail("a tuple is not read as a value"); }
  PyValue from(const pickle::List&, int) { machine_.fail("a list is not read as a value"); }
  PyValue from(pickle::Global, int) { machine_.fail("a function is no value"); }
  PyValue from(const pickle::Dtype&, int) { machine_.fail("a data type is no value"); }

  PyValue from(const pickle::Dict& dict, int depth) {
    PyDict entries;
    std::unordered_map<std::string, std::size_t> positions;
    for (std::size_t i = 0; i + 1 < dict.keys_and_values.size(); i += 2) {
      const PyValue key = convert(*dict.keys_and_values[i], depth + 1);
      const auto* name = std::get_if<std::string>(&key.value);
      if (name == nullptr) machine_.fail("a dict's key is not a text");
      PyValue value = convert(*dict.keys_and_values[i + 1], depth + 1);
      const auto [position, fresh] = positions.try_emplace(*name, entries.size());
      if (fresh) {
        entries.emplace_back(*name, std::move(value));
      } else {
        entries[position->second].second = std::move(value);
      }
    }
    return {std::move(entries)};
  }

  PyValue from(const pickle::Array& array, int depth) {
    if (!array.built) machine_.fail("an array that was never filled");
    if (array.dtype.kind == 'O') {
      if (!array.shape.empty())
        machine_.fail(
            "an array of Python objects; one object, as np.save(file, dict) "
            "writes it, is needed");
      return convert(*array.values.at(0), depth + 1);
    }
    spend(array.data.size());
    PyArray result;
    result.shape = array.shape;
    result.descr = (array.dtype.item_bytes == 1 || array.dtype.kind == 'S' ? "|" : "<") + array.dtype.code;
    result.bytes = array.fortran ? to_c_order(array) : copy(array.data);
    return {std::move(result)};
  }

  static std::vector<std::byte> copy(std::string_view data) {
    const auto* begin = reinterpret_cast<const std::byte*>(data.data());
    return {begin, begin + data.size()};
  }

  /// Reverses the axes: the first index of Fortran order runs fastest.
  static std::vector<std::byte> to_c_order(const pickle::Array& array) {
    const auto item = static_cast<std::size_t>(array.dtype.item_bytes);
    std::vector<std::byte> bytes(array.data.size());
    std::vector<Index> at(array.shape.size(), 0);
    for (std::size_t to = 0; to < bytes.size(); to += item) {
      Index from = 0;
      for (std::size_t axis = at.size(); axis-- > 0;) from = from * array.shape[axis] + at[axis];
      std::memcpy(bytes.data() + to, array.data.data() + static_cast<std::size_t>(from) * item, item);
      for (std::size_t axis = at.size(); axis-- > 0;) {
        if (++at[axis] < array.shape[axis]) break;
        at[axis] = 0;
      }
    }
    return bytes;
  }

  const pickle::Machine& machine_;
  std::size_t bytes_left_;
};

std::vector<std::byte> read_bytes(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    throw InputError(file.string() + " is a folder, not a file");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw InputError(file.string() + " cannot be opened: " + std::strerror(errno));
  const auto size = std::filesystem::file_size(file, error);
  if (error) throw InputError(file.string() + " cannot be read: " + error.message());
  std::vector<std::byte> bytes(size);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!stream) throw InputError(file.string() + " cannot be read to its end");
  return bytes;
}

}  // namespace

PyValue parse_pickle(std::span<const std::byte> pickle, const std::string& name) {
  pickle::Machine machine({reinterpret_cast<const char*>(pickle.data()), pickle.size()}, name);
  const pickle::Object& object = machine.run();
  return Converter(machine, pickle.size()).convert(object);
}

PyValue read_pickled_npy(const std::filesystem::path& file) {
  const std::string name = file.string();
  const auto bytes = read_bytes(file);
  const NpyHeader header = parse_npy_header(bytes, name);
  if (header.descr != "|O" || !header.shape.empty()) {
    throw InputError(
        fmt::format("{} holds an array of '{}' with {} dimensions; one pickled dict, as np.save(file, "
                    "dict) writes it, is needed",
                    name, header.descr, header.shape.size()));
  }
  return parse_pickle(std::span(bytes).subspan(header.data_offset), name);
}

}  // namespace cinecortex::io
