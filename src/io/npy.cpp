#include "cinecortex/io/npy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "cinecortex/parallel/threads.hpp"
#include "mapped_file.hpp"
#include "npy_header.hpp"
#include "output_file.hpp"

namespace cinecortex::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and mapped as they are");

/// Kind and bytes of one item of "<f4" and the like. @throws InputError naming what can be read.
std::pair<char, int> parse_descr(const std::string& descr, const std::string& name) {
  const bool sized = descr.size() >= 3 && descr[0] != '>';
  int bytes = 0;
  if (sized) std::from_chars(descr.data() + 2, descr.data() + descr.size(), bytes);
  const char kind = descr.size() >= 2 ? descr[1] : '?';
  const bool floating = kind == 'f' && (bytes == 2 || bytes == 4 || bytes == 8);
  const bool integer = (kind == 'i' || kind == 'u') && (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
  const bool plain = descr == fmt::format("{}{}{}", descr.empty() ? '?' : descr[0], kind, bytes) &&
                     (descr[0] == '<' || descr[0] == '|' || descr[0] == '=');
  if (plain && (floating || integer || (kind == 'b' && bytes == 1))) return {kind, bytes};
  throw InputError(fmt::format("{} holds '{}'{}; little-endian float16/32/64, integers and bool can be read",
                               name, descr, kind == 'O' ? " (Python objects)" : ""));
}

/// fn(T{}) for the type of an item.
template <class Fn>
void with_item(char kind, int bytes, Fn&& fn) {
  if (kind == 'f') return bytes == 2 ? fn(Eigen::half{}) : bytes == 4 ? fn(float{}) : fn(double{});
  if (kind == 'i') {
    return bytes == 1   ? fn(std::int8_t{})
           : bytes == 2 ? fn(std::int16_t{})
           : bytes == 4 ? fn(std::int32_t{})
                        : fn(std::int64_t{});
  }
  return bytes == 1   ? fn(std::uint8_t{})
         : bytes == 2 ? fn(std::uint16_t{})
         : bytes == 4 ? fn(std::uint32_t{})
                      : fn(std::uint64_t{});
}

template <class Scalar>
void write_matrix(const std::filesystem::path& file, const Matrix<Scalar>& values, const char* descr) {
  OutputFile output(file);
  output.write(npy_header(descr, {values.rows(), values.cols()}));
  output.write(std::as_bytes(std::span(values.data(), static_cast<std::size_t>(values.size()))));
  output.finish();
}

}  // namespace

NpyFile::NpyFile(const std::filesystem::path& file) : file_(file), map_(std::make_unique<MappedFile>(file)) {
  const std::string name = file.string();
  const NpyHeader header = parse_npy_header(map_->bytes(), name);
  std::tie(kind_, item_bytes_) = parse_descr(header.descr, name);
  if (header.shape.size() != 1 && header.shape.size() != 2) {
    throw InputError(fmt::format("{} has the shape ({}); a matrix or a vector is needed", name,
                                 fmt::join(header.shape, ", ")));
  }
  rows_ = header.shape[0];
  columns_ = header.shape.size() == 2 ? header.shape[1] : 1;
  fortran_ = header.fortran;
  data_offset_ = header.data_offset;
  const std::size_t there = map_->bytes().size() - data_offset_;
  Index bytes = 0;
  if (__builtin_mul_overflow(rows_, columns_, &bytes) || __builtin_mul_overflow(bytes, item_bytes_, &bytes) ||
      static_cast<std::size_t>(bytes) > there) {
    throw InputError(
        fmt::format("{} is truncated: its header announces {} × {} values of {} bytes, but {} bytes "
                    "follow",
                    name, rows_, columns_, item_bytes_, there));
  }
}

NpyFile::~NpyFile() = default;
NpyFile::NpyFile(NpyFile&&) noexcept = default;
NpyFile& NpyFile::operator=(NpyFile&&) noexcept = default;

bool NpyFile::single() const noexcept {
  return kind_ == 'f' ? item_bytes_ <= 4 : item_bytes_ <= 2;
}

template <class Scalar>
Matrix<Scalar> NpyFile::read(Range rows, Range columns) const {
  if (rows.begin < 0 || rows.size() < 0 || rows.end > rows_ || columns.begin < 0 || columns.size() < 0 ||
      columns.end > columns_) {
    throw InputError(
        fmt::format("{} has {} rows and {} columns, but rows {} to {} and columns {} to {} are needed",
                    file_.string(), rows_, columns_, rows.begin, rows.end, columns.begin, columns.end));
  }
  Matrix<Scalar> values(rows.size(), columns.size());
  // Pages of a large file count as this process's memory until they are given back.
  constexpr std::size_t small_file = std::size_t{256} << 20;
  const bool large = map_->bytes().size() > small_file;
  constexpr Index bytes_at_once = Index{16} << 20;
  const Index rows_at_once =
      fortran_ ? rows.size()
               : std::max<Index>(1, bytes_at_once / (item_bytes_ * std::max<Index>(1, columns.size())));
  with_item(kind_, item_bytes_, [&](auto item) {
    using Item = decltype(item);
    const std::byte* data = map_->bytes().data() + data_offset_;
    const Index row_step = fortran_ ? 1 : columns_;
    const Index column_step = fortran_ ? rows_ : 1;
    const auto read_row = [&](Index r) {
      const Index first = (rows.begin + r) * row_step + columns.begin * column_step;
      if constexpr (std::is_same_v<Item, Scalar>) {
        if (!fortran_) {
          std::memcpy(values.row(r).data(), data + first * static_cast<Index>(sizeof(Item)),
                      static_cast<std::size_t>(columns.size()) * sizeof(Item));
          return;
        }
      }
      for (Index c = 0; c < columns.size(); ++c) {
        Item value;  // copied: the data of a foreign header may be unaligned
        std::memcpy(&value, data + (first + c * column_step) * static_cast<Index>(sizeof(Item)),
                    sizeof(Item));
        values(r, c) = static_cast<Scalar>(value);
      }
    };
    for (Index begin = 0; begin < rows.size(); begin += rows_at_once) {
      const Index end = std::min(rows.size(), begin + rows_at_once);
      const Index strip = std::clamp<Index>((end - begin) / parallel::openmp_threads(), 1, 32);
      parallel::for_each_in_threads((end - begin + strip - 1) / strip, [&](Index s) {
        const Index from = begin + s * strip;
        for (Index r = from; r < std::min(end, from + strip); ++r) read_row(r);
      });
      if (large) map_->release_pages();
    }
  });
  return values;
}

template MatrixF NpyFile::read<float>(Range, Range) const;
template MatrixD NpyFile::read<double>(Range, Range) const;

void write_npy(const std::filesystem::path& file, const MatrixF& values) {
  write_matrix(file, values, "<f4");
}
void write_npy(const std::filesystem::path& file, const MatrixD& values) {
  write_matrix(file, values, "<f8");
}

}  // namespace cinecortex::io
