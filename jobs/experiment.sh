#!/usr/bin/env bash
# Submits a whole experiment: each stage waits for the one before and runs on the nodes that suit it.
#   jobs/experiment.sh EXPERIMENT.toml [OPTION of cinecortex ...]
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
for stage in extract pca ridge stack predict score; do
  CINECORTEX_AFTER=$(submit "$stage" "$@")
  printf '%-8s job %s\n' "$stage" "$CINECORTEX_AFTER"
done
