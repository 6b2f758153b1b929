#include "cinecortex/io/nifti.hpp"

#include "io_support.hpp"

namespace cinecortex::io {
namespace {

class Nifti : public test::Folder {
 protected:
  static Volume volume() {
    Volume v;
    v.shape = {4, 3, 2};
    v.affine = {-2, 0, 0, 90, 0, 2, 0, -126, 0, 0, 2, -72, 0, 0, 0, 1};
    for (int i = 0; i < 24; ++i) v.values.push_back(static_cast<float>(i));
    return v;
  }
};

TEST_F(Nifti, LabelsThatNibabelWrote) {
  const Volume v = read_nifti(test::fixture("labels.nii.gz"));
  EXPECT_EQ(v.shape, (std::array<Index, 3>{2, 3, 4}));
  EXPECT_EQ(v.affine, volume().affine);
  // NumPy's [x, y, z] = 40·(12x + 4y + z) has z fastest; the file, and Volume, has x fastest.
  for (Index z = 0; z < 4; ++z) {
    for (Index y = 0; y < 3; ++y) {
      for (Index x = 0; x < 2; ++x) {
        EXPECT_EQ(v.values[static_cast<std::size_t>(x + 2 * (y + 3 * z))],
                  static_cast<float>(40 * (12 * x + 4 * y + z)));
      }
    }
  }
}

TEST_F(Nifti, WrittenVolumesAreReadBack) {
  for (const char* name : {"a.nii", "new/b.nii.gz"}) {
    for (const bool labels : {true, false}) {
      Volume v = volume();
      if (!labels) v.values[3] = 0.25f;
      if (labels) v.values[5] = 70000;  // beyond 16 bits
      write_nifti(file(name), v, labels);
      const Volume back = read_nifti(file(name));
      EXPECT_EQ(back.shape, v.shape);
      EXPECT_EQ(back.affine, v.affine);
      EXPECT_EQ(back.values, v.values);
    }
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
    files += entry.is_regular_file();
  EXPECT_EQ(files, 2u);
}

TEST_F(Nifti, WhatIsWrongIsNamed) {
  EXPECT_INPUT_ERROR(read_nifti(file("missing.nii.gz")), "no such file");
  EXPECT_INPUT_ERROR(read_nifti(write("a.txt", "x")), "not named .nii");
  EXPECT_INPUT_ERROR(read_nifti(write("b.nii", "not a volume")), "is not a NIfTI file");
  EXPECT_INPUT_ERROR(read_nifti(write("e.nii.gz", "")), "e.nii.gz");
  write_nifti(file("c.nii"), volume(), true);
  const std::string whole = test::read_all(file("c.nii"));
  EXPECT_INPUT_ERROR(read_nifti(write("cut.nii", whole.substr(0, whole.size() - 10))), "truncated");
  const std::string packed = test::read_all(test::fixture("labels.nii.gz"));
  EXPECT_INPUT_ERROR(read_nifti(write("cut.nii.gz", packed.substr(0, packed.size() / 2))), "cut.nii.gz");
  EXPECT_INPUT_ERROR(write_nifti(file("x.img"), volume(), true), "ends in .nii or .nii.gz");
  EXPECT_INPUT_ERROR(write_nifti(write("plain", "") / "x.nii", volume(), true), "plain");
  Volume fraction = volume();
  fraction.values[0] = 0.5f;
  EXPECT_THROW(write_nifti(file("x.nii"), fraction, true), Error);
  fraction.values.pop_back();
  EXPECT_THROW(write_nifti(file("x.nii"), fraction, false), Error);
}

TEST_F(Nifti, BrokenFilesNeverCrash) {
  write_nifti(file("c.nii"), volume(), true);
  const std::string whole = test::read_all(file("c.nii"));
  EXPECT_GT(test::fuzz(whole, 500, [&](const std::string& bytes) { read_nifti(write("fuzz.nii", bytes)); }),
            100);
}

}  // namespace
}  // namespace cinecortex::io
