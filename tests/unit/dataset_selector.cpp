// Names of runs, the layout's file names, selectors and splits, on a catalogue without files.
#include "cinecortex/dataset/selector.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "cinecortex/dataset/responses.hpp"
#include "dataset_support.hpp"

namespace cinecortex::dataset {
namespace {

using test::expect_contains;
using test::input_error;

Catalogue small_catalogue() {
  Catalogue catalogue;
  const auto add = [&](const std::string& task, Collection collection) {
    Run run;
    run.id = parse_task(task, collection).value();
    catalogue.runs.push_back(run);
  };
  for (const int season : {1, 2, 3, 5, 6, 7}) {
    for (const int episode : {1, 2, 14}) {
      for (const char half : {'a', 'b'})
        add(fmt::format("s{:02}e{:02}{}", season, episode, half), Collection::friends);
    }
  }
  for (int i = 1; i <= 12; ++i) add(fmt::format("figures{:02}", i), Collection::movie10);
  for (int i = 1; i <= 3; ++i) add(fmt::format("life{:02}", i), Collection::movie10);
  for (const std::string movie : {"chaplin", "wot"}) {
    for (const int part : {1, 2}) add(movie + std::to_string(part), Collection::ood);
  }
  return catalogue;
}

std::vector<std::string> chosen(const std::string& selector) {
  return select(small_catalogue(), selector, "split.base");
}

TEST(RunId, ReadsTaskNames) {
  const auto friends = parse_task("s05e20a", Collection::friends);
  ASSERT_TRUE(friends);
  EXPECT_EQ(friends->season, 5);
  EXPECT_EQ(friends->movie, "friends");
  EXPECT_EQ(friends->qualified(), "friends:s05e20a");
  EXPECT_EQ(friends->group(), "friends-s5");
  const auto movie = parse_task("bourne01", Collection::movie10);
  ASSERT_TRUE(movie);
  EXPECT_EQ(movie->movie, "bourne");
  EXPECT_EQ(movie->qualified(), "movie10:bourne01");
  EXPECT_EQ(movie->group(), "bourne");
  EXPECT_EQ(parse_task("chaplin2", Collection::ood)->qualified(), "ood:chaplin2");
  for (const char* wrong : {"", "bourne", "01", "s1e1a", "s01e01", "figures01_run-1", "bourne01x", "a b1"}) {
    EXPECT_FALSE(parse_task(wrong, Collection::movie10)) << wrong;
  }
  EXPECT_FALSE(parse_task("bourne01", Collection::friends));
}

TEST(Layout, NamesFilesAsTheChallengeDoes) {
  const auto episode = parse_task("s01e02a", Collection::friends).value();
  const auto bourne = parse_task("bourne01", Collection::movie10).value();
  const auto chaplin = parse_task("chaplin1", Collection::ood).value();
  EXPECT_EQ(layout::movie("r", episode), "r/stimuli/movies/friends/s1/friends_s01e02a.mkv");
  EXPECT_EQ(layout::movie("r", bourne), "r/stimuli/movies/movie10/bourne/bourne01.mkv");
  EXPECT_EQ(layout::movie("r", chaplin), "r/stimuli/movies/ood/chaplin/task-chaplin1_video.mkv");
  EXPECT_EQ(layout::transcript("r", episode), "r/stimuli/transcripts/friends/s1/friends_s01e02a.tsv");
  EXPECT_EQ(layout::transcript("r", bourne), "r/stimuli/transcripts/movie10/bourne/movie10_bourne01.tsv");
  EXPECT_EQ(layout::transcript("r", chaplin), "r/stimuli/transcripts/ood/chaplin/ood_chaplin1.tsv");
  EXPECT_EQ(
      layout::fmri_file("r", 3, Collection::friends, 1000),
      "r/fmri/sub-03/func/sub-03_task-friends_space-MNI152NLin2009cAsym_atlas-Schaefer18_parcel-1000Par7Net_"
      "desc-s123456_bold.h5");
  EXPECT_EQ(
      layout::fmri_file("r", 5, Collection::movie10, 1000),
      "r/fmri/sub-05/func/sub-05_task-movie10_space-MNI152NLin2009cAsym_atlas-Schaefer18_parcel-1000Par7Net_"
      "bold.h5");
  EXPECT_EQ(layout::sample_numbers("r", 1, "friends-s7"),
            "r/fmri/sub-01/target_sample_number/sub-01_friends-s7_fmri_samples.npy");
  EXPECT_TRUE(layout::atlas("r", 2, 1000).filename().string().ends_with("dseg_parcellation.nii.gz"));
}

TEST(Selector, EveryKindOfItem) {
  EXPECT_EQ(chosen("friends:1").size(), 6U);
  EXPECT_EQ(chosen("friends:1-3,6").size(), 24U);
  EXPECT_EQ(chosen("friends:*").size(), 36U);
  EXPECT_EQ(chosen("friends"), chosen("friends:*"));
  EXPECT_EQ(chosen("friends:s01e14b"), std::vector<std::string>{"s01e14b"});
  EXPECT_EQ(chosen("s01e14b"), std::vector<std::string>{"s01e14b"});
  EXPECT_EQ(chosen("movie10:figures").size(), 12U);
  EXPECT_EQ(chosen("figures"), chosen("movie10:figures"));
  EXPECT_EQ(chosen("figures02,life01"), (std::vector<std::string>{"figures02", "life01"}));
  EXPECT_EQ(chosen("ood:*"), (std::vector<std::string>{"chaplin1", "chaplin2", "wot1", "wot2"}));
  EXPECT_EQ(chosen("*").size(), small_catalogue().runs.size());
  EXPECT_EQ(chosen("").size(), 0U);
  EXPECT_EQ(chosen(" \t friends:7\n ood:wot ").size(), 8U);
}

TEST(Selector, KeepsTheCataloguesOrderAndNamesNoRunTwice) {
  EXPECT_EQ(chosen("wot1 s02e01a figures01 s01e01a friends:s01e01a figures01"),
            (std::vector<std::string>{"s01e01a", "s02e01a", "figures01", "wot1"}));
}

TEST(Selector, RandomWordsChooseTheUnionOfTheirItems) {
  const auto catalogue = small_catalogue();
  std::mt19937 random(1004);
  const auto pick = [&](auto count) {
    return static_cast<std::size_t>(random() % static_cast<std::size_t>(count));
  };
  const std::vector<Index> seasons{1, 2, 3, 5, 6, 7};
  for (int round = 0; round < 300; ++round) {
    std::string selector;
    std::set<std::string> expected;
    const auto expect_where = [&](auto wanted) {
      for (const dataset::Run& run : catalogue.runs) {
        if (wanted(run.id)) expected.insert(run.id.task);
      }
    };
    for (std::size_t word = 0, words = 1 + pick(3); word < words; ++word) {
      const dataset::Run& run = catalogue.runs[pick(catalogue.runs.size())];
      const std::string prefix = fmt::format("{}:", name(run.id.collection));
      selector += selector.empty() ? "" : (pick(2) == 0 ? " " : "  ");
      switch (pick(4)) {
        case 0: {
          const auto first = static_cast<Index>(1 + pick(3));
          const auto last = static_cast<Index>(first + static_cast<Index>(pick(4 - first)));
          const Index single = seasons[pick(seasons.size())];
          selector += fmt::format("friends:{}-{},{}", first, last, single);
          expect_where([&](const RunId& id) {
            return id.collection == Collection::friends &&
                   ((id.season >= first && id.season <= last) || id.season == single);
          });
          break;
        }
        case 1: {
          const dataset::Run& second = catalogue.runs[pick(catalogue.runs.size())];
          selector += run.id.task + "," + second.id.movie;
          expect_where(
              [&](const RunId& id) { return id.task == run.id.task || id.movie == second.id.movie; });
          break;
        }
        case 2:
          selector += prefix + run.id.movie;
          expect_where([&](const RunId& id) { return id.movie == run.id.movie; });
          break;
        default:
          selector += prefix + "*";
          expect_where([&](const RunId& id) { return id.collection == run.id.collection; });
      }
    }
    const auto tasks = select(catalogue, selector, "split.base");
    EXPECT_EQ(std::set<std::string>(tasks.begin(), tasks.end()), expected) << selector;
    EXPECT_EQ(tasks.size(), expected.size()) << selector;
  }
}

TEST(Selector, SaysWhatIsWrongAndWhatThereIs) {
  const auto message = [](const std::string& selector) { return input_error([&] { chosen(selector); }); };
  expect_contains(message("freinds:1"),
                  {"split.base", "freinds", "did you mean friends", "friends, movie10, ood"});
  expect_contains(message("movie10:figurs"),
                  {"movie10:figurs", "did you mean figures", "figures, life", "chaplin, wot"});
  expect_contains(message("movie10:chaplin"), {"did you mean ood:chaplin"});
  expect_contains(message("movie10"), {"did you mean movie10:*"});
  expect_contains(message("friends:1-4"), {"season 4", "seasons 1, 2, 3, 5, 6, 7"});
  expect_contains(message("friends:9"), {"season 9"});
  expect_contains(message("friends:3-1"), {"3-1", "lower season first"});
  expect_contains(message("1-2"), {"friends:1-2"});
  expect_contains(message("movie10:1"), {"friends:1"});
  expect_contains(message("friends:1, 2"), {"friends:1,", "no spaces"});
  expect_contains(message("friends:"), {"cannot be read"});
  expect_contains(message("friends:1--3"), {"matches no run"});
  expect_contains(message("s01e99a"), {"s01e99a", "did you mean s01e"});
  expect_contains(input_error([] { select({}, "*", "split.test"); }), {"split.test", "no runs at all"});
}

TEST(Split, DealsRolesAndRefusesLeaks) {
  const auto catalogue = small_catalogue();
  const auto split = make_split(catalogue, "friends:1-3 figures", "friends:5 life", "friends:7 ood:*", false);
  EXPECT_EQ(split.base.size(), 30U);
  EXPECT_EQ(split.stack.size(), 9U);
  EXPECT_EQ(split.test.size(), 10U);
  const auto message = [&](const char* base, const char* stack, const char* test) {
    return input_error([&] { make_split(catalogue, base, stack, test, false); });
  };
  expect_contains(message("friends:1", "s01e02a life", ""), {"s01e02a is in base and stack", "allow_leak"});
  expect_contains(message("friends:1", "friends:5", "friends:1"),
                  {"s01e01a", "and 1 more runs", "test and base"});
  expect_contains(message("friends:1", "life", "life01,life02"), {"life01, life02 are in test and stack"});
  expect_contains(message("friends:1", "friends:2", "oood:*"), {"split.test"});
  EXPECT_EQ(make_split(catalogue, "friends:1", "friends:1", "friends:1", true).test.size(), 6U);
}

TEST(Catalogue, RoundTripsThroughJson) {
  Catalogue catalogue = small_catalogue();
  catalogue.root = "/data/r\u00e4um lich";
  catalogue.subjects = {1, 5};
  catalogue.targets = {{1, 1000}, {5, 1000}};
  catalogue.atlas = {{5, "/a.nii.gz"}};
  catalogue.runs[2].movie = "m.mkv";
  catalogue.runs[2].transcript = "t.tsv";
  catalogue.runs[2].fmri[5] = {{"f.h5", "ses-001_task-x", 482, 1000}, {"g.h5", "ses-002_task-x", 480, 1000}};
  catalogue.runs[3].target_samples = {{1, 460}, {5, 470}};
  const auto again = Catalogue::from_json(catalogue.to_json());
  EXPECT_EQ(again.to_json(), catalogue.to_json());
  EXPECT_EQ(again.root, catalogue.root);
  EXPECT_EQ(again.runs[2].fmri.at(5)[1].dataset, "ses-002_task-x");
  EXPECT_EQ(again.runs[2].rows(5), 482);
  EXPECT_EQ(again.runs[2].rows(1), 0);
  EXPECT_EQ(again.runs[3].rows(1), 460);
  EXPECT_EQ(again.find("wot2")->id, catalogue.runs.back().id);
  EXPECT_EQ(again.find("wot3"), nullptr);
}

TEST(Responses, RepeatsHaveTwoNames) {
  EXPECT_EQ(parse_repeats("average"), Repeats::average);
  EXPECT_EQ(parse_repeats("keep"), Repeats::keep);
  expect_contains(input_error([] { parse_repeats("mean"); }), {"mean", "average, keep"});
}

}  // namespace
}  // namespace cinecortex::dataset
