#include "text_pattern.hpp"

#include <fmt/format.h>

#include <array>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

/// Characters with the property White_Space. PCRE2's own \s has U+180E besides, which left the property in
/// Unicode 6.3.
constexpr std::string_view white_space =
    R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// Reads an expression from left to right, copies what Oniguruma (Ruby's syntax) and PCRE2 agree on,
/// replaces white space, and refuses the rest.
class Translator {
 public:
  explicit Translator(const std::string& expression) : in_(expression) {}

  std::string translated() {
    for (at_ = 0; at_ < in_.size(); ++at_) {
      if (in_[at_] == '\\') {
        escape();
      } else if (in_class_) {
        inside_class();
      } else {
        outside_class();
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view construct) const {
    throw InputError(
        fmt::format("the expression \"{}\" has {} at byte {}, which is not supported", in_, construct, at_));
  }

  void escape() {
    constexpr std::string_view same_letters = "pPdDrntfv";
    if (++at_ == in_.size()) refuse("a \\ at its end");
    const char c = in_[at_];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == 's' || (c == 'S' && !in_class_)) {
      out_ += in_class_ ? std::string(white_space) : fmt::format("[{}{}]", c == 'S' ? "^" : "", white_space);
    } else if (letter && same_letters.find(c) == std::string_view::npos) {
      refuse(fmt::format("\\{}", c));
    } else {
      out_ += '\\';
      out_ += c;
      if (c == 'p' || c == 'P') property_name();
    }
  }

  void property_name() {
    const auto end = ahead(1) == '{' ? in_.find('}', at_) : std::string::npos;
    if (end == std::string::npos) refuse("a property without {…}");
    out_.append(in_, at_ + 1, end - at_);
    at_ = end;
  }

  void inside_class() {
    const char c = in_[at_];
    if (c == '[') refuse("[ in a class");
    if (c == '&' && ahead(1) == '&') refuse("&& in a class");
    if (c == ']') in_class_ = false;
    out_ += c;
  }

  void outside_class() {
    const char c = in_[at_];
    if (c == '^' || c == '$') refuse(std::string(1, c));
    if (c == '}' && ahead(1) == '+') refuse("}+");
    if (c == '(' && ahead(1) == '*') refuse("(*");
    if (c == '(' && ahead(1) == '?' && std::string_view(":=!<>i").find(ahead(2)) == std::string_view::npos) {
      refuse(fmt::format("(?{}", ahead(2)));
    }
    out_ += c;
    if (c != '[') return;
    in_class_ = true;
    if (ahead(1) == '^') out_ += in_[++at_];
    if (ahead(1) == ']') refuse("] at the start of a class");
  }

  /// A character further on, or NUL behind the end.
  char ahead(std::size_t distance) const { return at_ + distance < in_.size() ? in_[at_ + distance] : '\0'; }

  const std::string& in_;
  std::string out_;
  std::size_t at_ = 0;
  bool in_class_ = false;
};

}  // namespace

TextPattern::TextPattern(const std::string& expression) : expression_(expression) {
  const std::string translated = Translator(expression).translated();
  int error = 0;
  std::size_t place = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &place, nullptr));
  if (!code_) {
    throw InputError(fmt::format("\"{}\" is not a regular expression: {}", expression, message_of(error)));
  }
  std::uint32_t may_be_empty = 0;
  pcre2_pattern_info(code_.get(), PCRE2_INFO_MATCHEMPTY, &may_be_empty);
  if (may_be_empty != 0) {
    throw InputError(
        fmt::format("the expression \"{}\" matches the empty text, which is not supported", expression));
  }
  match_.reset(pcre2_match_data_create(1, nullptr));
  context_.reset(pcre2_match_context_create(nullptr));
  // Without a compiler for this machine the library interprets.
  if (pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE) == 0) {
    constexpr std::size_t first_bytes = 32 << 10, most_bytes = 64 << 20;
    stack_.reset(pcre2_jit_stack_create(first_bytes, most_bytes, nullptr));
    pcre2_jit_stack_assign(context_.get(), nullptr, stack_.get());
  }
}

std::optional<TextPattern::Match> TextPattern::find(std::string_view text, std::size_t from) const {
  const int count = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                PCRE2_NO_UTF_CHECK, match_.get(), context_.get());
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0) throw Error(fmt::format("the expression \"{}\": {}", expression_, message_of(count)));
  const std::size_t* const ends = pcre2_get_ovector_pointer(match_.get());
  return Match{ends[0], ends[1]};
}

}  // namespace cinecortex::models
