"""Runs every benchmark and every comparison, and writes a table and CSV files. `./run bench` calls it.

    python benchmarks/run.py [--quick] [--only PART ...] [--results FOLDER]

Parts: kernels, fits, ridge, pca, motion_energy, whisper, llama, internvl, slow_r50, scaling, voxels, sweep."""
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


def lacks(name, packages, listed="requirements.txt"):
    missing = subprocess.run([sys.executable, "-c", f"import {packages}"], capture_output=True).returncode != 0
    if missing:
        print(f"# {name}: skipped, for this Python lacks benchmarks/peers/{listed}")
    return missing


def peer(options, name, *words, packages="sklearn, himalaya, moten, h5py", listed="requirements.txt"):
    if lacks(name, packages, listed):
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


def scaling(options, facts):
    command = [sys.executable, HERE / "scaling.py", "--program", options.program, "--threads", options.threads, "--folder",
               options.folder, "--results", options.results, *(["--quick"] if options.quick else [])]
    subprocess.run(list(map(str, command)), check=True)


def voxels(options, facts):
    small = ["--rows", 2000, "--columns", 200, "--targets", 10000, "--memory", "512MiB"] if options.quick else []
    command = [sys.executable, HERE / "voxels.py", "--program", options.program, "--folder", options.folder, "--csv",
               options.results / "voxels.csv", *small]
    subprocess.run(list(map(str, command)), check=True)


def sweep(options, facts):
    if lacks("sweep", "numpy, h5py"):
        return
    small = ["--sizes", "4000x100"] if options.quick else []
    command = [sys.executable, HERE / "sweep.py", "--program", options.program, "--threads", options.threads, "--folder",
               options.folder, "--csv", options.results / "sweep.csv", *small]
    subprocess.run(list(map(str, command)), check=True)


PARTS = {part.__name__: part for part in (kernels, fits, ridge, pca, motion_energy, whisper, llama, internvl, slow_r50,
                                          scaling, voxels, sweep)}


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
