#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "hdf5_convert.hpp"
#include "hdf5_storage.hpp"
#include "hdf5_support.hpp"
#include "output_file.hpp"

namespace cinecortex::io {
struct Hdf5Writer::Impl {
  struct Dataset {
    h5::Handle id;
    h5::Handle type;  ///< in the file and, so that HDF5 converts nothing, in memory
    std::vector<Index> shape;
    Stored stored = Stored::other;
    Index item_bytes = 0;
  };
  /// A rank's part of one collective write; empty takes part without data.
  struct Block {
    Index row = 0, column = 0, rows = 0, columns = 0;
    const std::byte* values = nullptr;
  };

  std::filesystem::path file, partial;
  parallel::Communicator comm;
  Index transfer_bytes;
  bool verify;  ///< read every block back
  h5::Descriptor descriptor;
  int exceptions = std::uncaught_exceptions();
  h5::Handle id, transfer;
  std::vector<std::byte> read_back;
  std::map<std::string, Dataset> datasets;
  Index reserved_bytes = 0;
  TransferReport report;

  Impl(const std::filesystem::path& name, const parallel::Communicator& over, const WriterOptions& wanted)
      : file(name),
        partial(partial_name(name)),
        comm(over.duplicate()),
        transfer_bytes(wanted.transfer_bytes),
        verify(wanted.verify) {}
  ~Impl();
  std::string place(const std::string& path) const { return h5::place(file, path); }
  Dataset& find(const std::string& path);
  void create(const std::string& path, h5::Handle type, Stored stored, const std::vector<Index>& shape,
              const DatasetOptions& options);
  void attach_dimension(const std::string& path, const Dataset& data, unsigned axis, const std::string& name);
  void reserve(Index bytes);
  void transfer_block(const Dataset& data, const Block& block);
  bool reads_back(const Dataset& data, const Block& block, const h5::Handle& memory, const h5::Handle& disk);
  void note_transfer(Index bytes);
  void open(const std::map<std::string, Attribute>& attributes);
  bool close();
};

Hdf5Writer::Impl::~Impl() {
  // Ranks that do not unwind would be waited for: leave the file to MPI_Finalize, which all ranks reach.
  if (std::uncaught_exceptions() > exceptions) {
    for (auto& [path, data] : datasets) data.id.abandon();
    id.abandon();
  }
  close();
}

bool Hdf5Writer::Impl::close() {
  bool closed = true;
  for (auto& [path, data] : datasets) closed = data.id.close() && closed;
  datasets.clear();
  return id.close() && closed;
}

void Hdf5Writer::Impl::open(const std::map<std::string, Attribute>& attributes) {
  h5::silence_error_stack();
  parallel::agree(comm, [&] {
    if (transfer_bytes < 1 || transfer_bytes > Index{1} << 30) {
      throw Error("internal: HDF5 transfers must be between 1 byte and 1 GiB");
    }
    if (comm.root()) h5::prepare_file(file, partial);
  });
  const std::string what = partial.string();
  // From here on HDF5's calls are collective; what fails, fails on every rank (the same arguments), or is
  // agreed on right after the call.
  parallel::agree(comm, [&] {
    h5::Handle access = h5::own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, what);
    h5::check(H5Pset_fapl_mpio(access.get(), comm.handle(), MPI_INFO_NULL), what);
    h5::check(H5Pset_all_coll_metadata_ops(access.get(), true), what);
    h5::check(H5Pset_coll_metadata_write(access.get(), true), what);
    // 1.8's format: a data set or scale with thousands of references does not fit the oldest one.
    h5::check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_LATEST), what);
    transfer = h5::own(H5Pcreate(H5P_DATASET_XFER), H5Pclose, what);
    h5::check(H5Pset_dxpl_mpio(transfer.get(), H5FD_MPIO_COLLECTIVE), what);
    // One MPI-IO call for all chunks: the alternative decides per chunk, and may decide against collective.
    h5::check(H5Pset_dxpl_mpio_chunk_opt(transfer.get(), H5FD_MPIO_CHUNK_ONE_IO), what);
    id = h5::own(H5Fcreate(partial.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose, what);
  });
  parallel::agree(comm, [&] { descriptor.open(partial); });
  std::string created = utc_now();
  comm.broadcast(created);
  parallel::agree(comm, [&] {
    auto all = attributes;
    all["cinecortex_version"] = std::string(CINECORTEX_VERSION);
    all["created"] = created;
    for (const auto& [name, value] : all) h5::write_attribute(id.get(), name, value, what);
  });
  reserve(h5::space_needed({0}, 1));
}

