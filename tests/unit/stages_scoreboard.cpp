#include "../../src/stages/scoreboard.hpp"

#include <gtest/gtest.h>

namespace cinecortex::stages {
namespace {

Scoreboard make_board() {
  Scoreboard board;
  board.add(
      {"sub-01", "audio", "life", 2, 90, VectorD{{0.1, 0.3}}, VectorD{{0.2, 0.001}}, VectorD{{0.2, 0.002}}});
  board.add({"sub-01", ceiling_model, "life", 2, 0, VectorD{{0.5, 0.3}}, {}, {}});
  board.add({"sub-02", "audio", "life", 2, 90, VectorD{{0.2, 0.4}}, VectorD{{0.01, 0.001}},
             VectorD{{0.01, 0.002}}});
  return board;
}

TEST(Scoreboard, SharesOfTheCeilingAndOfSignificantTargets) {
  const auto board = make_board();
  const auto& scores = board.scores();
  EXPECT_NEAR(board.of_ceiling(scores[0]).value(), 0.5, 1e-15);
  EXPECT_FALSE(board.of_ceiling(scores[1]).has_value());  // the ceiling itself
  EXPECT_FALSE(board.of_ceiling(scores[2]).has_value());  // no ceiling for this subject
  EXPECT_EQ(scores[0].significant(), 1);
  EXPECT_EQ(scores[2].significant_share(), 1.0);
  EXPECT_FALSE(scores[1].significant().has_value());
}

TEST(Scoreboard, ACeilingOfZeroIsNoMeasure) {
  Scoreboard board;
  board.add({"sub-01", "audio", "life", 1, 9, VectorD{{0.1}}, {}, {}});
  board.add({"sub-01", ceiling_model, "life", 1, 0, VectorD{{0.0}}, {}, {}});
  EXPECT_FALSE(board.of_ceiling(board.scores()[0]).has_value());
}

TEST(Scoreboard, TheTablesShowThem) {
  const auto board = make_board();
  EXPECT_EQ(board.csv(),
            "subject,model,split,group,runs,n,mean_r,median_r,significant,of_ceiling\n"
            "sub-01,audio,test,life,2,90,0.200000,0.200000,1,0.500000\n"
            "sub-01,noise ceiling,test,life,2,0,0.400000,0.400000,,\n"
            "sub-02,audio,test,life,2,90,0.300000,0.300000,2,\n");
  EXPECT_EQ(board.table(),
            "life: mean Pearson r over 2 parcels, 2 runs\n"
            "                audio  noise ceiling\n"
            "  sub-01       0.2000         0.4000\n"
            "  sub-02       0.3000              -\n"
            "  mean         0.2500         0.4000\n"
            "  of ceiling      50%              -\n"
            "  q < 0.05        75%              -\n\n");
  Scoreboard plain;
  plain.add({"sub-01", "audio", "life", 1, 9, VectorD{{0.1}}, {}, {}});
  EXPECT_EQ(plain.table().find('%'), std::string::npos);
}

}  // namespace
}  // namespace cinecortex::stages
