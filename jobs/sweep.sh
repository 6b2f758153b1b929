#!/usr/bin/env bash
# Submits the experiment's sweep as an array of N jobs, and a job that puts their results together: the table, its
# picture, and the best as an experiment (best.toml). Needs the components, so the stage pca before.
#   jobs/sweep.sh EXPERIMENT.toml N [PARTS] [OPTION of cinecortex ...]
# PARTS, e.g. 3,7 or 5-8: only these, again. The last job names those that are missing.
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
experiment=${1:-} parts=${2:-}
[[ $parts =~ ^[1-9][0-9]*$ ]] || fail "in how many parts? sweep.sh EXPERIMENT.toml N"
shift 2
wanted=1-$parts
if [[ ${1:-} =~ ^[0-9][0-9,-]*$ ]]; then
  wanted=$1
  shift
fi
common=("${sbatch_options[@]}")
sbatch_options=("${common[@]}" --array="$wanted" --output="$logs/sweep-%A_%a.out")
array=$(submit sweep "$experiment" --part "%a/$parts" "$@")
printf '%-8s job %s, parts %s of %s\n' sweep "$array" "$wanted" "$parts"
# After all of them, failed ones too: it says which.
sbatch_options=("${common[@]}" --nodes=1 --ntasks-per-node=1 --job-name=merge)
printf '%-8s job %s\n' merge "$(CINECORTEX_AFTER=afterany:$array submit sweep "$experiment" --merge "$parts" "$@")"
