// Token ids and decoded text of strings on standard input: the counterpart of compare_tokenizer.py, which starts it.
//   tokenize TOKENIZER.JSON
// In: each string as uint32 length and bytes. Out: int32 count, ids without special tokens around them, uint32 length
// and bytes of what they decode to. Seconds spent in encode() go to standard error at the end.
#include <cstdio>

#include "cinecortex/core/clock.hpp"
#include "tokenizer.hpp"

namespace {

template <class T>
bool read(T* values, std::size_t count) {
  return std::fread(values, sizeof(T), count, stdin) == count;
}

template <class T>
void write(const T* values, std::size_t count) {
  std::fwrite(values, sizeof(T), count, stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const cinecortex::models::Tokenizer tokenizer(argv[1]);
  double seconds = 0;
  std::uint32_t length = 0;
  while (read(&length, 1)) {
    std::string text(length, '\0');
    if (!read(text.data(), length)) return 1;
    const cinecortex::Stopwatch clock;
    const auto ids = tokenizer.encode(text, false);
    seconds += clock.seconds();
    const auto count = static_cast<std::int32_t>(ids.size());
    write(&count, 1);
    for (const auto id : ids) {
      const auto narrow = static_cast<std::int32_t>(id);
      write(&narrow, 1);
    }
    const std::string decoded = tokenizer.decode(ids, false);
    length = static_cast<std::uint32_t>(decoded.size());
    write(&length, 1);
    write(decoded.data(), decoded.size());
  }
  std::fprintf(stderr, "%.6f\n", seconds);
}
