#include "cinecortex/app/version.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "cinecortex/build_info.hpp"
#include "cinecortex/dataset/movie.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/models/runtime.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::app {
namespace {

std::string mpi_library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  parallel::check_mpi(MPI_Get_library_version(text, &length), "MPI_Get_library_version");
  const std::string whole(text, static_cast<std::size_t>(length));
  return whole.substr(0, whole.find_first_of(",\n"));
}

std::vector<std::pair<std::string, std::string>> libraries() {
  return {{"MPI", mpi_library()},
          {"HDF5", io::hdf5_version()},
          {"BLAS", linalg::blas_description()},
          {"torch", models::torch_version()},
          {"CUDA", models::cuda_description()},
          {"FFmpeg", dataset::ffmpeg_version()}};
}

}  // namespace

std::string version() {
  return build_info::version;
}

std::string commit() {
  return build_info::commit;
}

std::string version_report() {
  std::string text = fmt::format(
      "cinecortex {} (commit {}){}\n", version(), commit(),
      models::statistics_only() ? ", built for statistics only: no movies, no feature spaces" : "");
  for (const auto& [name, description] : libraries()) text += fmt::format("  {:<7} {}\n", name, description);
  return text;
}

std::string version_json() {
  nlohmann::json json{{"version", version()}, {"commit", commit()}};
  for (const auto& [name, description] : libraries()) json[name] = description;
  return json.dump();
}

}  // namespace cinecortex::app
