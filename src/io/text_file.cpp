#include "cinecortex/io/text_file.hpp"

#include "output_file.hpp"

namespace cinecortex::io {

void write_text(const std::filesystem::path& file, std::string_view text) {
  make_parent_folder(file);
  OutputFile out(file);
  out.write(text);
  out.finish();
}

}  // namespace cinecortex::io