Hdf5Writer::Impl::Dataset& Hdf5Writer::Impl::find(const std::string& path) {
  const auto found = datasets.find(path);
  if (found == datasets.end())
    throw Error("internal: " + place(path) + " was not created before it was written");
  return found->second;
}

void Hdf5Writer::Impl::reserve(Index bytes) {
  bool reserved = true;
  parallel::agree(comm, [&] {
    if (comm.root()) reserved = descriptor.reserve(reserved_bytes, reserved_bytes + bytes);
  });
  reserved_bytes += bytes;
  verify = comm.max(std::int64_t{verify || !reserved}) != 0;
}

void Hdf5Writer::Impl::create(const std::string& path, h5::Handle type, Stored stored,
                              const std::vector<Index>& shape, const DatasetOptions& options) {
  const std::string where = place(path);
  parallel::agree(comm, [&] {
    if (!path.starts_with('/'))
      throw Error("internal: the data set path '" + path + "' does not begin with /");
    if (datasets.contains(path)) throw Error("internal: " + where + " is created twice");
    if (shape.empty() || shape.size() > 3) throw Error("internal: " + where + " needs 1 to 3 dimensions");
    if (std::any_of(shape.begin(), shape.end(), [](Index size) { return size < 0; })) {
      throw Error("internal: " + where + " has a negative size");
    }
    if (options.dimensions.size() > shape.size())
      throw Error("internal: " + where + " has more labels than axes");
    // Before HDF5 lists a million chunks that have no room.
    const Index bytes = h5::space_needed(shape, static_cast<Index>(H5Tget_size(type.get())));
    if (comm.root()) h5::check_free_space(partial, bytes);
  });
  Dataset data;
  data.item_bytes = static_cast<Index>(H5Tget_size(type.get()));
  data.type = std::move(type);
  data.shape = shape;
  data.stored = stored;
  parallel::agree(comm, [&] {
    const h5::Handle links = h5::own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, where);
    h5::check(H5Pset_create_intermediate_group(links.get(), 1), where);
    const h5::Handle layout = h5::own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, where);
    h5::check(H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER), where);
    h5::check(H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY), where);
    if (h5::element_count(shape) > 0) {
      const auto chunk = h5::chunk_shape(shape, data.item_bytes);
      h5::check(H5Pset_chunk(layout.get(), static_cast<int>(chunk.size()), chunk.data()), where);
    }
    const std::vector<hsize_t> dims(shape.begin(), shape.end());
    const h5::Handle space =
        h5::own(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, where);
    data.id = h5::own(H5Dcreate2(id.get(), path.c_str(), data.type.get(), space.get(), links.get(),
                                 layout.get(), H5P_DEFAULT),
                      H5Dclose, where);
  });
  parallel::agree(comm, [&] {
    for (const auto& [name, value] : options.attributes)
      h5::write_attribute(data.id.get(), name, value, where);
    for (std::size_t axis = 0; axis < options.dimensions.size(); ++axis) {
      if (!options.dimensions[axis].empty()) {
        attach_dimension(path, data, static_cast<unsigned>(axis), options.dimensions[axis]);
      }
    }
  });
  datasets.emplace(path, std::move(data));
  reserve(h5::space_needed(shape, datasets.at(path).item_bytes));
}

void Hdf5Writer::Impl::attach_dimension(const std::string& path, const Dataset& data, unsigned axis,
                                        const std::string& name) {
  if (!name.starts_with('/')) return h5::label_dimension(data.id.get(), axis, name, place(path));
  const Dataset& scale = find(name);
  if (scale.shape.size() != 1 || scale.shape[0] != data.shape[axis]) {
    throw Error(fmt::format("internal: {} is no scale for axis {} of {}", name, axis, place(path)));
  }
  h5::attach_scale(data.id.get(), scale.id.get(), axis, name, place(path));
}

