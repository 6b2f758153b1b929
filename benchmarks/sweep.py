"""A whole sweep beside its largest configuration fitted alone, as a user runs both: `cinecortex sweep`, `cinecortex ridge`.

    python benchmarks/sweep.py --program build/release/bin/cinecortex

5 sizes x 9 (delay, window) x 15 alphas x 5 folds on matrices of float32; the single fit chooses alphas by leave-one-out (the
usual) and by the same folds. Start, reading and writing count; of three runs of each, taken in turns, the fastest. Checks
that the sweep chose the alphas of the single fit with its folds. Needs NumPy, h5py and 2 GB of disk."""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from common import append, arguments, header, run_cinecortex

RUN_ROWS, COMPONENTS, FOLDS, CALLS = 500, 250, 5, 3
DELAYS, WINDOWS, SIZES = [2, 3, 4], [1, 2, 3], [12, 31, 62, 125, 250]
ALPHAS = "1e6,1e5,1e4,1e3,100,10,1,0.5,0.1,0.05,0.01,0.005,0.001,1e-4,1e-5"


def make(folder, rows, targets):
    """Components with falling variances, and responses that follow them three to five TRs later."""
    files = [folder / f"sweep-{name}-{rows}x{targets}.npy" for name in ("x", "y", "groups")]
    if all(file.exists() for file in files):
        return files
    random = np.random.default_rng(1)
    x = random.standard_normal((rows, COMPONENTS), dtype=np.float32)
    x *= 10 / np.sqrt(1 + np.arange(COMPONENTS, dtype=np.float32))
    y = 100 * random.standard_normal((rows, targets), dtype=np.float32)
    for delay in (3, 4, 5):
        y[delay:] += x[:-delay] @ random.standard_normal((COMPONENTS, targets), dtype=np.float32)
    for file, values in zip(files, (x, y, (np.arange(rows) // RUN_ROWS).astype(np.float64)[:, None])):
        np.save(file, values)
    return files


def compare(options, facts, rows, targets):
    import h5py

    x, y, groups = make(options.folder, rows, targets)
    output = {name: options.folder / f"sweep-{name}.h5" for name in ("loo", f"kfold:{FOLDS}", "sweep")}
    seconds = {name: [] for name in output}
    matrices = ("--x", x, "--y", y, "--groups", groups, "--alphas", ALPHAS)
    newest, width = DELAYS[-1], WINDOWS[-1]
    largest = ",".join(str(newest + row) for row in range(width))
    tried = [word for key, values in (("components", SIZES), ("delay", DELAYS), ("window", WINDOWS),
                                      ("folds", FOLDS), ("edge", "shift")) for word in ("--set", f"{key}={values}")]
    for _ in range(CALLS):
        for name, file in output.items():
            verb = ("sweep", *tried) if name == "sweep" else (
                "ridge", "--delays", largest, "--edge", "shift", "--criterion", name)
            seconds[name].append(run_cinecortex(options, *verb, *matrices, "--output", file)[0])
    fastest = {name: min(times) for name, times in seconds.items()}
    with h5py.File(output["sweep"]) as sweep, h5py.File(output[f"kfold:{FOLDS}"]) as fit:
        [row] = np.flatnonzero((sweep["components"][:] == SIZES[-1]) & (sweep["delay"][:] == newest)
                               & (sweep["window"][:] == width))
        others = int((sweep["alpha"][row] != fit["alpha"][:]).sum())
    if others > 0:
        sys.exit(f"sweep.py: {rows} rows, {targets} targets: {others} alphas differ from the single fit's")
    append(options, facts, {
        "what": f"{rows} rows, {targets} targets",
        "sweep_seconds": f"{fastest['sweep']:.2f}",
        "loo_seconds": f"{fastest['loo']:.2f}",
        "kfold_seconds": f"{fastest[f'kfold:{FOLDS}']:.2f}",
        "beside_loo": f"{fastest['sweep'] / fastest['loo']:.2f}",
        "beside_kfold": f"{fastest['sweep'] / fastest[f'kfold:{FOLDS}']:.2f}"})


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="*", default=["20000x500", "20000x4000", "80000x500", "160000x1000"],
                        help="rows x targets")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    facts = header(options)
    for size in options.sizes:
        compare(options, facts, *map(int, size.split("x")))


if __name__ == "__main__":
    main()
