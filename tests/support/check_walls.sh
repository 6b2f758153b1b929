#!/bin/sh
# Holds the walls of the house: which room may include what, and where the big libraries may be used.
#   check_walls.sh [ROOT]     ROOT is the repository (default: the one this script is in)
# Prints `file:line: rule` for each violation and exits 1; prints nothing and exits 0 where there is none.
# Comments and text in quotation marks do not count.
set -eu
root=${1:-$(dirname "$0")/../..}
cd "$root"
if [ ! -d include/cinecortex ] || [ ! -d src ]; then
  echo "check_walls.sh: $root has no include/cinecortex and src" >&2
  exit 2
fi

list=$(mktemp)
trap 'rm -f "$list"' EXIT
find ./include/cinecortex ./src \( -name '*.hpp' -o -name '*.h' -o -name '*.cpp' -o -name '*.cc' \) -type f |
  sort >"$list"

awk '
BEGIN {
  # core <- parallel <- {linalg, io} <- {dataset, models, encoding} <- stages <- app; siblings never.
  below["core"] = " core "
  below["parallel"] = " core parallel "
  below["linalg"] = " core parallel linalg "
  below["io"] = " core parallel io "
  below["dataset"] = " core parallel linalg io dataset "
  below["models"] = " core parallel linalg io models "
  below["encoding"] = " core parallel linalg io encoding "
  below["stages"] = " core parallel linalg io dataset models encoding stages "
  below["app"] = " core parallel linalg io dataset models encoding stages app "

  # Routines of BLAS, LAPACK, ScaLAPACK and BLACS as Fortran names them, or by their C interfaces.
  routine = "gemm|gemv|syrk|syr2k|symm|trsm|trmm|axpy|dot|nrm2|scal|swap|copy|potrf|potrs|potri|posv|getrf|getrs"
  routine = routine "|gesv|geqrf|orgqr|ormqr|gesvd|gesdd|syev|syevd|syevr|syevx|stedc|steqr|lange|lansy|gels|gelsd"
  blas = "(^|[^A-Za-z0-9_])(p?[sdcz](" routine ")_|cblas_[a-z0-9_]+|LAPACKE_[a-z0-9_]+|openblas_[a-z_]+"
  blas = blas "|Cblacs_[a-z0-9]+|blacs_[a-z0-9]+_|descinit_|numroc_|p[sd]gemr2d_)[ \t]*\\("
}

function complain(rule) {
  print substr(path, 3) ":" line ": " rule
  failed = 1
}

# The line without comments; knows whether a /* is still open.
function uncommented(text,    out, at) {
  out = ""
  while (text != "") {
    if (open_comment) {
      at = index(text, "*/")
      if (at == 0) return out
      text = substr(text, at + 2)
      open_comment = 0
    }
    if (match(text, /\/\/|\/\*|"([^"\\]|\\.)*"/)) {
      if (substr(text, RSTART, 1) == "\"") {
        out = out substr(text, 1, RSTART + RLENGTH - 1)
        text = substr(text, RSTART + RLENGTH)
      } else {
        out = out substr(text, 1, RSTART - 1)
        if (substr(text, RSTART, 2) == "//") return out
        text = substr(text, RSTART + 2)
        open_comment = 1
      }
    } else {
      return out text
    }
  }
  return out
}

function check_include(code,    what, target) {
  what = code
  sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", what)
  sub(/[>"].*$/, "", what)

  if (what ~ /^(hdf5|hdf5_hl|H5[A-Za-z0-9]*)\.h$/ && path !~ /^\.\/src\/io\//)
    complain("HDF5 is included in src/io only: " what)
  if (what ~ /^lib(av|sw|postproc)[a-z]*\// && path !~ /^\.\/src\/dataset\//)
    complain("FFmpeg is included in src/dataset only: " what)
  if (what ~ /^(torch|ATen|c10)\// && path !~ /^\.\/src\/(models\/|linalg\/device_torch\.cpp$)/)
    complain("libtorch is included in src/models and src/linalg/device_torch.cpp only: " what)
  if (what ~ /^(openblas\/)?(cblas|lapacke|lapack|openblas_config|scalapack|blacs|Cblacs)[a-z_0-9-]*\.h$/ &&
      path !~ /^\.\/src\/linalg\//)
    complain("BLAS, LAPACK and ScaLAPACK are included in src/linalg only: " what)
  if (what ~ /^espeak/ && path !~ /^\.\/src\/stages\/synth/)
    complain("espeak is included in src/stages/synth only: " what)
  if (what ~ /(^|\/)\.\.\//)
    complain("headers are included as cinecortex/<room>/<name>.hpp, not by a path with ..: " what)

  if (what ~ /^cinecortex\/[a-z_0-9]+\//) {
    target = what
    sub(/^cinecortex\//, "", target)
    sub(/\/.*$/, "", target)
    if (!(target in below))
      complain("there is no room " target)
    else if ((room in below) && index(below[room], " " target " ") == 0)
      complain(room " may not include " target ": " what)
  }
}

function check_code(code) {
  if (code ~ /(^|[^A-Za-z0-9_])MPI_COMM_WORLD([^A-Za-z0-9_]|$)/ && room != "app" && room != "parallel")
    complain("MPI_COMM_WORLD is named in app and parallel only")
  if (code ~ blas && room != "linalg")
    complain("BLAS, LAPACK and ScaLAPACK are called in linalg only")
  if (code ~ /(^|[^A-Za-z0-9_])espeak_[A-Za-z0-9_]+/ && path !~ /^\.\/src\/stages\/synth/)
    complain("espeak is called in src/stages/synth only")
  if (code ~ /std::(quick_)?exit[ \t]*\(/)
    complain("std::exit leaves the other ranks waiting: throw, and let main return the exit code")
  if (path ~ /\.h(pp)?$/ && code ~ /(^|[^A-Za-z0-9_])using[ \t]+namespace([^A-Za-z0-9_]|$)/)
    complain("no using namespace in a header")
}

function check_file(    text, code) {
  room = path
  sub(/^\.\/(include\/cinecortex|src)\//, "", room)
  line = 0
  if (room !~ /\//) {
    line = 1
    complain("a source lies in the folder of a room")
    room = ""
  } else {
    sub(/\/.*$/, "", room)
    if (!(room in below)) {
      line = 1
      complain("there is no room " room)
    }
  }
  line = 0
  open_comment = 0
  while ((getline text < path) > 0) {
    ++line
    code = uncommented(text)
    if (code ~ /^[ \t]*#[ \t]*include[ \t]*[<"]/) {
      check_include(code)
    } else {
      gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
      check_code(code)
    }
  }
  close(path)
}

{
  path = $0
  check_file()
}

END { exit failed ? 1 : 0 }
' "$list"
