# shellcheck shell=bash disable=SC2034  # read by the scripts beside it
# The site's settings: the one file here to change. Several clusters, several files: CINECORTEX_SITE=/path/to/other.sh

# --- The program -------------------------------------------------------------------------------------------------

program=        # path of cinecortex; empty: the one that was built or installed with these scripts
container=()    # words in front of it, e.g. (apptainer exec --nv "$HOME/cinecortex.sif")
setup() {       # makes it run on a node, e.g. module load gcc openmpi hdf5 openblas
  :
}

# --- The account -------------------------------------------------------------------------------------------------

account=            # empty: Slurm's default; so for every empty setting below
sbatch_options=()   # anything else that every job needs, e.g. (--qos=long --mail-type=FAIL)
logs=logs           # folder of the jobs' output, seen from where they are submitted

# --- Nodes -------------------------------------------------------------------------------------------------------

# pca, ridge, stack, predict, score, partition, sweep: one rank a socket, with all its cores as threads.
cpu_partition=
cpu_nodes=1
cpu_ranks=2      # on each node
cpu_threads=16   # of each rank
cpu_memory=0     # of a node, e.g. 180G; 0: all of it

# extract: one rank a GPU. gpus=0: on the nodes above, each of their cores a rank, for spaces without networks.
gpu_partition=
gpu_nodes=1
gpus=4           # on each node
gpu_threads=8    # cores of each, for decoding
gpu_memory=0

# --- How ranks are started ----------------------------------------------------------------------------------------

launcher=srun         # srun (Slurm with PMIx: `srun --mpi=list` shows it) | mpirun
launcher_options=()   # more words for it
bind=cores            # each rank to cores of its own: cores | none (nodes that are shared out by less than a core)

# --- Time ---------------------------------------------------------------------------------------------------------

# Limits; `cinecortex validate` estimates. A job that needs more is warned, stops, queues again and continues.
declare -A limits=([extract]=24:00:00 [pca]=8:00:00 [ridge]=24:00:00 [stack]=4:00:00 [predict]=4:00:00
  [score]=2:00:00 [partition]=24:00:00 [sweep]=24:00:00)
warning_s=600   # before the limit, and much less than it: longer than the longest decomposition, or chunk of a network (docs/hpc.md)
restarts=20     # at most