/// Hands one block over, in one collective call of H5Dwrite on every rank.
void Hdf5Writer::Impl::transfer_block(const Dataset& data, const Block& block) {
  const std::string what = partial.string() + " could not be written";
  const std::size_t rank = data.shape.size();
  const hsize_t start[] = {static_cast<hsize_t>(block.row), static_cast<hsize_t>(block.column)};
  const hsize_t count[] = {static_cast<hsize_t>(block.rows), static_cast<hsize_t>(block.columns)};
  const h5::Handle to = h5::own(H5Dget_space(data.id.get()), H5Sclose, what);
  const h5::Handle from = h5::own(H5Screate_simple(static_cast<int>(rank), count, nullptr), H5Sclose, what);
  const bool empty = block.rows == 0 || block.columns == 0;
  if (empty) {
    h5::check(H5Sselect_none(to.get()), what);
    h5::check(H5Sselect_none(from.get()), what);
  } else {
    h5::check(H5Sselect_hyperslab(to.get(), H5S_SELECT_SET, start, nullptr, count, nullptr), what);
  }
  const std::byte nothing{};
  const herr_t status = H5Dwrite(data.id.get(), data.type.get(), from.get(), to.get(), transfer.get(),
                                 empty ? &nothing : block.values);
  const std::string reason = status < 0 ? h5::last_error() : "";
  note_transfer(block.rows * block.columns * data.item_bytes);
  // A rank whose write failed reads as well: the others wait for it there.
  const bool same = !verify || reads_back(data, block, from, to);
  if (status < 0) throw InputError(what + ": " + reason);
  if (!same) throw InputError(what + ": what is on the disk is not what was written (is the disk full?)");
}

/// Collective: over comm, with the selections of the write.
bool Hdf5Writer::Impl::reads_back(const Dataset& data, const Block& block, const h5::Handle& memory,
                                  const h5::Handle& disk) {
  const auto bytes = static_cast<std::size_t>(block.rows * block.columns * data.item_bytes);
  read_back.resize(std::max<std::size_t>(bytes, 1));
  const herr_t status =
      H5Dread(data.id.get(), data.type.get(), memory.get(), disk.get(), transfer.get(), read_back.data());
  return status >= 0 && (bytes == 0 || std::memcmp(read_back.data(), block.values, bytes) == 0);
}

void Hdf5Writer::Impl::note_transfer(Index bytes) {
  std::uint32_t cause_local = 0, cause_global = 0;
  H5D_mpio_actual_io_mode_t mode = H5D_MPIO_NO_COLLECTIVE;
  const bool known = H5Pget_mpio_no_collective_cause(transfer.get(), &cause_local, &cause_global) >= 0 &&
                     H5Pget_mpio_actual_io_mode(transfer.get(), &mode) >= 0;
  const bool collective = known && cause_global == 0 &&
                          (mode == H5D_MPIO_CHUNK_COLLECTIVE || mode == H5D_MPIO_CONTIGUOUS_COLLECTIVE);
  ++report.writes;
  report.collective += collective ? 1 : 0;
  report.largest_bytes = std::max(report.largest_bytes, bytes);
}

Hdf5Writer::Hdf5Writer(const std::filesystem::path& file, const parallel::Communicator& comm,
                       const std::map<std::string, Attribute>& attributes, const WriterOptions& options)
    : impl_(std::make_unique<Impl>(file, comm, options)) {
  impl_->open(attributes);
}

Hdf5Writer::~Hdf5Writer() = default;

void Hdf5Writer::create(const std::string& path, const std::vector<Index>& shape,
                        const DatasetOptions& options) {
  impl_->create(path, h5::type_of(options.type), options.type, shape, options);
}

