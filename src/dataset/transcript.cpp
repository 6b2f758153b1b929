#include "cinecortex/dataset/transcript.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "cinecortex/core/error.hpp"
#include "cinecortex/io/tsv.hpp"

namespace cinecortex::dataset {

namespace {

constexpr const char* text_column = "text_per_tr";
constexpr const char* words_column = "words_per_tr";
constexpr const char* onsets_column = "onsets_per_tr";
constexpr const char* durations_column = "durations_per_tr";

}  // namespace

Transcript read_transcript(const std::filesystem::path& file) {
  const io::TsvTable table = io::read_tsv(file);
  const std::size_t text = table.column(text_column);
  const std::size_t words = table.column(words_column);
  const std::size_t onsets = table.column(onsets_column);
  const std::size_t durations = table.column(durations_column);
  Transcript transcript;
  transcript.reserve(table.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& fields = table.rows[i];
    const auto where = [&](const char* column) {
      return fmt::format("{}, line {}, column {}", file.string(), table.lines[i], column);
    };
    TranscriptRow row;
    row.text = fields[text];
    row.words = io::parse_string_list(fields[words], where(words_column));
    row.onsets_s = io::parse_number_list(fields[onsets], where(onsets_column));
    row.durations_s = io::parse_number_list(fields[durations], where(durations_column));
    if (row.onsets_s.size() != row.words.size() || row.durations_s.size() != row.words.size()) {
      throw InputError(fmt::format(
          "{}, line {}: {} words, but {} onsets and {} durations; the three must be equal", file.string(),
          table.lines[i], row.words.size(), row.onsets_s.size(), row.durations_s.size()));
    }
    transcript.push_back(std::move(row));
  }
  return transcript;
}

void write_transcript(const std::filesystem::path& file, const Transcript& transcript) {
  const std::filesystem::path partial = file.string() + ".partial";
  const auto check = [&](bool good) {
    if (!good) throw InputError(fmt::format("{} cannot be written: {}", file.string(), std::strerror(errno)));
  };
  std::ofstream stream(partial, std::ios::binary);
  check(stream.is_open());
  stream << text_column << '\t' << words_column << '\t' << onsets_column << '\t' << durations_column << '\n';
  for (const TranscriptRow& row : transcript) {
    stream << io::quote_tsv(row.text) << '\t' << io::quote_tsv(io::format_string_list(row.words)) << '\t'
           << io::quote_tsv(io::format_number_list(row.onsets_s)) << '\t'
           << io::quote_tsv(io::format_number_list(row.durations_s)) << '\n';
  }
  stream.close();
  check(stream.good());
  std::filesystem::rename(partial, file);
}

}  // namespace cinecortex::dataset
