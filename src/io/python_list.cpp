#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cinecortex/core/error.hpp"
#include "cinecortex/io/tsv.hpp"
#include "utf8.hpp"

namespace cinecortex::io {
namespace {

/// The grammar that both kinds of list share: brackets, commas (one may trail), spaces.
class ListParser {
 public:
  ListParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  template <class Element>
  void parse(Element&& element) {
    if (peek() == '\0' && at_ >= text_.size()) return;
    expect('[', "a list begins with [");
    while (!accept(']')) {
      element(*this);
      if (accept(',')) continue;
      expect(']', "a , or ] is expected");
      break;
    }
    peek();
    if (at_ < text_.size()) fail("there is text behind the list");
  }

  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("a quoted text is expected");
    const std::size_t begin = at_++;
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      const char c = text_[at_++];
      if (c == '\n' || c == '\r') fail("a line break inside a text");
      if (c == '\\') {
        escape(value);
      } else {
        value += c;
      }
    }
    if (at_ >= text_.size()) {
      at_ = begin;
      fail("the text is never closed");
    }
    ++at_;
    return value;
  }

  double number() {
    const char first = peek();
    if (first == '+') ++at_;
    const std::size_t digits = first == '+' || first == '-' ? at_ + (first == '-') : at_;
    const bool numeric = digits < text_.size() && (text_[digits] == '.' || is_digit(text_[digits]));
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (!numeric || error != std::errc{}) fail("a finite number is expected");
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    constexpr std::size_t shown = 24;
    std::string rest;
    for (const char c : text_.substr(std::min(at_, text_.size()), shown)) rest += c < ' ' && c >= 0 ? ' ' : c;
    while (first_invalid_utf8(rest) != std::string_view::npos) rest.pop_back();  // cut inside a character
    throw InputError(fmt::format("{}: {} at character {} (“{}”)", where_, what, at_ + 1, rest));
  }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c, const char* what) {
    if (!accept(c)) fail(what);
  }

  /// Behind a backslash. As in Python, an unknown escape keeps its backslash.
  void escape(std::string& value) {
    if (at_ >= text_.size()) fail("the text is never closed");
    const char c = text_[at_++];
    constexpr std::string_view letters = "\\'\"nrtbfva", meanings = "\\'\"\n\r\t\b\f\v\a";
    if (const auto known = letters.find(c); known != std::string_view::npos) {
      value += meanings[known];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      append(value, hexadecimal(c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else if (c >= '0' && c <= '7') {
      --at_;
      append(value, octal());
    } else if (c == 'N') {
      fail("characters by name (\\N) are not read");
    } else if (c != '\n') {  // an escaped line break is nothing
      value += '\\';
      value += c;
    }
  }
  void append(std::string& value, char32_t character) {
    if (!append_utf8(value, character)) fail("an escape that is no character");
  }
  char32_t hexadecimal(std::size_t digits) {
    std::uint32_t number = 0;
    const std::string_view part = text_.substr(std::min(at_, text_.size()), digits);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number, 16);
    if (part.size() < digits || error != std::errc{} || end != part.data() + digits) fail("a broken escape");
    at_ += digits;
    return number;
  }
  char32_t octal() {
    char32_t number = 0;
    for (int i = 0; i < 3 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i) {
      number = number * 8 + static_cast<char32_t>(text_[at_++] - '0');
    }
    return number;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

/// What Python's repr escapes: controls, formats, separators other than the space, private use. Characters
/// that only newer Unicode versions assign are left as they are.
bool printable(char32_t c) {
  struct Span {
    char32_t first, last;
  };
  static constexpr Span hidden[] = {
      {0x00, 0x1F},     {0x7F, 0xA0},     {0xAD, 0xAD},       {0x600, 0x605},     {0x61C, 0x61C},
      {0x6DD, 0x6DD},   {0x70F, 0x70F},   {0x1680, 0x1680},   {0x180E, 0x180E},   {0x2000, 0x200F},
      {0x2028, 0x202F}, {0x205F, 0x206F}, {0x3000, 0x3000},   {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},
      {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE007F}, {0xF0000, 0x10FFFF}};
  return std::none_of(std::begin(hidden), std::end(hidden),
                      [&](const Span& span) { return c >= span.first && c <= span.last; });
}

std::string repr(const std::string& value) {
  if (first_invalid_utf8(value) != std::string_view::npos) {
    throw Error("internal: a text that is not UTF-8 cannot be written as a Python list");
  }
  const bool double_quoted = value.find('\'') != std::string::npos && value.find('"') == std::string::npos;
  const char quote = double_quoted ? '"' : '\'';
  std::string result(1, quote);
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t begin = at;
    const char32_t c = next_character(value, at);
    if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\\' || c == static_cast<char32_t>(quote))
      (result += '\\') += static_cast<char>(c);
    else if (printable(c))
      result += value.substr(begin, at - begin);
    else if (c < 0x100)
      result += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c));
    else if (c < 0x10000)
      result += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
    else
      result += fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c));
  }
  return result + quote;
}

std::string repr(double value) {
  if (!std::isfinite(value)) throw Error("internal: a number list cannot hold NaN or infinity");
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

template <class Value>
std::string format_list(const std::vector<Value>& values) {
  std::string text = "[";
  for (const auto& value : values) {
    if (text.size() > 1) text += ", ";
    text += repr(value);
  }
  return text + "]";
}

}  // namespace

std::vector<std::string> parse_string_list(std::string_view text, const std::string& where) {
  std::vector<std::string> values;
  ListParser(text, where).parse([&](ListParser& parser) { values.push_back(parser.string()); });
  return values;
}

std::vector<double> parse_number_list(std::string_view text, const std::string& where) {
  std::vector<double> values;
  ListParser(text, where).parse([&](ListParser& parser) { values.push_back(parser.number()); });
  return values;
}

std::string format_string_list(const std::vector<std::string>& values) {
  return format_list(values);
}

std::string format_number_list(const std::vector<double>& values) {
  return format_list(values);
}

}  // namespace cinecortex::io
