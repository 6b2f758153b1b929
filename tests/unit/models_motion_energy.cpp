#include "cinecortex/models/motion_energy.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>

#include "models_testing.hpp"

namespace cinecortex::models {
namespace {

using testing::expect_message;
using testing::MadeUpRun;

template <class T>
std::vector<T> read_binary(const std::string& name) {
  const auto file = testing::parity_folder() / name;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(file.string() + " is missing");
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

struct Case {
  std::string name;
  MotionEnergySettings settings;
  Index frames = 0, filters = 0;
  bool log = false;
  std::vector<double> kept;
};

std::vector<double> read_list(std::istream& in) {
  std::size_t count = 0;
  in >> count;
  std::vector<double> values(count);
  for (auto& value : values) in >> value;
  return values;
}

std::vector<Case> read_cases() {
  std::ifstream in(testing::parity_folder() / "cases.txt");
  std::string comment;
  std::getline(in, comment);
  std::vector<Case> cases;
  for (Case c; in >> c.name;) {
    Index kept = 0;
    auto& s = c.settings;
    in >> s.height >> s.width >> s.fps >> c.frames >> kept >> c.log >> s.sf_gauss_ratio >>
        s.max_spatial_env >> s.filter_spacing >> s.tf_gauss_ratio >> s.max_temp_env >> s.include_edges >>
        s.filter_width >> c.filters;
    c.kept = read_list(in);
    s.temporal_frequencies_hz = read_list(in);
    s.spatial_frequencies = read_list(in);
    s.directions = read_list(in);
    cases.push_back(c);
  }
  return cases;
}

MatrixD luminance_of(const Case& c) {
  const auto bytes = read_binary<std::uint8_t>(c.name + ".frames.bin");
  const Index pixels = c.settings.height * c.settings.width;
  using Bytes = Matrix<std::uint8_t>;
  return Eigen::Map<const Bytes>(bytes.data(), c.frames, pixels).cast<double>() * (100.0 / 255.0);
}

MatrixD all_energies(const MotionEnergyPyramid& pyramid, const MatrixD& luminance) {
  MatrixD responses(luminance.rows(), pyramid.channels());
  pyramid.spatial_responses(luminance, responses);
  MatrixD energies(luminance.rows(), pyramid.filters().size());
  pyramid.energies(responses, {0, luminance.rows()}, energies);
  return energies;
}

TEST(MotionEnergyPyramid, EqualsPymoten) {
  const auto cases = read_cases();
  ASSERT_EQ(cases.size(), 5u);
  for (const auto& c : cases) {
    const MotionEnergyPyramid pyramid(c.settings);
    ASSERT_EQ(static_cast<Index>(pyramid.filters().size()), c.filters) << c.name;
    MatrixD energies = all_energies(pyramid, luminance_of(c));
    if (c.log) energies = (energies.array() + 1e-5).log().matrix();
    const auto values = read_binary<float>(c.name + ".energy.bin");
    ASSERT_EQ(values.size(), c.kept.size() * static_cast<std::size_t>(c.filters)) << c.name;
    const Eigen::Map<const MatrixF> expected(values.data(), static_cast<Index>(c.kept.size()), c.filters);
    double largest = 0;
    for (std::size_t i = 0; i < c.kept.size(); ++i) {
      const auto difference =
          energies.row(static_cast<Index>(c.kept[i])) - expected.row(static_cast<Index>(i)).cast<double>();
      largest = std::max(largest, difference.cwiseAbs().maxCoeff());
    }
    largest /= expected.cwiseAbs().maxCoeff();
    std::printf("%-10s %5td filters, largest difference %.2g of the largest value\n", c.name.c_str(),
                c.filters, largest);
    EXPECT_LE(largest, 1e-6) << c.name << ": largest difference relative to the largest value";
  }
}

TEST(MotionEnergyPyramid, BlocksOfFramesGiveTheSame) {
  const auto c = read_cases().at(0);
  const MotionEnergyPyramid pyramid(c.settings);
  const MatrixD luminance = luminance_of(c);
  const MatrixD whole = all_energies(pyramid, luminance);
  EXPECT_EQ(pyramid.frames_before() + pyramid.frames_after() + 1, 10);

  const Index begin = 9, end = 13, from = begin - pyramid.frames_before(), to = end + pyramid.frames_after();
  MatrixD responses(to - from, pyramid.channels());
  for (Index frame = from; frame < to; frame += 3) {
    const Index count = std::min<Index>(3, to - frame);
    pyramid.spatial_responses(luminance.middleRows(frame, count), responses.middleRows(frame - from, count));
  }
  MatrixD energies(end - begin, whole.cols());
  pyramid.energies(responses, {begin - from, end - from}, energies);
  EXPECT_LE((energies - whole.middleRows(begin, end - begin)).cwiseAbs().maxCoeff(),
            1e-10 * whole.maxCoeff());
}

TEST(LabLightness, EqualsPymoten) {
  struct Record {
    std::uint8_t rgb[4];
    float lightness;
  };
  const LabLightness lightness;
  for (const auto& record : read_binary<Record>("luminance.bin")) {
    double value = 0;
    lightness({record.rgb, 3}, {&value, 1});
    EXPECT_NEAR(value, record.lightness, 1e-5) << int(record.rgb[0]) << ' ' << int(record.rgb[1]);
  }
}

ModelConfig small_model() {
  ModelConfig config;
  config.model = "motion_energy";
  config.options = {{"height", std::int64_t{12}},
                    {"width", std::int64_t{17}},
                    {"fps", std::int64_t{8}},
                    {"spatial_frequencies", std::vector<double>{0, 2, 4}}};
  return config;
}

TEST(MotionEnergy, RowsAreMeansOfTheFramesOfATr) {
  // 8 frames a second of a movie of 8 Hz: sample k is frame k. The sixth TR of 0.95 s is filled for 0.75 s.
  MadeUpRun run(0.95, 5.5, 8);
  auto config = small_model();
  config.tr_s = 0.95;
  const Index frames = 44;
  for (const std::string compress : {"log", "none"}) {
    config.options["compress"] = compress;
    const auto extractor = make_extractor(config);
    ASSERT_EQ(extractor->rows(run.info()), 6);
    const MatrixF rows = run.extract(*extractor, {0, 6}, 6);

    FrameRequest request;
    request.height = 12;
    request.width = 17;
    for (Index k = 0; k < frames; ++k) request.times_s.push_back(static_cast<double>(k) / 8 + 0.01);
    const auto stack = run.frames(request);
    MatrixD luminance(frames, 12 * 17);
    LabLightness()(stack.pixels, {luminance.data(), static_cast<std::size_t>(luminance.size())});
    MotionEnergySettings settings;
    settings.height = 12;
    settings.width = 17;
    settings.fps = 8;
    settings.spatial_frequencies = {0, 2, 4};
    MatrixD energies = all_energies(MotionEnergyPyramid(settings), luminance);
    if (compress == "log") energies = (energies.array() + 1e-5).log().matrix();

    Index counted = 0;
    for (Index row = 0; row < 6; ++row) {
      Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(energies.cols());
      Index count = 0;
      for (Index k = 0; k < frames; ++k) {
        const double middle_s = (static_cast<double>(k) + 0.5) / 8;
        if (middle_s < 0.95 * static_cast<double>(row) || middle_s >= 0.95 * static_cast<double>(row + 1))
          continue;
        sum += energies.row(k);
        ++count;
      }
      counted += count;
      const double worst = (rows.row(row).cast<double>() - sum / double(count)).cwiseAbs().maxCoeff();
      EXPECT_LE(worst, 1e-6 * energies.cwiseAbs().maxCoeff()) << "row " << row;
    }
    EXPECT_EQ(counted, frames);
  }
}

TEST(MotionEnergy, ChunksDoNotMatter) {
  for (const double video_s : {14.9, 14.2, 15.5}) {
    MadeUpRun run(1.49, video_s, 29.97);
    const auto extractor = make_extractor(small_model());
    ASSERT_EQ(extractor->rows(run.info()), 10);
    testing::expect_chunks_do_not_matter(run, *extractor, 10);
  }
}

TEST(MotionEnergy, ShortestRuns) {
  for (const double video_s : {0.8, 1.49, 2.2}) {
    MadeUpRun run(1.49, video_s, 25);
    const auto extractor = make_extractor(small_model());
    ASSERT_EQ(extractor->rows(run.info()), 1);
    EXPECT_TRUE(run.extract(*extractor, {0, 1}, 1).allFinite());
  }
}

TEST(MotionEnergy, NamesItsColumns) {
  const auto extractor = make_extractor(small_model());
  const auto& reading = extractor->readings().at(0);
  ASSERT_EQ(static_cast<Index>(reading.columns.size()), reading.width);
  EXPECT_EQ(reading.columns[0], "x0.708 y0.500 sf2 dir0 tf0");
  EXPECT_EQ(reading.columns[1], "x0.708 y0.500 sf0 dir0 tf0");
}

TEST(MotionEnergy, RefusesWhatCannotBe) {
  const auto with = [](const std::string& name, const Option& value) {
    return [=] {
      auto config = small_model();
      config.options[name] = value;
      make_extractor(config);
    };
  };
  expect_message(with("spatial_frequencies", std::vector<double>{0, 16}),
                 {"spatial_frequencies", "at most 6 cycles"});
  expect_message(with("spatial_frequencies", std::vector<double>{0}), {"at least one above 0"});
  expect_message(with("temporal_frequencies_hz", std::vector<double>{5}),
                 {"temporal_frequencies_hz", "at most 4 Hz"});
  expect_message(with("directions", std::vector<double>{}), {"directions", "at least one"});
  expect_message(with("directions", std::vector<double>{360}), {"360", "0 to 359.999"});
  expect_message(with("compress", std::string("lgo")), {"compress", "did you mean \"log\"", "log, none"});
  expect_message(
      [] {
        auto config = small_model();
        config.tr_s = 0.2;
        make_extractor(config);
      },
      {"fps = 8", "10 or more"});

  MadeUpRun run(1.49, 14.9);
  const auto extractor = make_extractor(small_model());
  std::vector<MatrixF> outputs{MatrixF(1, extractor->readings()[0].width)};
  const Stimulus blind{.info = run.info(), .frames = nullptr, .audio = {}, .transcript = {}};
  expect_message([&] { extractor->extract(blind, {0, 1}, outputs); }, {"s01e01a", "frames"});
}

}  // namespace
}  // namespace cinecortex::models