template <class Scalar>
void Hdf5Writer::write(const std::string& path, const ConstView<Scalar>& block, Index row, Index column) {
  auto& impl = *impl_;
  const std::string where = impl.place(path);
  const bool empty = block.size() == 0;
  std::vector<std::byte> buffer;
  h5::Pieces pieces;
  parallel::agree(impl.comm, [&] {
    const auto& data = impl.find(path);
    const Index columns = data.shape.size() == 2 ? data.shape[1] : 1;
    if (data.shape.size() > 2 || data.stored == Stored::other) {
      throw Error("internal: " + where + " is not a matrix or vector of numbers");
    }
    if (empty) return;
    if (row < 0 || column < 0 || row + block.rows() > data.shape[0] || column + block.cols() > columns) {
      throw Error(fmt::format("internal: a block of {} × {} at ({}, {}) exceeds {} of {} × {}", block.rows(),
                              block.cols(), row, column, where, data.shape[0], columns));
    }
    h5::with_type(data.stored, [&](auto type) {
      using To = decltype(type);
      if constexpr (sizeof(To) < sizeof(Scalar) || std::is_same_v<To, std::int64_t>) {
        h5::check_fits<To, Scalar>(block, where, row, column);
      }
    });
    pieces = h5::Pieces(block.rows(), block.cols(), data.item_bytes, impl.transfer_bytes);
    buffer.resize(static_cast<std::size_t>(
        std::min(block.size() * data.item_bytes, std::max(impl.transfer_bytes, data.item_bytes))));
  });
  const auto& data = impl.find(path);
  if (h5::element_count(data.shape) == 0) return;
  // The same number of calls on every rank, whatever each has, and none left out after a failure: the others
  // would wait in it for ever.
  const Index rounds = impl.comm.max(std::int64_t{pieces.count()});
  std::exception_ptr failure;
  for (Index round = 0; round < rounds; ++round) {
    Impl::Block part;
    if (round < pieces.count()) {
      const Range r = pieces.rows(round), c = pieces.columns(round);
      h5::with_type(data.stored, [&](auto type) {
        h5::convert<decltype(type), Scalar>(block.block(r.begin, c.begin, r.size(), c.size()), buffer.data());
      });
      part = {row + r.begin, column + c.begin, r.size(), c.size(), buffer.data()};
    }
    try {
      impl.transfer_block(data, part);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  parallel::agree_on_failure(impl.comm, failure);
}

template void Hdf5Writer::write<float>(const std::string&, const ConstView<float>&, Index, Index);
template void Hdf5Writer::write<double>(const std::string&, const ConstView<double>&, Index, Index);

void Hdf5Writer::write_vector(const std::string& path, const VectorD& block, Index begin) {
  const Eigen::Map<const MatrixD> column(block.data(), block.size(), 1);
  write<double>(path, column, begin, 0);
}

void Hdf5Writer::put(const std::string& path, const MatrixD& values, const DatasetOptions& options) {
  Index shape[] = {values.rows(), values.cols()};
  impl_->comm.broadcast(std::span<Index>(shape));
  create(path, {shape[0], shape[1]}, options);
  write<double>(path, impl_->comm.root() ? values : MatrixD(), 0, 0);
}

void Hdf5Writer::put(const std::string& path, const VectorD& values, const DatasetOptions& options) {
  Index size = values.size();
  impl_->comm.broadcast(std::span<Index>(&size, 1));
  create(path, {size}, options);
  write_vector(path, impl_->comm.root() ? values : VectorD(), 0);
}

void Hdf5Writer::put(const std::string& path, const std::vector<std::string>& values,
                     const DatasetOptions& options) {
  auto& impl = *impl_;
  Index shape[] = {static_cast<Index>(values.size()), 1};  // how many, of how many bytes each
  for (const auto& value : values) shape[1] = std::max(shape[1], static_cast<Index>(value.size()));
  impl.comm.broadcast(std::span<Index>(shape));
  const auto [count, width] = shape;
  std::vector<std::byte> bytes;
  h5::Handle type;
  parallel::agree(impl.comm, [&] {
    if (count * width > impl.transfer_bytes) throw Error("internal: too many texts for " + impl.place(path));
    type = h5::fixed_text_type(static_cast<std::size_t>(width));
    if (!impl.comm.root()) return;
    bytes.resize(static_cast<std::size_t>(count * width));
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::memcpy(bytes.data() + i * static_cast<std::size_t>(width), values[i].data(), values[i].size());
    }
  });
  impl.create(path, std::move(type), Stored::other, {count}, options);
  if (count == 0) return;
  Impl::Block block;
  if (impl.comm.root()) block = {0, 0, count, 1, bytes.data()};
  parallel::agree(impl.comm, [&] { impl.transfer_block(impl.find(path), block); });
}

void Hdf5Writer::set_attribute(const std::string& path, const std::string& name, const Attribute& value) {
  auto& impl = *impl_;
  parallel::agree(impl.comm, [&] {
    const std::string where = impl.place(path);
    const h5::Handle object = h5::own(H5Oopen(impl.id.get(), path.c_str(), H5P_DEFAULT), H5Oclose, where);
    h5::write_attribute(object.get(), name, value, where);
  });
}

void Hdf5Writer::commit() {
  auto& impl = *impl_;
  const std::string what = impl.partial.string() + " could not be completed";
  parallel::agree(impl.comm, [&] {
    if (impl.id.get() < 0) throw Error("internal: " + impl.file.string() + " is committed twice");
  });
  parallel::agree(impl.comm, [&] { h5::check(H5Fflush(impl.id.get(), H5F_SCOPE_GLOBAL), what); });
  parallel::agree(impl.comm, [&] { impl.descriptor.synchronise(); });
  parallel::agree(impl.comm, [&] {
    if (!impl.close()) throw InputError(what + ": " + h5::last_error());
  });
  parallel::agree(impl.comm, [&] {
    if (!impl.comm.root()) return;
    h5::check_structure(impl.partial);
    publish(impl.partial, impl.file);
  });
  log::debug("{}: {} of {} transfers collective, the largest {}", impl.file.string(), impl.report.collective,
             impl.report.writes, format_bytes(static_cast<double>(impl.report.largest_bytes)));
}

TransferReport Hdf5Writer::report() const {
  return impl_->report;
}

}  // namespace cinecortex::io
