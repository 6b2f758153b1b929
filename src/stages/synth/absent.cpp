// In place of synth in a program without FFmpeg's libraries.
#include "cinecortex/core/error.hpp"
#include "cinecortex/stages/synth.hpp"

namespace cinecortex::stages {

Summary synth(const SynthConfig&, const parallel::Communicator&) {
  throw InputError(
      "cinecortex synth: this program is built for statistics only, without FFmpeg, and writes no movies; "
      "make "
      "the data set with a complete build");
}

}  // namespace cinecortex::stages
