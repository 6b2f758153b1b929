"""A voxel job under a memory cap: 1 subject x 100,000 targets x 20,000 rows (8 GB of responses), 1000 columns.

    python benchmarks/voxels.py --program build/release/bin/cinecortex --memory 2GiB

Measures seconds, and the resident memory of every rank at its peak (the kernel's VmHWM), beside what --dry-run printed.
Then says what the cost model makes of 4 subjects x 260,000 voxels on 64 ranks. Needs NumPy and 10 GB of disk."""
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from common import append, arguments, header
from cost_model import SUMS_OF_ALPHAS

UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}


def npy_header(file, shape):
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})


def make(folder, rows, columns, targets):
    """Written in blocks, so that the data never lie in memory: 64 latent columns drive the targets."""
    random = np.random.default_rng(1)
    mix = random.standard_normal((64, targets), dtype=np.float32) * np.logspace(-1.5, 0, targets, dtype=np.float32)
    x, y = folder / f"voxels-x-{rows}x{columns}.npy", folder / f"voxels-y-{rows}x{targets}.npy"
    with x.open("wb") as x_file, y.open("wb") as y_file:
        npy_header(x_file, (rows, columns))
        npy_header(y_file, (rows, targets))
        for begin in range(0, rows, 500):
            count = min(500, rows - begin)
            features = random.standard_normal((count, columns), dtype=np.float32)
            features *= 10 / np.sqrt(1 + np.arange(columns, dtype=np.float32))
            features.tofile(x_file)
            noise = random.standard_normal((count, 4096), dtype=np.float32)
            responses = features[:, :64] @ mix
            responses += 8 * np.tile(noise, -(-targets // 4096))[:, :targets]
            responses.tofile(y_file)
    return x, y


def rank(folder, command):
    """On each rank: runs the program, notes the most memory that it held."""
    done = subprocess.run(command, stdout=subprocess.PIPE)
    name = os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMIX_RANK", "0"))
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    (Path(folder) / name).write_text(json.dumps({
        "bytes": usage.ru_maxrss * 1024, "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "output": done.stdout.decode()}))
    sys.exit(done.returncode)


def launch(ranks, *command):
    """(wall seconds, what each rank noted) of a command under mpirun, a thread a rank."""
    mpirun = ["mpirun", *(["--allow-run-as-root"] if os.getuid() == 0 else []), "--bind-to", "none",
              "--use-hwthread-cpus", "-n", str(ranks)]
    with tempfile.TemporaryDirectory() as notes:
        start = time.perf_counter()
        words = [*mpirun, sys.executable, __file__, "rank", notes, *map(str, command)]
        done = subprocess.run(words, env=os.environ | {"OMP_NUM_THREADS": "1"})
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            sys.exit(f"voxels.py: {' '.join(words)} failed")
        return seconds, [json.loads((Path(notes) / str(i)).read_text()) for i in range(ranks)]


def in_bytes(text):
    number, unit = re.match(r"([\d.]+) ?(\w+)", text).groups()
    return float(number) * UNITS[unit]


def predict(rows, columns, targets, terms, ranks, rates, turns=1):
    """Seconds of a leave-one-out fit by docs/performance.md's cost model. rates: operations a second of one rank in
    float32 and float64, bytes a second that all ranks together read. turns: rounds of targets."""
    n, p, t = float(rows), float(columns), float(targets)
    share = {
        "sums": (n * p * p + 2 * n * p * t) / rates["float"] / ranks,
        "eigenvectors": 14 / 3 * p**3 / rates["double"],
        "leverages": 2 * n * p * p / rates["float"] / ranks,
        # U is made anew for every round of targets where it does not fit the cache.
        "left vectors again": (turns - 1) * 2 * n * p * p / rates["float"] / ranks,
        "residual passes": 2 * n * (p + SUMS_OF_ALPHAS) * t * terms / rates["float"] / ranks,
        "weights": 4 * p * p * t / rates["double"] / ranks,
        "reading responses twice": 2 * 4 * n * t / rates["read"],
        "reading features": 4 * n * p * (2 + turns) / rates["read"],
        "writing weights": 8 * p * t / rates["write"],
    }
    return share | {"all": sum(share.values())}


def measured_rates(program, folder, ranks, file):
    """What the model is fed with: matrix products on that many ranks at once, and sequential reading and writing."""
    scaling = Path(program).parents[1] / "benchmarks/scaling"
    _, notes = launch(ranks, scaling, "--rows", 960, "--columns", 64, "--targets", 64)
    found = json.loads(next(note["output"] for note in notes if note["output"]))
    size, buffer = 0, bytearray(8 << 20)
    start = time.perf_counter()
    with file.open("rb", buffering=0) as source:
        while size < 2**31 and (count := source.readinto(buffer)):
            size += count
    read = size / (time.perf_counter() - start)
    probe = folder / "voxels-probe"
    start = time.perf_counter()
    with probe.open("wb", buffering=0) as target:
        for _ in range(64):
            target.write(buffer)
    write = 64 * len(buffer) / (time.perf_counter() - start)
    probe.unlink()
    return {"float": found["gemm_float"], "double": found["gemm_double"], "read": read, "write": write}


def measure(options, facts, x, y, ranks):
    command = (options.program, "ridge", "--x", x, "--y", y, "--output", options.folder / "voxels.h5", "--memory",
               options.memory, "--threads", 1, "--force")
    _, notes = launch(ranks, *command, "--dry-run")
    plan = "".join(note["output"] for note in notes)
    bound = in_bytes(re.search(r"([\d.]+ \w+) a rank at most", plan).group(1))
    rates = measured_rates(options.program, options.folder, ranks, y)
    wall, notes = launch(ranks, *command, "--json")
    report = json.loads(next(note["output"] for note in notes if note["output"]))
    details = report["details"]
    turns = -(-details["targets"] // details["targets_at_once"])
    terms = details["residual_passes"]
    model = predict(options.rows, options.columns, options.targets, terms, ranks, rates, turns)
    peak = sum(note["bytes"] for note in notes)
    cap = in_bytes(options.memory)
    append(options, facts, {
        "what": f"ridge loo {options.rows} x {options.columns} on {options.targets}, --memory {options.memory}",
        "ranks": ranks,
        "seconds": f"{report['seconds']:.1f}",
        "program_seconds": f"{wall:.1f}",
        "cpu_seconds": f"{sum(note['cpu_seconds'] for note in notes):.1f}",
        "predicted_seconds": f"{model['all']:.1f}",
        "peak_bytes_of_all_ranks": peak,
        "printed_bytes_of_all_ranks": round(bound * ranks),
        "cap_bytes": round(cap),
        "targets_at_once": details["targets_at_once"],
        "terms": terms,
        "bound": f"{details['cv_error_bound']:.1e}",
        "gemm_float_of_a_rank": f"{rates['float']:.3g}",
        "read_bytes_per_second": f"{rates['read']:.3g}",
    })
    print("#   model:", ", ".join(f"{name} {seconds:.1f} s" for name, seconds in model.items()))
    if peak > cap:
        sys.exit(f"voxels.py: {peak} bytes at the peak are more than --memory {options.memory}")
    return rates, terms, report["seconds"] / model["all"]


def project(rates, terms, factor):
    """4 subjects x 260,000 voxels on 64 ranks, each as fast as one here; the file system as measured here, and ten
    times that."""
    for rows, columns in ((20000, 1000), (100000, 3000), (100000, 6000)):
        for speed in (1, 10):
            disk = {name: speed * rates[name] for name in ("read", "write")}
            model = predict(rows, columns, 4 * 260000, terms, 64, rates | disk)
            print(f"# projection: 64 ranks, 1,040,000 targets, {rows} x {columns}, files at {disk['read'] / 1e9:.1f} GB/s: "
                  f"model {model['all']:.0f} s, times measured / model {factor:.2f} = {factor * model['all']:.0f} s")


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--columns", type=int, default=1000)
    parser.add_argument("--targets", type=int, default=100000)
    parser.add_argument("--memory", default="2GiB")
    parser.add_argument("--ranks", type=int, nargs="*", default=[2, 1])
    options = parser.parse_args()
    facts = header(options)
    options.folder.mkdir(parents=True, exist_ok=True)
    x, y = make(options.folder, options.rows, options.columns, options.targets)
    try:
        found = [measure(options, facts, x, y, ranks) for ranks in options.ranks]
        project(*found[0])
    finally:
        for file in (x, y, options.folder / "voxels.h5"):
            file.unlink(missing_ok=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["rank"]:
        rank(sys.argv[2], sys.argv[3:])
    else:
        main()
