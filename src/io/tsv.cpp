#include "cinecortex/io/tsv.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "cinecortex/core/error.hpp"
#include "utf8.hpp"

namespace cinecortex::io {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// One record at a time, by the rules of pandas' reader: a quote counts only at a field's beginning, and
/// what follows the closing quote belongs to the field.
class TsvParser {
 public:
  TsvParser(std::string_view text, const std::string& name) : text_(text), name_(name) {
    if (text_.starts_with(byte_order_mark)) text_.remove_prefix(byte_order_mark.size());
  }

  /// The next record that is not a blank line; false at the end.
  bool next(std::vector<std::string>& fields, std::size_t& line) {
    while (at_ < text_.size() && end_of_line()) continue;
    if (at_ >= text_.size()) return false;
    line = line_;
    fields.clear();
    do {
      fields.push_back(field());
    } while (accept('\t'));
    end_of_line();
    return true;
  }

 private:
  bool accept(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool end_of_line() {
    const bool carriage = accept('\r');
    const bool feed = accept('\n');
    line_ += carriage || feed ? 1 : 0;
    return carriage || feed;
  }

  std::string field() {
    std::string value;
    if (accept('"')) quoted(value);
    const std::size_t end = std::min(text_.find_first_of("\t\r\n", at_), text_.size());
    value += text_.substr(at_, end - at_);
    at_ = end;
    return value;
  }

  void quoted(std::string& value) {
    const std::size_t first_line = line_;
    for (;;) {
      const std::size_t end = text_.find('"', at_);
      if (end == std::string_view::npos) {
        throw InputError(fmt::format("{}, line {}: a quote (\") is never closed", name_, first_line));
      }
      const std::string_view part = text_.substr(at_, end - at_);
      line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
      value += part;
      at_ = end + 1;
      if (!accept('"')) return;
      value += '"';
    }
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

std::size_t TsvTable::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) {
    throw InputError(
        fmt::format("{}: there is no column '{}'; the columns are {}", file, name, fmt::join(columns, ", ")));
  }
  if (std::find(found + 1, columns.end(), name) != columns.end()) {
    throw InputError(fmt::format("{}: there are several columns '{}'", file, name));
  }
  return static_cast<std::size_t>(found - columns.begin());
}

TsvTable parse_tsv(std::string_view text, const std::string& name) {
  if (const std::size_t bad = first_invalid_utf8(text); bad != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
    throw InputError(fmt::format("{}, line {}: the byte 0x{:02x} is not UTF-8", name, line,
                                 static_cast<unsigned char>(text[bad])));
  }
  TsvTable table;
  table.file = name;
  TsvParser parser(text, name);
  std::size_t line = 0;
  if (!parser.next(table.columns, line)) throw InputError(name + ": a table without a header line");
  std::vector<std::string> fields;
  while (parser.next(fields, line)) {
    if (fields.size() != table.columns.size()) {
      throw InputError(fmt::format("{}, line {}: {} fields, but the header has {}", name, line, fields.size(),
                                   table.columns.size()));
    }
    table.rows.push_back(std::move(fields));
    table.lines.push_back(line);
  }
  return table;
}

TsvTable read_tsv(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    throw InputError(file.string() + " is a folder, not a table");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw InputError(file.string() + " cannot be opened: " + std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) throw InputError(file.string() + " cannot be read");
  return parse_tsv(text, file.string());
}

std::string quote_tsv(std::string_view field) {
  if (field.find_first_of("\t\r\n\"") == std::string_view::npos) return std::string(field);
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace cinecortex::io
