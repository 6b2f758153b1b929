#include <fmt/format.h>
#include <zip.h>

#include <memory>

#include "cinecortex/core/error.hpp"
#include "cinecortex/io/pickle.hpp"
#include "output_file.hpp"

namespace cinecortex::io {

void zip_file(const std::filesystem::path& zip, const std::filesystem::path& file) {
  make_parent_folder(zip);
  const auto partial = partial_name(zip);
  int code = ZIP_ER_OK;
  std::unique_ptr<zip_t, decltype(&zip_discard)> archive(
      zip_open(partial.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code), zip_discard);
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw InputError(partial.string() + " cannot be created: " + reason);
  }
  const auto fail = [&] {
    throw InputError(fmt::format("{} cannot be put into {}: {}", file.string(), zip.string(),
                                 zip_strerror(archive.get())));
  };
  std::error_code missing;
  if (!std::filesystem::is_regular_file(file, missing)) throw InputError(file.string() + ": no such file");
  zip_source_t* const source = zip_source_file(archive.get(), file.c_str(), 0, -1);
  if (source == nullptr) fail();
  const zip_int64_t entry =
      zip_file_add(archive.get(), file.filename().c_str(), source, ZIP_FL_ENC_UTF_8 | ZIP_FL_OVERWRITE);
  if (entry < 0) {
    zip_source_free(source);
    fail();
  }
  if (zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(entry), ZIP_CM_DEFLATE, 0) != 0)
    fail();
  if (zip_close(archive.get()) != 0) fail();
  (void)archive.release();  // closed and freed by zip_close
  publish(partial, zip);
}

}  // namespace cinecortex::io
