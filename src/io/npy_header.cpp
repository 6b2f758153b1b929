#include "npy_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "cinecortex/io/npy.hpp"

namespace cinecortex::io {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t alignment = 64;
constexpr std::size_t longest_header = 1 << 16;  // a header of three keys has some 100 bytes
constexpr std::size_t most_dimensions = 32;      // as NumPy 1

/// The dict literal that NumPy writes: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  NpyHeader parse() {
    std::optional<std::string> descr;
    std::optional<bool> fortran;
    std::optional<std::vector<Index>> shape;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        if (peek() == '[') fail("a structured type; a plain number type is needed");
        descr = quoted();
      } else if (key == "fortran_order" && !fortran) {
        fortran = boolean();
      } else if (key == "shape" && !shape) {
        shape = sizes();
      } else {
        fail("an unexpected key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!descr || !fortran || !shape) fail("one of descr, fortran_order and shape is missing");
    return {*descr, *fortran, *shape, 0};
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}: the .npy header is wrong at character {}: {}", name_, at_, what));
  }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("'{}' is expected", c));
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("a quoted name is expected");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a quote is not closed");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    for (const char c : value) {
      if (c < ' ' || c > '~') fail("a name holds unprintable characters");
    }
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    peek();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    fail("True or False is expected");
  }
  std::vector<Index> sizes() {
    std::vector<Index> values;
    expect('(');
    while (!accept(')')) {
      peek();
      Index value = 0;
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
      if (error != std::errc{} || value < 0) fail("a size is expected");
      at_ += static_cast<std::size_t>(end - begin);
      accept('L');  // Python 2
      values.push_back(value);
      if (values.size() > most_dimensions) fail("too many dimensions");
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
};

std::size_t little_endian(std::span<const std::byte> bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::size_t>(bytes[i]);
  return value;
}

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(magic)) {
    throw InputError(name + (text.empty() ? " is empty (0 bytes)" : " is not a .npy file"));
  }
  if (bytes.size() < magic.size() + 4) throw InputError(name + ": the .npy header is cut off");
  const int version = std::to_integer<int>(bytes[6]);
  if (version < 1 || version > 3) {
    throw InputError(fmt::format("{}: .npy version {} is unknown; 1, 2 and 3 are read", name, version));
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t begin = magic.size() + 2 + length_bytes;
  if (bytes.size() < begin) throw InputError(name + ": the .npy header is cut off");
  const std::size_t length = little_endian(bytes.subspan(magic.size() + 2, length_bytes));
  if (length > longest_header) throw InputError(fmt::format("{}: a .npy header of {} bytes", name, length));
  if (bytes.size() - begin < length) throw InputError(name + ": the .npy header is cut off");
  NpyHeader header = HeaderParser(text.substr(begin, length), name).parse();
  header.data_offset = begin + length;
  return header;
}

std::string npy_header(const std::string& descr, const std::vector<Index>& shape) {
  std::string sizes;
  for (const Index size : shape) sizes += fmt::format("{}{}", sizes.empty() ? "" : " ", size) + ",";
  if (shape.size() > 1) sizes.pop_back();  // (3,) but (3, 4)
  std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, sizes);
  constexpr std::size_t prefix = 10;  // magic, version, length
  const std::size_t total = (prefix + dict.size() + 1 + alignment - 1) / alignment * alignment;
  dict.append(total - prefix - dict.size() - 1, ' ');
  dict += '\n';
  std::string header(magic);
  header += '\x01';
  header += '\x00';
  const auto length = checked_cast<std::uint16_t>(dict.size());
  header += static_cast<char>(length & 0xff);
  header += static_cast<char>(length >> 8);
  return header + dict;
}

}  // namespace cinecortex::io
