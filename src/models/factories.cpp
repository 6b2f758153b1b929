#include "factories.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <map>

#include "batching.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::models {

std::unique_ptr<Extractor> make_model(const Options& options, const ModelConfig& config) {
  using Factory = std::unique_ptr<Extractor> (*)(const Options&, const ModelConfig&);
  static const std::map<std::string, Factory> factories{{"motion_energy", make_motion_energy},
                                                        {"audio_energy", make_audio_energy},
                                                        {"word_rate", make_word_rate},
                                                        {"torchscript", make_torchscript},
                                                        {"whisper", make_whisper},
                                                        {"llama", make_llama},
                                                        {"internvl", make_internvl},
                                                        {"slow_r50", make_slow_r50}};
  const auto found = factories.find(config.model);
  if (found == factories.end())
    throw Error("internal: the catalogue's model " + config.model + " has no factory");
  at::set_num_threads(parallel::openmp_threads());  // or the first operation sets OpenMP's to all cores
  try {
    return found->second(options, config);
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    throw InputError(fmt::format("model {}: memory of {} ran out while {} was loaded; {}", config.model,
                                 config.device, config.weights.string(), memory_advice));
  }
}

}  // namespace cinecortex::models
