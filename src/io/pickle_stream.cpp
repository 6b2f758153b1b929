#include "pickle_stream.hpp"

#include <bit>

#include "cinecortex/io/npy.hpp"

namespace cinecortex::io {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

// Places of the pickle's memo for what every array needs.
constexpr char memo_reconstruct = 0, memo_ndarray = 1, memo_float32 = 2, memo_object = 3;
constexpr char plain_flags = 0;
constexpr char object_flags = 63;  // NumPy's mark of items that are Python objects

}  // namespace

PickleStream::PickleStream(const std::filesystem::path& file) : output_(file) {
  raw(npy_header("|O", {}));
  raw("\x80\x04");  // PROTO 4; its frames are optional
  define_global("numpy.core.multiarray\n_reconstruct\n", memo_reconstruct);
  define_global("numpy\nndarray\n", memo_ndarray);
  define_dtype("f4", "<", plain_flags, memo_float32);
  define_dtype("O8", "|", object_flags, memo_object);
  begin_array();  // of no dimension, with a list of one item: the dict
  raw(")");
  recall(memo_object);
  raw("\x89]");
  begin_dict();
}

void PickleStream::finish() {
  raw("atb.");  // APPEND TUPLE BUILD STOP
  output_.finish();
}

void PickleStream::text(std::string_view value) {
  raw("X");  // BINUNICODE
  number(checked_cast<std::uint32_t>(value.size()));
  raw(value);
}

void PickleStream::integer(std::int64_t value) {
  raw("\x8a\x08");  // LONG1 of 8 bytes
  number(value);
}

void PickleStream::float32_array(const MatrixF& values) {
  begin_array();
  integer(values.rows());
  integer(values.cols());
  raw("\x86");  // TUPLE2
  recall(memo_float32);
  raw("\x89\x8e");  // NEWFALSE (C order), BINBYTES8
  const auto bytes = std::as_bytes(std::span(values.data(), static_cast<std::size_t>(values.size())));
  number(std::uint64_t{bytes.size()});
  output_.write(bytes);
  raw("tb");  // TUPLE BUILD
}

void PickleStream::remember(char place) {
  raw("q");
  number(place);
}

void PickleStream::recall(char place) {
  raw("h");
  number(place);
}

/// Looks a global up, remembers it, and takes it off the stack.
void PickleStream::define_global(std::string_view name, char place) {
  raw("c");
  raw(name);
  remember(place);
  raw("0");
}

/// numpy.dtype(code, False, True) with the state (3, order, None, None, None, -1, -1, flags).
void PickleStream::define_dtype(std::string_view code, std::string_view order, char flags, char place) {
  raw("cnumpy\ndtype\n");
  text(code);
  raw("\x89\x88\x87R(K\x03");  // NEWFALSE NEWTRUE TUPLE3 REDUCE MARK BININT1
  text(order);
  raw("NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK");
  number(flags);
  raw("tb");
  remember(place);
  raw("0");
}

/// numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), b'b'), and the first item of its state.
void PickleStream::begin_array() {
  recall(memo_reconstruct);
  recall(memo_ndarray);
  raw("K");
  number('\0');
  raw("\x85"
      "C\x01"
      "b\x87R(K\x01");
}

}  // namespace cinecortex::io
