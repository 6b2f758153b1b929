#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Runs the built program as a user would: from a shell, with or without mpirun.
namespace cinecortex::testing {

struct Result {
  int code = -1;    ///< exit code; 128 + signal if it was killed
  std::string out;  ///< standard output
  std::string err;  ///< standard error
};

using Arguments = std::vector<std::string>;

/// @param ranks    0: without mpirun
/// @param watcher  called every 10 ms with the process id of what was started, until it ends
Result run_program(const Arguments& arguments, int ranks = 0,
                   const std::function<void(int pid)>& watcher = {});

/// The same for any program, e.g. ffmpeg.
Result run_command(const Arguments& command, const std::function<void(int pid)>& watcher = {});

/// In a process that was forked for it: runs a program with its output in files, which may be the same.
[[noreturn]] void become(const Arguments& command, const std::filesystem::path& out,
                         const std::filesystem::path& err);

/// Exit code 2, and exactly one line of error that contains every word.
void expect_input_error(const Result& result, const std::vector<std::string>& words);

/// Process ids of the ranks that an mpirun started.
std::vector<int> rank_processes(int mpirun_pid);

/// The data set and the finished experiment that the tests share, made by the test `cli.data`.
std::filesystem::path shared_folder();
inline std::filesystem::path shared_data() {
  return shared_folder() / "data";
}
inline std::filesystem::path shared_output() {
  return shared_folder() / "out";
}

/// An experiment file in `folder` on that data set, writing to folder/out.
/// @param edit  changes the text, e.g. to make it wrong
std::filesystem::path write_experiment(const std::filesystem::path& folder,
                                       const std::function<void(std::string& text)>& edit = {});
void replace(std::string& text, const std::string& what, const std::string& by);

/// Largest |a - b| / max|a| over all numeric data sets of two HDF5 files; fails the test where their names or shapes
/// differ.
double largest_difference(const std::filesystem::path& a, const std::filesystem::path& b);

/// Whether a folder that may not exist yet holds such a file, written after `since`, anywhere below.
bool holds_file(const std::filesystem::path& folder, const std::string& extension,
                std::filesystem::file_time_type since = std::filesystem::file_time_type::min());

/// Every .h5 below a folder, relative and sorted.
std::vector<std::filesystem::path> hdf5_files(const std::filesystem::path& folder);

}  // namespace cinecortex::testing
