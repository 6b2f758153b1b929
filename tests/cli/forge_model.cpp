// Writes a file that says it is a model of some kind and format version, as another version of the program might.
#include <cstdint>
#include <cstdlib>

#include "cinecortex/io/hdf5.hpp"

int main(int argc, char** argv) {
  using namespace cinecortex;
  const parallel::Environment environment(argc, argv);
  if (argc != 4) return EXIT_FAILURE;
  const auto world = parallel::Communicator::world();
  io::Hdf5Writer writer(
      argv[1], world, {{"kind", std::string(argv[2])}, {"format_version", std::int64_t{std::atoi(argv[3])}}});
  writer.commit();
  return EXIT_SUCCESS;
}
