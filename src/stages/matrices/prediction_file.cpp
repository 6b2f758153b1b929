#include "prediction_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/npy.hpp"
#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::stages::matrices {
namespace {

/// A file open for writing at any place.
class OpenFile {
 public:
  OpenFile(std::filesystem::path path, int flags)
      : path_(std::move(path)), handle_(open(path_.c_str(), flags, 0666)) {
    if (handle_ < 0) fail();
  }
  ~OpenFile() {
    if (handle_ >= 0) ::close(handle_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  void write(const void* data, std::size_t bytes, off_t offset) const {
    const auto* from = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t written = pwrite(handle_, from, bytes, offset);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail();
      from += written;
      offset += written;
      bytes -= static_cast<std::size_t>(written);
    }
  }
  /// Reserves the space, so that a full disk is met now.
  void reserve(off_t bytes) const {
    if (const int error = posix_fallocate(handle_, 0, bytes); error != 0) {
      errno = error;
      fail();
    }
  }
  void close() {
    const int handle = std::exchange(handle_, -1);
    if (fsync(handle) != 0 || ::close(handle) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw InputError(fmt::format("{}: cannot be written: {}", path_.string(), std::strerror(errno)));
  }
  std::filesystem::path path_;
  int handle_;
};

class NpyPrediction final : public PredictionFile {
 public:
  NpyPrediction(const std::filesystem::path& file, Index rows, Index columns,
                const parallel::Communicator& comm)
      : comm_(comm), file_(file), partial_(file.string() + ".partial"), columns_(columns) {
    const std::string header = io::npy_header("<f4", {rows, columns});
    header_bytes_ = static_cast<off_t>(header.size());
    parallel::agree(comm_, [&] {
      if (!comm_.root()) return;
      create_folder();
      OpenFile created(partial_, O_WRONLY | O_CREAT | O_TRUNC);
      created.write(header.data(), header.size(), 0);
      created.reserve(header_bytes_ + item_offset(rows, 0));
      created.close();
    });
    parallel::agree(comm_, [&] { out_ = std::make_unique<OpenFile>(partial_, O_WRONLY); });
  }

  void write(const MatrixF& block, Index row, Index column) override {
    parallel::agree(comm_, [&] {
      if (block.cols() == columns_) return write_at(block.data(), block.size(), row, 0);
      for (Index i = 0; i < block.rows(); ++i) write_at(block.row(i).data(), block.cols(), row + i, column);
    });
  }

  void commit() override {
    parallel::agree(comm_, [&] { out_->close(); });
    parallel::agree(comm_, [&] {
      if (comm_.root()) std::filesystem::rename(partial_, file_);
    });
  }

 private:
  off_t item_offset(Index row, Index column) const {
    return static_cast<off_t>((row * columns_ + column) * static_cast<Index>(sizeof(float)));
  }
  void write_at(const float* values, Index count, Index row, Index column) const {
    out_->write(values, static_cast<std::size_t>(count) * sizeof(float),
                header_bytes_ + item_offset(row, column));
  }
  void create_folder() const {
    if (!file_.has_parent_path()) return;
    std::error_code error;
    std::filesystem::create_directories(file_.parent_path(), error);
    if (error)
      throw InputError(
          fmt::format("{}: cannot be created: {}", file_.parent_path().string(), error.message()));
  }

  const parallel::Communicator& comm_;
  std::filesystem::path file_, partial_;
  Index columns_;
  off_t header_bytes_ = 0;
  std::unique_ptr<OpenFile> out_;
};

class Hdf5Prediction final : public PredictionFile {
 public:
  Hdf5Prediction(const std::filesystem::path& file, Index rows, Index columns,
                 const parallel::Communicator& comm)
      : writer_(file, comm, {{"kind", std::string("prediction")}}) {
    writer_.create(path, {rows, columns},
                   {.type = io::Stored::float32,
                    .attributes = {{"description", std::string("predicted responses, one row a TR")}},
                    .dimensions = {"TR", "target"}});
  }
  void write(const MatrixF& block, Index row, Index column) override {
    writer_.write<float>(path, block, row, column);
  }
  void commit() override { writer_.commit(); }

 private:
  static constexpr const char* path = "/prediction";
  io::Hdf5Writer writer_;
};

}  // namespace

std::unique_ptr<PredictionFile> make_prediction_file(const std::filesystem::path& file, Index rows,
                                                     Index columns, const parallel::Communicator& comm) {
  if (file.extension() == ".npy") return std::make_unique<NpyPrediction>(file, rows, columns, comm);
  return std::make_unique<Hdf5Prediction>(file, rows, columns, comm);
}

}  // namespace cinecortex::stages::matrices
