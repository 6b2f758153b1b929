#include "cinecortex/io/pickle.hpp"
#include "pickle_stream.hpp"

namespace cinecortex::io {

void write_pickled_counts(const std::filesystem::path& file,
                          const std::vector<std::pair<std::string, Index>>& counts) {
  PickleStream stream(file);
  for (const auto& [name, count] : counts) {
    stream.text(name);
    stream.integer(count);
    stream.set_item();
  }
  stream.finish();
}

}  // namespace cinecortex::io
