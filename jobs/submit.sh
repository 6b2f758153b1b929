# shellcheck shell=bash
# Functions of the scripts that submit jobs; they source this file.
set -euo pipefail

jobs=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
export CINECORTEX_JOBS=$jobs  # a job runs a copy of job.sh, which cannot see where it came from
if [[ -n ${CINECORTEX_SITE:-} ]]; then CINECORTEX_SITE=$(realpath -- "$CINECORTEX_SITE"); fi
export CINECORTEX_SITE=${CINECORTEX_SITE:-$jobs/site.sh}
# shellcheck source=site.sh
. "$CINECORTEX_SITE"

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 2
}

# words OPTION VALUE: the option, if the value is not empty.
words() { if [[ -n $2 ]]; then printf '%s=%s\n' "$1" "$2"; fi; }

# resources VERB: sbatch's options for the nodes that a stage runs on, one a line.
resources() {
  if [[ $1 == extract ]] && ((gpus > 0)); then
    words --partition "$gpu_partition"
    words --mem "$gpu_memory"
    printf '%s\n' "--nodes=$gpu_nodes" "--ntasks-per-node=$gpus" "--gpus-per-node=$gpus" "--cpus-per-task=$gpu_threads"
    return
  fi
  local ranks=$cpu_ranks threads=$cpu_threads
  if [[ $1 == extract ]]; then ranks=$((cpu_ranks * cpu_threads)) threads=1; fi
  words --partition "$cpu_partition"
  words --mem "$cpu_memory"
  printf '%s\n' "--nodes=$cpu_nodes" "--ntasks-per-node=$ranks" "--cpus-per-task=$threads"
}

# submit VERB EXPERIMENT [OPTION ...]: hands a stage to Slurm and prints the number of its job.
#   CINECORTEX_AFTER   a job that has to succeed before, or a dependency in Slurm's words
#   sbatch_options     more words for sbatch
submit() {
  local verb=$1 experiment=${2:-}
  [[ -n $experiment ]] || fail "which experiment? ${0##*/} EXPERIMENT.toml [OPTION of cinecortex ...]"
  [[ -r $experiment ]] || fail "the experiment $experiment cannot be read"
  command -v sbatch >/dev/null || fail "there is no sbatch here; without Slurm: jobs/job.sh $verb $experiment"
  local -a options
  mapfile -t options < <(resources "$verb" && words --account "$account" && words --time "${limits[$verb]:-}")
  local after=${CINECORTEX_AFTER:-}
  if [[ $after =~ ^[0-9]+$ ]]; then after=afterok:$after; fi
  if [[ -n $after ]]; then options+=("--dependency=$after" --kill-on-invalid-dep=yes); fi
  mkdir -p -- "$logs"
  sbatch --parsable --export=ALL --requeue --open-mode=append --signal="B:USR1@$warning_s" \
    --job-name="$verb" --output="$logs/%x-%j.out" "${options[@]}" "${sbatch_options[@]}" \
    "$jobs/job.sh" "$verb" "$(realpath -- "$experiment")" "${@:3}" | cut -d';' -f1
}
