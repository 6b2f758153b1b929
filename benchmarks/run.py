"""Runs every benchmark and every comparison, and writes a table and CSV files. `./run bench` calls it.

    python benchmarks/run.py [--quick] [--only PART ...] [--results FOLDER]

Parts: kernels, fits, ridge, pca, motion_energy, whisper, llama, internvl, slow_r50, scaling, voxels."""
import array
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))
from common import append, arguments, environment, header


def google(options, facts, name, filters=()):
    """One Google Benchmark executable: its counters as a row a case."""
    out = options.results / f"{name}.json"
    words = [options.built / f"bench_{name}", f"--benchmark_out={out}", "--benchmark_out_format=json", *filters]
    env = environment(options.threads) | ({"BENCH_ROWS": "4800"} if options.quick else {})
    subprocess.run(list(map(str, words)), env=env, check=True, stdout=subprocess.DEVNULL)
    usual = {"name", "run_name", "run_type", "repetitions", "repetition_index", "threads", "iterations", "real_time",
             "cpu_time", "time_unit", "family_index", "per_family_instance_index", "label"}
    options.csv = options.results / f"{name}.csv"
    cases = json.loads(out.read_text())["benchmarks"]
    counters = sorted({key for case in cases for key in case} - usual)
    for case in cases:
        row = {"what": case["name"].removesuffix("/real_time"), "milliseconds": f"{case['real_time']:.1f}"}
        append(options, facts, row | {key: f"{case[key]:.3g}" if key in case else "" for key in counters})
    out.unlink()


def kernels(options, facts):
    google(options, facts, "kernels")


def fits(options, facts):
    quick = ["--benchmark_filter=2000/250|1000/4000|1000/1000"] if options.quick else []
    google(options, facts, "ridge", quick)
    if not options.quick:
        google(options, facts, "sweep")


def peer(options, name, *words, packages="sklearn, himalaya, moten, h5py", listed="requirements.txt"):
    missing = subprocess.run([sys.executable, "-c", f"import {packages}"], capture_output=True)
    if missing.returncode != 0:
        print(f"# {name}: skipped, for this Python lacks benchmarks/peers/{listed}")
        return
    command = [sys.executable, HERE / "peers" / f"{name}.py", "--program", options.program, "--threads",
               options.threads, "--folder", options.folder, "--csv", options.results / f"peers-{name}.csv", *words]
    subprocess.run(list(map(str, command)), check=True)


def ridge(options, facts):
    peer(options, "ridge", *(["--quick"] if options.quick else []))


def pca(options, facts):
    small = ["--rows", 2000, "--columns", 1500, "--components", 125] if options.quick else []
    peer(options, "pca", *small)


def motion_energy(options, facts):
    peer(options, "motion_energy", *(["--frames", 40] if options.quick else []))


def whisper(options, facts):
    short = ["--trs", 2, "--batch", 1] if options.quick else []
    peer(options, "whisper", *short, packages="torch, transformers, safetensors", listed="requirements-networks.txt")


def llama(options, facts):
    short = ["--trs", 60, "--words", 3.4, "--every", 5] if options.quick else []
    peer(options, "llama", *short, packages="torch, transformers, tokenizers, h5py", listed="requirements-networks.txt")


def internvl(options, facts):
    short = ["--trs", 1, "--first", 1, "--blocks", 2] if options.quick else []
    peer(options, "internvl", *short, packages="torch, transformers, safetensors", listed="requirements-networks.txt")


def slow_r50(options, facts):
    short = ["--trs", 2, "--batch", 2] if options.quick else []
    peer(options, "slow_r50", *short, packages="torch, pytorchvideo, safetensors", listed="requirements-networks.txt")


