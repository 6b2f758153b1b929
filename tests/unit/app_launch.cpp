#include "cinecortex/app/launch.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace cinecortex::app {
namespace {

/// Whether waiting ranks would give their core away, in an environment of these variables.
class Waiting : public ::testing::Test {
 protected:
  Waiting() {
    for (const char* name : {"OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_STEP_TASKS_PER_NODE", "SLURM_CPUS_ON_NODE",
                             "OMPI_MCA_mpi_yield_when_idle"}) {
      unsetenv(name);
    }
  }
  static void set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }
  static std::string yields() {
    prepare_environment();
    const char* const value = std::getenv("OMPI_MCA_mpi_yield_when_idle");
    return value ? value : "";
  }
  const long cores_ = sysconf(_SC_NPROCESSORS_ONLN);
};

TEST_F(Waiting, AloneSpins) {
  EXPECT_EQ(yields(), "");
}

TEST_F(Waiting, ManyRanksOfMpirunYield) {
  set("OMPI_COMM_WORLD_LOCAL_SIZE", std::to_string(cores_));
  EXPECT_EQ(yields(), "");
  set("OMPI_COMM_WORLD_LOCAL_SIZE", std::to_string(cores_ + 1));
  EXPECT_EQ(yields(), "1");
}

TEST_F(Waiting, ManyTasksOfSrunYield) {
  set("SLURM_STEP_TASKS_PER_NODE", std::to_string(cores_));
  EXPECT_EQ(yields(), "");
  set("SLURM_STEP_TASKS_PER_NODE", "1(x2)," + std::to_string(cores_ + 1) + "(x3)");
  EXPECT_EQ(yields(), "1");
}

TEST_F(Waiting, WhatSlurmGrantedCounts) {
  if (cores_ < 2) GTEST_SKIP() << "one processor";
  set("SLURM_STEP_TASKS_PER_NODE", "2");
  set("SLURM_CPUS_ON_NODE", "1");
  EXPECT_EQ(yields(), "1");
}

TEST_F(Waiting, WhatTheUserSaysStays) {
  set("OMPI_COMM_WORLD_LOCAL_SIZE", std::to_string(cores_ + 1));
  set("OMPI_MCA_mpi_yield_when_idle", "0");
  EXPECT_EQ(yields(), "0");
}

}  // namespace
}  // namespace cinecortex::app
