#include "outputs.hpp"

#include <fmt/format.h>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::stages {

Outputs::path Outputs::chunk(const std::string& space, const std::string& run, const std::string& digest,
                             Index begin) const {
  return features_folder(space) / "chunks" / fmt::format("{}.{}.{:06}.npy", run, digest.substr(0, 12), begin);
}

Outputs::path Outputs::sweep_part(Index part, Index parts) const {
  return root_ / "sweep" / "parts" / fmt::format("part-{}-of-{}.h5", part, parts);
}

Outputs::path Outputs::sweep_share(Index part, Index parts, Index share) const {
  return root_ / "sweep" / "parts" / fmt::format("part-{}-of-{}-share-{}.h5", part, parts, share);
}

std::string stored_digest(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return "";
  const auto attribute = io::Hdf5Reader(file).attribute("/", digest_attribute);
  const auto* text = attribute ? std::get_if<std::string>(&*attribute) : nullptr;
  return text ? *text : "";
}

bool is_current(const std::filesystem::path& file, const std::string& digest,
                const parallel::Communicator& comm) {
  const bool current = parallel::agree(comm, [&] { return comm.root() && stored_digest(file) == digest; });
  return comm.max(std::int64_t{current}) == 1;
}

}  // namespace cinecortex::stages