def mpirun(ranks):
    root = ["--allow-run-as-root"] if os.getuid() == 0 else []
    return ["mpirun", *root, "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]


def phases(options, ranks, rows, columns, targets, curve=None):
    words = [*mpirun(ranks), options.built / "scaling", "--rows", rows, "--columns", columns, "--targets", targets]
    if curve: words += ["--curve", curve]
    env = environment(1) | {"OMPI_MCA_mpi_yield_when_idle": "1"}
    return json.loads(subprocess.run(list(map(str, words)), env=env, check=True, capture_output=True).stdout)


def distance(file, other):
    a, b = (array.array("d", Path(name).read_bytes()) for name in (file, other))
    return max(abs(x - y) / abs(x) for x, y in zip(a, b, strict=True))


def rows_of(options, facts, kind, one, many, work, off):
    """A row a phase: many ranks beside one. `work`: how much more the many did."""
    for name, phase in many["phases"].items():
        single = one["phases"][name]["seconds"]
        append(options, facts, {
            "what": f"{kind} {many['rows']} x {many['columns']} on {many['targets']}",
            "phase": name,
            "ranks": many["ranks"],
            "seconds": f"{phase['seconds']:.3f}",
            "seconds_of_one": f"{single:.3f}",
            "efficiency": f"{work * single / (many['ranks'] * phase['seconds']):.3f}",
            "predicted": f"{phase['predicted']:.3f}",
            "predicted_share": f"{phase['predicted'] / phase['seconds']:.2f}",
            "gemm_of_a_rank": f"{many['gemm_float']:.3g}",
            "gemm_of_one": f"{one['gemm_float']:.3g}",
            "curve_off_by": off,
            "memory_bytes": many["memory_bytes"],
            "memory_bound_bytes": many["memory_bound_bytes"],
        })


def scaling(options, facts):
    options.csv = options.results / "scaling.csv"
    part = 8 if options.quick else 1
    n, p, t = 40000 // part, 3000 // part, 4000 // part
    curves = [options.folder / f"curve-{i}" for i in range(2)]
    one = phases(options, 1, n, p, t, curves[0])
    two = phases(options, 2, n, p, t, curves[1])
    rows_of(options, facts, "one rank", one, one, 1, "0")
    rows_of(options, facts, "strong", one, two, 1, f"{distance(*curves):.1e}")
    half = phases(options, 1, n // 2, p, t)
    rows_of(options, facts, "weak", half, two, 2, "")
    # More ranks than cores say nothing about time, but have to give the same.
    small = (4000, 300, 600)
    first = phases(options, 1, *small, curves[0])
    for ranks in range(2, 9):
        found = phases(options, ranks, *small, curves[1])
        print(f"# {ranks} ranks, {small}: the curve is off by {distance(*curves):.1e}, bound {found['bound']:.1e}, "
              f"{found['memory_bytes'] / 2**20:.0f} MiB a rank, printed {found['memory_bound_bytes'] / 2**20:.0f} MiB")
    for curve in curves: curve.unlink()


def voxels(options, facts):
    small = ["--rows", 2000, "--columns", 200, "--targets", 10000, "--memory", "512MiB"] if options.quick else []
    command = [sys.executable, HERE / "voxels.py", "--program", options.program, "--folder", options.folder, "--csv",
               options.results / "voxels.csv", *small]
    subprocess.run(list(map(str, command)), check=True)


PARTS = {part.__name__: part for part in (kernels, fits, ridge, pca, motion_energy, whisper, llama, internvl, slow_r50,
                                          scaling, voxels)}


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: minutes, and no figures to quote")
    parser.add_argument("--only", choices=PARTS, nargs="*", default=list(PARTS))
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of the CSV files")
    options = parser.parse_args()
    options.built = Path(options.program).resolve().parents[1] / "benchmarks"
    options.results.mkdir(parents=True, exist_ok=True)
    options.folder.mkdir(parents=True, exist_ok=True)
    facts = header(options)
    for part in options.only:
        print(f"== {part}", flush=True)
        for old in options.results.glob(f"*{part}.csv"):
            old.unlink()
        PARTS[part](options, facts)
    print(f"CSV files are in {options.results}")


if __name__ == "__main__":
    main()
