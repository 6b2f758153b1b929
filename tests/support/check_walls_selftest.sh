#!/bin/sh
# Proves that check_walls.sh sees what it is there to see: builds a small tree that breaks every rule once,
# beside the same code where it is allowed, and compares the complaints with those expected.
set -eu
check=$(cd "$(dirname "$0")" && pwd)/check_walls.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# put FILE TEXT: one file of the tree.
put() {
  mkdir -p "$tree/$(dirname "$1")"
  printf '%b' "$2" >"$tree/$1"
}

expected=$tree/expected
: >"$expected"
# wrong FILE LINE RULE-BEGINNING TEXT: a file with one violation.
wrong() {
  put "$1" "$4"
  printf '%s:%s: %s\n' "$1" "$2" "$3" >>"$expected"
}

mkdir -p "$tree/include/cinecortex"

# Allowed, or not code at all.
put src/io/file.cpp '#include <hdf5.h>\n#include "cinecortex/parallel/communicator.hpp"\n'
put src/dataset/movie.cpp '#include <libavcodec/avcodec.h>\n#include "cinecortex/io/tsv.hpp"\n'
put src/models/net.cpp '#include <torch/script.h>\n#include "cinecortex/linalg/dense.hpp"\n'
put src/linalg/dense.cpp '#include <cblas.h>\nextern "C" void dgemm_(int);\nvoid f() { cblas_dgemm(1); }\n'
put src/stages/synth/voice.cpp '#include <espeak-ng/speak_lib.h>\nint f() { return espeak_Synth(0); }\n'
put src/parallel/world.cpp 'auto w = MPI_COMM_WORLD;\n'
put src/app/main.cpp '#include "cinecortex/stages/synth.hpp"\nauto w = MPI_COMM_WORLD;\nusing namespace x;\n'
put src/core/words.cpp '// MPI_COMM_WORLD, std::exit(1), dgemm_(\n/* #include <hdf5.h>\n   std::exit(1); */ int a;\nauto s = "std::exit(1) // dgemm_(";\nint scale_(int);\nbool std_exit();\n'

# One violation each.
wrong include/cinecortex/io/file.hpp 2 'HDF5 is included' '#pragma once\n#include <hdf5.h>\n'
wrong src/encoding/a.cpp 1 'HDF5 is included' '#include <H5Cpp.h>\n'
wrong src/stages/b.cpp 1 'FFmpeg is included' '#include <libswscale/swscale.h>\n'
wrong src/parallel/c.cpp 3 'libtorch is included' '\n\n#include <ATen/Parallel.h>\n'
wrong src/encoding/d.cpp 1 'BLAS, LAPACK and ScaLAPACK are included' '#include <cblas.h>\n'
wrong src/encoding/e.cpp 1 'BLAS, LAPACK and ScaLAPACK are called' 'extern "C" void pdsyevd_(const char*);\n'
wrong src/models/f.cpp 2 'BLAS, LAPACK and ScaLAPACK are called' 'void f() {\n  cblas_sgemm(1);\n}\n'
wrong src/app/g.cpp 1 'espeak is included' '#include <espeak-ng/speak_lib.h>\n'
wrong src/stages/h.cpp 1 'espeak is called' 'int f() { return espeak_Initialize(0); }\n'
wrong src/stages/i.cpp 1 'MPI_COMM_WORLD' 'auto w = MPI_COMM_WORLD;\n'
wrong src/core/j.cpp 1 'core may not include parallel' '#include "cinecortex/parallel/agree.hpp"\n'
wrong src/parallel/k.cpp 1 'parallel may not include io' '#include "cinecortex/io/tsv.hpp"\n'
wrong src/linalg/l.cpp 1 'linalg may not include io' '#include "cinecortex/io/tsv.hpp"\n'
wrong src/io/m.cpp 1 'io may not include linalg' '#include "cinecortex/linalg/dense.hpp"\n'
wrong src/dataset/n.cpp 1 'dataset may not include models' '#include "cinecortex/models/extractor.hpp"\n'
wrong src/models/o.cpp 1 'models may not include encoding' '#include "cinecortex/encoding/pca.hpp"\n'
wrong src/encoding/p.cpp 1 'encoding may not include dataset' '#include "cinecortex/dataset/run_id.hpp"\n'
wrong src/stages/q.cpp 1 'stages may not include app' '#include "cinecortex/app/options.hpp"\n'
wrong src/core/r.cpp 1 'there is no room cellar' '#include "cinecortex/cellar/wine.hpp"\n'
wrong src/cellar/s.cpp 1 'there is no room cellar' 'int a;\n'
wrong src/io/t.cpp 1 'headers are included as' '#include "../core/log.hpp"\n'
wrong src/core/u.cpp 2 'std::exit' '/* a comment */ int a;\nvoid f() { std::exit(1); }\n'
wrong include/cinecortex/core/v.hpp 1 'no using namespace' 'using namespace std;\n'
wrong src/w.cpp 1 'a source lies in' 'int a;\n'

status=0
"$check" "$tree" >"$tree/found" || status=$?
if [ "$status" -ne 1 ]; then
  echo "check_walls.sh exits $status on a tree of violations, 1 was expected" >&2
  exit 1
fi

failed=0
while IFS= read -r complaint; do
  if ! grep -qF "$complaint" "$tree/found"; then
    echo "not seen: $complaint" >&2
    failed=1
  fi
done <"$expected"
if [ "$(wc -l <"$tree/found")" -ne "$(wc -l <"$expected")" ]; then
  echo "more was complained about than is wrong:" >&2
  cat "$tree/found" >&2
  failed=1
fi
[ "$failed" -eq 0 ] || exit 1

# Without the violations there is nothing to say, and a tree in a path with spaces is as good.
sed 's/:.*//' "$expected" | while IFS= read -r file; do rm -f "$tree/$file"; done
rm -rf "$tree/src/cellar"
moved="$tree/with space"
mkdir -p "$moved"
mv "$tree/src" "$tree/include" "$moved/"
if ! "$check" "$moved"; then
  echo "check_walls.sh complains about a tree without violations" >&2
  exit 1
fi
