"""What the comparisons with other packages share: header, running cinecortex, agreement, CSV.

Each comparison runs the peer and cinecortex on the same files with the same number of threads, one after the
other, in processes of their own, and checks that they agree before it reports a ratio. Wall-clock seconds count;
processor seconds stand beside them, for they change less where other work runs on the machine."""
import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/cinecortex"), help="the built cinecortex")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, default=Path("peers-data"), help="for data and results")
    parser.add_argument("--csv", type=Path, default=Path("peers.csv"), help="a row a comparison is appended")
    return parser


def header(options):
    """What a figure is worth nothing without."""
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    version = subprocess.run([options.program, "--version"], capture_output=True, text=True, check=True).stdout
    blas = next((line.strip() for line in version.splitlines() if "BLAS" in line), "BLAS unknown")
    facts = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "threads": options.threads,
        "blas": blas,
        "load": f"{os.getloadavg()[0]:.2f}",
    }
    for name, value in facts.items():
        print(f"# {name}: {value}")
    return facts


def environment(threads):
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    return os.environ | {name: str(threads) for name in names}


def timed(command, threads):
    """(wall seconds, processor seconds, output) of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, env=environment(threads), capture_output=True, text=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def run_cinecortex(options, *command):
    """(wall seconds of the whole program, processor seconds, its JSON report)."""
    words = (options.program, *command, "--threads", options.threads, "--force", "--json")
    wall, cpu, out = timed([str(word) for word in words], options.threads)
    return wall, cpu, json.loads(out)


def run_peer(options, script, *words):
    """The same of a Python script's own process, which prints JSON with its own `seconds` of the work alone, so
    that neither the start of Python nor reading counts against the peer."""
    _, cpu, out = timed([sys.executable, script, *map(str, words)], options.threads)
    report = json.loads(out.splitlines()[-1])
    return report["seconds"], report.get("cpu_seconds", cpu), report


def run_kernel(options, name, *words):
    """The JSON report of build/.../benchmarks/NAME, which calls one part of cinecortex."""
    kernel = Path(options.program).parents[1] / "benchmarks" / name
    return json.loads(timed([str(word) for word in (kernel, *words)], options.threads)[2])


def fastest(work, calls=3):
    """(seconds of the fastest call, what the last one gave), in a peer's process."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def tell(seconds, values, result):
    """What a peer's process leaves for run_peer: its time on standard output, its values in a file."""
    values.tofile(result)
    print(json.dumps({"seconds": seconds}))


def compare(options, facts, what, who, peer_seconds, our_seconds, ours, theirs, **more):
    """A row with both times and how far our numbers are from the peer's, of its largest; two arrays or files of float32."""
    import numpy as np

    a, b = (np.fromfile(values, np.float32) if isinstance(values, Path) else values for values in (ours, theirs))
    append(options, facts, {
        "what": what,
        "who": who,
        "peer_seconds": f"{peer_seconds:.3f}",
        "our_seconds": f"{our_seconds:.3f}",
        "ours_is_faster_by": f"{peer_seconds / our_seconds:.2f}",
        "off_by": f"{np.abs(a - b).max() / np.abs(b).max():.1e}",
    } | more)


def start(main, peer):
    """Runs a script: its comparison, or, called by run_peer with the word `peer` in front, the peer."""
    if sys.argv[1:2] == ["peer"]:
        peer(*sys.argv[2:])
    else:
        main()


def append(options, facts, row):
    """Prints a row and appends it to the CSV, with what the header says."""
    row = facts | row
    new = not options.csv.exists()
    options.csv.parent.mkdir(parents=True, exist_ok=True)
    with options.csv.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
    print("  ".join(f"{name} {value}" for name, value in row.items() if name not in facts), flush=True)
