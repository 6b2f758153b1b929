#include "cinecortex/parallel/communicator.hpp"

#include <algorithm>
#include <exception>
#include <numeric>
#include <utility>

namespace cinecortex::parallel {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 30;

/// Calls fn(offset, count) for pieces of at most 1 GiB.
template <class Fn>
void in_chunks(std::size_t count, std::size_t element_bytes, Fn&& fn) {
  const std::size_t step = chunk_bytes / element_bytes;
  for (std::size_t offset = 0; offset < count; offset += step) {
    fn(offset, checked_cast<int>(std::min(step, count - offset)));
  }
}

template <class T>
MPI_Datatype mpi_type();
template <>
MPI_Datatype mpi_type<double>() {
  return MPI_DOUBLE;
}
template <>
MPI_Datatype mpi_type<std::int64_t>() {
  return MPI_INT64_T;
}

template <class T>
void reduce_all(MPI_Comm comm, std::span<T> values, MPI_Op op) {
  in_chunks(values.size(), sizeof(T), [&](std::size_t offset, int count) {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data() + offset, count, mpi_type<T>(), op, comm),
              "MPI_Allreduce");
  });
}

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw CommunicationError(std::string(call) +
                           " failed: " + std::string(text, static_cast<std::size_t>(length)));
}

std::string node_name() {
  char name[MPI_MAX_PROCESSOR_NAME] = {};
  int length = 0;
  check_mpi(MPI_Get_processor_name(name, &length), "MPI_Get_processor_name");
  return {name, static_cast<std::size_t>(length)};
}

Environment::Environment(int& argc, char**& argv) : exceptions_(std::uncaught_exceptions()) {
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  if (provided < MPI_THREAD_MULTIPLE) {
    MPI_Finalize();
    throw CommunicationError("this MPI was built without MPI_THREAD_MULTIPLE, which the work queue needs");
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

Environment::~Environment() {
  if (std::uncaught_exceptions() == exceptions_) MPI_Finalize();
}

Communicator::Communicator(MPI_Comm owned) : comm_(owned) {
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
}

Communicator::Communicator(Communicator&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)), rank_(other.rank_), size_(other.size_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  std::swap(comm_, other.comm_);
  std::swap(rank_, other.rank_);
  std::swap(size_, other.size_);
  return *this;
}

Communicator::~Communicator() {
  // Freeing is collective: a rank that unwinds must not wait for others that do not.
  if (comm_ != MPI_COMM_NULL && std::uncaught_exceptions() == 0) MPI_Comm_free(&comm_);
}

Communicator Communicator::world() {
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &copy), "MPI_Comm_dup");
  return Communicator(copy);
}

Communicator Communicator::duplicate() const {
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(comm_, &copy), "MPI_Comm_dup");
  return Communicator(copy);
}

Communicator Communicator::split(int colour, int key) const {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(comm_, colour, key, &part), "MPI_Comm_split");
  return Communicator(part);
}

Communicator Communicator::node() const {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &part),
            "MPI_Comm_split_type");
  return Communicator(part);
}

void Communicator::barrier() const {
  check_mpi(MPI_Barrier(comm_), "MPI_Barrier");
}

void Communicator::broadcast_bytes(void* data, std::size_t bytes, int root) const {
  in_chunks(bytes, 1, [&](std::size_t offset, int count) {
    check_mpi(MPI_Bcast(static_cast<std::byte*>(data) + offset, count, MPI_BYTE, root, comm_), "MPI_Bcast");
  });
}

void Communicator::broadcast(std::string& text, int root) const {
  std::uint64_t size = text.size();
  broadcast(std::span(&size, 1), root);
  text.resize(size);
  broadcast_bytes(text.data(), text.size(), root);
}

void Communicator::sum(std::span<double> values) const {
  reduce_all(comm_, values, MPI_SUM);
}
void Communicator::sum(std::span<std::int64_t> values) const {
  reduce_all(comm_, values, MPI_SUM);
}
double Communicator::sum(double value) const {
  reduce_all(comm_, std::span(&value, 1), MPI_SUM);
  return value;
}
std::int64_t Communicator::sum(std::int64_t value) const {
  reduce_all(comm_, std::span(&value, 1), MPI_SUM);
  return value;
}
double Communicator::max(double value) const {
  reduce_all(comm_, std::span(&value, 1), MPI_MAX);
  return value;
}
double Communicator::min(double value) const {
  reduce_all(comm_, std::span(&value, 1), MPI_MIN);
  return value;
}
std::int64_t Communicator::max(std::int64_t value) const {
  reduce_all(comm_, std::span(&value, 1), MPI_MAX);
  return value;
}
std::int64_t Communicator::min(std::int64_t value) const {
  reduce_all(comm_, std::span(&value, 1), MPI_MIN);
  return value;
}

std::vector<std::byte> Communicator::gather_bytes(std::span<const std::byte> bytes) const {
  // One broadcast a rank: simple, any size, and never a hot path.
  std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_), 0);
  const std::uint64_t mine = bytes.size();
  check_mpi(MPI_Allgather(&mine, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, comm_), "MPI_Allgather");
  const std::uint64_t total = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  std::vector<std::byte> all(total);
  std::uint64_t offset = 0;
  for (int source = 0; source < size_; ++source) {
    if (source == rank_)
      std::copy(bytes.begin(), bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(offset));
    broadcast_bytes(all.data() + offset, sizes[static_cast<std::size_t>(source)], source);
    offset += sizes[static_cast<std::size_t>(source)];
  }
  return all;
}

std::vector<std::string> Communicator::gather(const std::string& text) const {
  std::vector<std::string> all(static_cast<std::size_t>(size_));
  for (int source = 0; source < size_; ++source) {
    std::string& copy = all[static_cast<std::size_t>(source)];
    if (source == rank_) copy = text;
    broadcast(copy, source);
  }
  return all;
}

}  // namespace cinecortex::parallel
