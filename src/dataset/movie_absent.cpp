// In place of movies in a program without FFmpeg's libraries.
#include <fmt/format.h>

#include "cinecortex/core/error.hpp"
#include "cinecortex/dataset/movie.hpp"

namespace cinecortex::dataset {

struct Movie::Impl {
  MovieInfo info;
};

Movie::Movie(const std::filesystem::path& file, int) {
  throw InputError(fmt::format(
      "{}: this program is built for statistics only, without FFmpeg, and reads no movies", file.string()));
}
Movie::~Movie() = default;

// Nothing below is ever called: there is no Movie.
const MovieInfo& Movie::info() const noexcept {
  return impl_->info;
}
std::vector<FrameStack> Movie::frames(std::span<const FrameRequest>) {
  return {};
}
AudioTrack Movie::audio(double) {
  return {};
}
Index Movie::broken_packets() const noexcept {
  return 0;
}

std::string ffmpeg_version() {
  return "not in this build";
}

}  // namespace cinecortex::dataset
