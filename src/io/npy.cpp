#include "cinecortex/io/npy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "npy_header.hpp"
#include "output_file.hpp"

namespace cinecortex::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and mapped as they are");

struct Mapping {
  void* bytes = nullptr;
  std::size_t size = 0;
};

Mapping map_file(const std::filesystem::path& file) {
  const auto fail = [&](const char* what) -> InputError {
    return InputError(file.string() + " " + what + ": " + std::strerror(errno));
  };
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw fail("cannot be opened");
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw InputError(file.string() + " is not a file");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) {
    ::close(descriptor);
    throw InputError(file.string() + " is empty (0 bytes)");
  }
  void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  if (bytes == MAP_FAILED) throw fail("cannot be mapped");
  return {bytes, size};
}

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

NpyFile::NpyFile(const std::filesystem::path& file) : file_(file) {
  const Mapping mapping = map_file(file);
  map_ = mapping.bytes;
  map_bytes_ = mapping.size;
  try {
    const std::string name = file.string();
    const NpyHeader header = parse_npy_header({static_cast<const std::byte*>(map_), map_bytes_}, name);
    std::tie(kind_, item_bytes_) = parse_descr(header.descr, name);
    if (header.shape.size() != 1 && header.shape.size() != 2) {
      throw InputError(fmt::format("{} has the shape ({}); a matrix or a vector is needed", name,
                                   fmt::join(header.shape, ", ")));
    }
    rows_ = header.shape[0];
    columns_ = header.shape.size() == 2 ? header.shape[1] : 1;
    fortran_ = header.fortran;
    data_offset_ = header.data_offset;
    Index bytes = 0;
    if (__builtin_mul_overflow(rows_, columns_, &bytes) ||
        __builtin_mul_overflow(bytes, item_bytes_, &bytes) ||
        static_cast<std::size_t>(bytes) > map_bytes_ - data_offset_) {
      throw InputError(
          fmt::format("{} is truncated: its header announces {} × {} values of {} bytes, but {} bytes "
                      "follow",
                      name, rows_, columns_, item_bytes_, map_bytes_ - data_offset_));
    }
  } catch (...) {
    ::munmap(map_, map_bytes_);
    throw;
  }
}

NpyFile::~NpyFile() {
  if (map_ != nullptr) ::munmap(map_, map_bytes_);
}

NpyFile::NpyFile(NpyFile&& other) noexcept {
  *this = std::move(other);
}

NpyFile& NpyFile::operator=(NpyFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(rows_, other.rows_);
  std::swap(columns_, other.columns_);
  std::swap(kind_, other.kind_);
  std::swap(item_bytes_, other.item_bytes_);
  std::swap(fortran_, other.fortran_);
  std::swap(map_, other.map_);
  std::swap(map_bytes_, other.map_bytes_);
  std::swap(data_offset_, other.data_offset_);
  return *this;
}

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
  with_item(kind_, item_bytes_, [&](auto item) {
    using Item = decltype(item);
    const std::byte* data = static_cast<const std::byte*>(map_) + data_offset_;
    const Index row_step = fortran_ ? 1 : columns_;
    const Index column_step = fortran_ ? rows_ : 1;
    if constexpr (std::is_same_v<Item, Scalar>) {
      if (!fortran_) {
        for (Index r = 0; r < rows.size(); ++r) {
          const Index at = (rows.begin + r) * row_step + columns.begin;
          std::memcpy(values.row(r).data(), data + at * static_cast<Index>(sizeof(Item)),
                      static_cast<std::size_t>(columns.size()) * sizeof(Item));
        }
        return;
      }
    }
    for (Index r = 0; r < rows.size(); ++r) {
      for (Index c = 0; c < columns.size(); ++c) {
        const Index at = (rows.begin + r) * row_step + (columns.begin + c) * column_step;
        Item value;  // copied: the data of a foreign header may be unaligned
        std::memcpy(&value, data + at * static_cast<Index>(sizeof(Item)), sizeof(Item));
        values(r, c) = static_cast<Scalar>(value);
      }
    }
  });
  // Pages read count as this process's memory although the kernel could take them back: large files give them back.
  constexpr std::size_t small_file = std::size_t{256} << 20;
  if (map_bytes_ > small_file) ::madvise(map_, map_bytes_, MADV_DONTNEED);
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
