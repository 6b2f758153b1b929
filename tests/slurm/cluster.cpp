#include "cluster.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* programs[] = {"munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol"};

bool on_path(const std::string& program) {
  std::istringstream folders(std::getenv("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((fs::path(folder) / program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

void wait_a_little() {
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

/// Waits for a condition.   @return whether it came true in time
template <class Fn>
bool eventually(double patience_s, Fn&& condition) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(patience_s);
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    wait_a_little();
  }
  return true;
}

/// Ports that nothing listens on; all are held until each is found, so that they differ.
std::vector<int> free_ports(int count) {
  std::vector<int> sockets, ports;
  for (int i = 0; i < count; ++i) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    sockets.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(sockets.back(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(sockets.back(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no free port on 127.0.0.1");
    }
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int socket : sockets) close(socket);
  return ports;
}

/// As slurmd sees it: without the domain.
std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  const std::string whole = name;
  return whole.substr(0, whole.find('.'));
}

std::string user_name() {
  const passwd* const user = getpwuid(geteuid());
  return user ? user->pw_name : "";
}

std::string end_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  constexpr std::size_t enough = 1500;
  const std::string all = text.str();
  return all.substr(all.size() > enough ? all.size() - enough : 0);
}

/// The value of KEY=value in a line of `scontrol --oneliner`.
std::string field(const std::string& line, const std::string& key) {
  const auto at = line.find(" " + key + "=");
  if (at == std::string::npos) return "";
  const auto begin = at + key.size() + 2;
  return line.substr(begin, line.find(' ', begin) - begin);
}

bool is_final(const std::string& state) {
  return state != "PENDING" && state != "RUNNING" && state != "COMPLETING" && state != "REQUEUED" &&
         state != "CONFIGURING" && state != "SUSPENDED";
}

}  // namespace

std::string Cluster::missing() {
  // Daemons are in folders that only root has on its path.
  setenv("PATH", (std::string(std::getenv("PATH")) + ":/usr/sbin:/sbin").c_str(), 1);
  std::string absent;
  for (const char* program : programs) {
    if (!on_path(program)) absent += std::string(absent.empty() ? "" : ", ") + program;
  }
  if (!absent.empty()) return "not installed: " + absent;
  return user_name().empty() ? "the user of this process has no name" : "";
}

Cluster::Cluster() {
  write_configuration();
  setenv("SLURM_CONF", (folder() / "slurm.conf").c_str(), 1);
  const auto file = [&](const char* name) { return (folder() / name).string(); };
  try {
    start({"munged", "--foreground", "--force", "--key-file=" + file("munge.key"),
           "--socket=" + file("munge.socket"), "--pid-file=" + file("munge.pid"),
           "--log-file=" + file("munge.log"), "--seed-file=" + file("munge.seed")},
          "munged");
    if (!eventually(20, [&] { return fs::exists(folder() / "munge.socket"); }))
      throw std::runtime_error("munged does not start");
    start({"slurmctld", "-D", "-f", file("slurm.conf")}, "slurmctld");
    start({"slurmd", "-D", "-f", file("slurm.conf")}, "slurmd");
    const auto node_is_there = [] {
      return run_command({"sinfo", "--noheader", "--format=%t", "--partition=cpu"}).out.starts_with("idle");
    };
    if (!eventually(60, node_is_there)) throw std::runtime_error("the node does not report");
  } catch (const std::exception& e) {
    const std::string words = logs();
    stop();
    throw std::runtime_error(std::string(e.what()) + "\n" + words);
  }
}

Cluster::~Cluster() {
  run_command({"scancel", "--user", user_name()});
  eventually(30, [] { return run_command({"squeue", "--noheader"}).out.empty(); });
  stop();
}

void Cluster::stop() {
  for (auto daemon = daemons_.rbegin(); daemon != daemons_.rend(); ++daemon) {
    kill(*daemon, SIGTERM);
    if (!eventually(10, [&] { return waitpid(*daemon, nullptr, WNOHANG) == *daemon; })) {
      kill(*daemon, SIGKILL);
      waitpid(*daemon, nullptr, 0);
    }
  }
  daemons_.clear();
  // Steps outlive slurmd by design.
  if (!eventually(10, [&] { return processes(folder()).empty(); })) {
    for (const int pid : processes(folder())) kill(pid, SIGKILL);
  }
}

void Cluster::write_configuration() const {
  const auto ports = free_ports(2);
  const std::string host = host_name(), user = user_name(), home = folder().string();
  for (const char* name : {"state", "spool"}) fs::create_directory(folder() / name);
  std::ofstream(folder() / "slurm.conf")
      << "ClusterName=test\n"
      << fmt::format("SlurmctldHost={}(127.0.0.1)\nSlurmctldPort={}\nSlurmdPort={}\n", host, ports[0],
                     ports[1])
      << fmt::format("SlurmUser={}\nSlurmdUser={}\n", user, user)
      // A job that is queued again waits for as long as credentials are valid: two minutes, by default.
      << fmt::format(
             "AuthType=auth/munge\nCredType=cred/munge\nAuthInfo=socket={}/munge.socket,cred_expire=5\n",
             home)
      << fmt::format("StateSaveLocation={0}/state\nSlurmdSpoolDir={0}/spool\n", home)
      << fmt::format("SlurmctldPidFile={0}/slurmctld.pid\nSlurmdPidFile={0}/slurmd.pid\n", home)
      << fmt::format("SlurmctldLogFile={0}/slurmctld.log\nSlurmdLogFile={0}/slurmd.log\n", home)
      << "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\nGresTypes=gpu\n"
         "SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nSlurmdParameters=config_overrides\n"
         "SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2\n"
         "ReturnToService=2\nJobRequeue=1\nKillWait=5\nMinJobAge=3600\n"
      << fmt::format("NodeName={} NodeAddr=127.0.0.1 CPUs=4 Gres=gpu:2\n", host)
      << "PartitionName=cpu Nodes=ALL Default=YES\nPartitionName=gpu Nodes=ALL\n";
  std::ofstream(folder() / "gres.conf") << "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n";

  std::random_device random;
  const auto key = folder() / "munge.key";
  std::ofstream file(key, std::ios::binary);
  for (int i = 0; i < 1024; ++i) file.put(static_cast<char>(random()));
  file.close();
  fs::permissions(key, fs::perms::owner_read);
}

void Cluster::start(const std::vector<std::string>& command, const std::string& name) {
  const auto output = (folder() / (name + ".out")).string();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // also when this process is killed
    if (getppid() != parent) _exit(0);
    become(command, output, output);
  }
  daemons_.push_back(pid);
}

