#!/usr/bin/env bash
# What runs in a job: starts the ranks of one stage, passes the warning before the time limit on to them, and queues
# the job again where they were stopped by it. The other scripts submit it; inside a job of another batch system, or
# on a machine without one, call it directly.
#   jobs/job.sh VERB EXPERIMENT.toml [OPTION of cinecortex ...]
set -uo pipefail

jobs=${CINECORTEX_JOBS:-$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)}
# shellcheck source=site.sh
. "${CINECORTEX_SITE:-$jobs/site.sh}"
setup

say() { printf 'job.sh: %s\n' "$*" >&2; }

# Where these scripts lie beside the program: in the source folder, or installed.
if [[ -z $program ]]; then
  for program in "$jobs/../build/release/bin/cinecortex" "$jobs/../../../bin/cinecortex"; do
    if [[ -x $program ]]; then break; fi
  done
fi
if ((${#container[@]} == 0)) && ! command -v "$program" >/dev/null; then
  say "there is no program at $program; set \`program\` in site.sh"
  exit 2
fi

verb=${1:?which verb? job.sh VERB EXPERIMENT.toml} experiment=${2:?which experiment? job.sh VERB EXPERIMENT.toml}
shift 2
options=("$@")
if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then options=("${options[@]//%a/$SLURM_ARRAY_TASK_ID}"); fi

ranks=${SLURM_NTASKS:-$((cpu_nodes * cpu_ranks))}
threads=${SLURM_CPUS_PER_TASK:-$cpu_threads}
# The program decides on its threads by itself; these keep libraries from starting one for every core while they load.
# Bound threads would be bound to one core together with all that the program starts beside them.
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads MKL_NUM_THREADS=$threads OMP_PROC_BIND=false
export SRUN_CPUS_PER_TASK=$threads  # srun does not take it over from sbatch any more

case $launcher in
  srun)
    # --wait: a rank that was killed would otherwise leave the others waiting for it until the time limit.
    launch=(srun --mpi=pmix --wait=60 --ntasks="$ranks")
    if [[ $bind == cores ]]; then launch+=(--cpu-bind=cores); fi ;;
  mpirun)
    launch=(mpirun -n "$ranks" --bind-to none)
    if [[ $bind == cores ]]; then launch=(mpirun -n "$ranks" --map-by "slot:PE=$threads" --bind-to core); fi
    if [[ $(id -u) == 0 ]]; then launch+=(--allow-run-as-root); fi ;;
  *)
    say "launcher is \"$launcher\" in site.sh; allowed: srun, mpirun"
    exit 2 ;;
esac

pid=
warned=0
# shellcheck disable=SC2317  # called by the trap
warn() {
  warned=1
  if [[ -n $pid ]]; then kill -USR1 "$pid" 2>/dev/null; fi
}
trap warn USR1

"${launch[@]}" "${launcher_options[@]}" "${container[@]}" "$program" "$verb" "$experiment" --threads "$threads" \
  "${options[@]}" &
pid=$!
if ((warned)); then kill -USR1 "$pid"; fi
# A signal ends `wait` before the program ends.
while kill -0 "$pid" 2>/dev/null; do wait "$pid"; done
wait "$pid"
code=$?

readonly stopped=4 stopped_before_it_listened=138
if ((code != stopped && code != stopped_before_it_listened)); then exit "$code"; fi
if [[ -z ${SLURM_JOB_ID:-} ]]; then
  say "stopped by a signal; the same command continues"
  exit "$stopped"
fi
if ((${SLURM_RESTART_COUNT:-0} >= restarts)); then
  say "stopped, and queued $SLURM_RESTART_COUNT times already (restarts in site.sh): submit it again to continue"
  exit "$stopped"
fi
job=$SLURM_JOB_ID
if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID; fi
say "stopped; queueing job $job again, which continues"
trap '' USR1
if scontrol requeue "$job"; then sleep 60; fi  # until Slurm ends this one
exit "$stopped"
