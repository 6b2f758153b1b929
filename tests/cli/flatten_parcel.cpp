// Replaces an fMRI file by one in which a parcel is constant, as a masked parcel is.
#include <cstdlib>
#include <filesystem>

#include "cinecortex/io/hdf5.hpp"

int main(int argc, char** argv) {
  using namespace cinecortex;
  const parallel::Environment environment(argc, argv);
  if (argc != 3) return EXIT_FAILURE;
  const std::filesystem::path file = argv[1];
  const Index parcel = std::atoi(argv[2]);
  const auto flat = file.parent_path() / "flat.h5";
  const auto world = parallel::Communicator::world();
  {
    const io::Hdf5Reader reader(file);
    io::Hdf5Writer writer(flat, world, {});
    for (const auto& scan : reader.children()) {
      MatrixF responses = reader.read<float>("/" + scan);
      responses.col(parcel).setOnes();
      writer.create("/" + scan, {responses.rows(), responses.cols()},
                    {.type = io::Stored::float32, .attributes = {{"description", std::string("responses")}}});
      writer.write<float>("/" + scan, responses, 0, 0);
    }
    writer.commit();
  }
  std::filesystem::rename(flat, file);
  return EXIT_SUCCESS;
}