std::vector<int> Cluster::processes(const fs::path& folder) {
  const std::string mark = "SLURM_CONF=" + (folder / "slurm.conf").string();
  std::vector<int> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || pid == getpid()) continue;
    std::ostringstream environment;
    environment << std::ifstream(entry.path() / "environ", std::ios::binary).rdbuf();
    if (environment.str().find(mark) != std::string::npos) found.push_back(pid);
  }
  return found;
}

std::string Cluster::logs() const {
  std::string text;
  for (const char* name :
       {"munged.out", "munge.log", "slurmctld.out", "slurmctld.log", "slurmd.out", "slurmd.log"}) {
    text += fmt::format("--- {}\n{}\n", name, end_of(folder() / name));
  }
  return text;
}

std::vector<Job> jobs(const std::string& id) {
  std::istringstream lines(run_command({"scontrol", "--oneliner", "show", "job", id}).out);
  std::vector<Job> found;
  for (std::string line; std::getline(lines, line);) {
    const std::string task = field(line, "ArrayTaskId");
    const std::string number = line.substr(0, line.find(' '));
    found.push_back({.id = task.empty() ? number.substr(number.find('=') + 1) : id + "_" + task,
                     .state = field(line, "JobState"),
                     .reason = field(line, "Reason"),
                     .exit_code = field(line, "ExitCode"),
                     .restarts = std::atoi(field(line, "Restarts").c_str())});
  }
  return found;
}

std::vector<Job> wait_for(const std::vector<std::string>& ids, double patience_s) {
  std::vector<Job> all;
  const bool finished = eventually(patience_s, [&] {
    all.clear();
    for (const auto& id : ids) {
      for (auto& job : jobs(id)) all.push_back(std::move(job));
    }
    return all.size() >= ids.size() &&
           std::all_of(all.begin(), all.end(), [](const Job& job) { return is_final(job.state); });
  });
  EXPECT_TRUE(finished) << "jobs do not finish:\n" << run_command({"squeue", "--long"}).out;
  return all;
}

}  // namespace cinecortex::testing
