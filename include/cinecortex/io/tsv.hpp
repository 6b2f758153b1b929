#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cinecortex::io {

/// A tab-separated table as pandas writes and reads it: a header line, fields quoted by "…" with "" inside,
/// line breaks and tabs inside quotes allowed, CRLF accepted, UTF-8 (a byte-order mark is skipped).
struct TsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> lines;  ///< the line of the file each row begins at (1-based), for messages
  /// Position of a column. @throws InputError naming the file, the column and those there are.
  std::size_t column(const std::string& name) const;
  std::string file;
};
/// @throws InputError: missing, unreadable, ragged row (file, line, fields found and expected).
TsvTable read_tsv(const std::filesystem::path& file);
TsvTable parse_tsv(std::string_view text, const std::string& name);

/// Python list literals: "['a', \"b's\"]", "[0.1, 2]". An empty field is an empty list. nan is not a number
/// here.
/// @throws InputError saying what is wrong and at which character; `where` begins the message.
std::vector<std::string> parse_string_list(std::string_view text, const std::string& where);
std::vector<double> parse_number_list(std::string_view text, const std::string& where);

std::string format_string_list(const std::vector<std::string>& values);  ///< as Python's repr
std::string format_number_list(const std::vector<double>& values);       ///< shortest that reads back equal
std::string quote_tsv(std::string_view field);                           ///< quoted only where needed

}  // namespace cinecortex::io
