#include "program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "cinecortex/io/hdf5.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  if (!value) throw std::runtime_error(std::string(name) + " is not set: run this test through ctest");
  return value;
}

std::string read_text(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

void list_datasets(const io::Hdf5Reader& reader, const std::string& group, std::vector<std::string>& found) {
  for (const auto& child : reader.children(group)) {
    const std::string path = (group == "/" ? "" : group) + "/" + child;
    if (reader.is_group(path)) {
      list_datasets(reader, path, found);
    } else if (reader.info(path).type != io::Stored::other) {
      found.push_back(path);
    }
  }
}

}  // namespace

void become(const Arguments& command, const fs::path& out, const fs::path& err) {
  const int out_file = open(out.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  const int err_file = open(err.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out_file, STDOUT_FILENO);
  dup2(err_file, STDERR_FILENO);
  std::vector<char*> argv;
  for (const auto& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

Result run_command(const Arguments& command, const std::function<void(int)>& watcher) {
  const TempFolder folder;
  const auto out = (folder / "out").string(), err = (folder / "err").string();
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    become(command, out, err);
  }
  int status = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(240);
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (watcher) watcher(pid);
    if (std::chrono::steady_clock::now() > deadline) {
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      ADD_FAILURE() << "hangs: " << command[0] << ' ' << (command.size() > 1 ? command[1] : "");
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(out), read_text(err)};
}

Result run_program(const Arguments& arguments, int ranks, const std::function<void(int)>& watcher) {
  Arguments command;
  if (ranks > 0) command = {environment("CINECORTEX_MPIEXEC"), "-n", std::to_string(ranks)};
  command.push_back(environment("CINECORTEX_PROGRAM"));
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_command(command, watcher);
}

std::vector<int> rank_processes(int mpirun_pid) {
  std::ifstream children("/proc/" + std::to_string(mpirun_pid) + "/task/" + std::to_string(mpirun_pid) +
                         "/children");
  std::vector<int> found;
  for (int pid = 0; children >> pid;) found.push_back(pid);
  return found;
}

void expect_input_error(const Result& result, const std::vector<std::string>& words) {
  EXPECT_EQ(result.code, 2) << result.err;
  std::size_t errors = 0;
  std::string message;
  for (std::size_t at = 0; (at = result.err.find("error:", at)) != std::string::npos; ++at) {
    ++errors;
    message = result.err.substr(at, result.err.find('\n', at) - at);
  }
  EXPECT_EQ(errors, 1u) << result.err;
  for (const auto& word : words)
    EXPECT_NE(message.find(word), std::string::npos) << word << " is not in: " << message;
  EXPECT_EQ(result.err.find("terminate called"), std::string::npos) << result.err;
}

fs::path shared_folder() {
  return environment("CINECORTEX_SHARED_DATA");
}

void replace(std::string& text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error("the experiment has no " + what);
  text.replace(at, what.size(), by);
}

fs::path write_experiment(const fs::path& folder, const std::function<void(std::string&)>& edit) {
  std::string text = read_text(fs::path(environment("CINECORTEX_TEST_DATA")) / "cli" / "experiment.toml");
  replace(text, "DATA", shared_data().string());
  replace(text, "OUTPUT", (folder / "out").string());
  if (edit) edit(text);
  const auto file = folder / "experiment.toml";
  std::ofstream(file) << text;
  return file;
}

bool holds_file(const fs::path& folder, const std::string& extension, fs::file_time_type since) {
  std::error_code ignored;
  for (fs::recursive_directory_iterator it(folder, ignored), end; it != end; it.increment(ignored)) {
    if (it->path().extension() == extension && fs::last_write_time(it->path(), ignored) > since) return true;
  }
  return false;
}

std::vector<fs::path> hdf5_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".h5") files.push_back(entry.path().lexically_relative(folder));
  }
  std::sort(files.begin(), files.end());
  return files;
}

double largest_difference(const fs::path& a, const fs::path& b) {
  const io::Hdf5Reader first(a), second(b);
  std::vector<std::string> names, other_names;
  list_datasets(first, "/", names);
  list_datasets(second, "/", other_names);
  EXPECT_EQ(names, other_names) << a << " and " << b;
  double largest = 0;
  for (const auto& name : names) {
    const MatrixD x = first.read<double>(name), y = second.read<double>(name);
    if (x.rows() != y.rows() || x.cols() != y.cols()) {
      ADD_FAILURE() << name << " differs in shape: " << a << " and " << b;
      continue;
    }
    if (x.size() == 0) continue;
    const double scale = std::max(x.cwiseAbs().maxCoeff(), 1e-300);
    largest = std::max(largest, (x - y).cwiseAbs().maxCoeff() / scale);
  }
  return largest;
}

}  // namespace cinecortex::testing
