"""Ridge with an alpha per target: cinecortex beside scikit-learn (leave-one-out) and himalaya (3 folds).

    python -m venv venv && venv/bin/pip install -r benchmarks/peers/requirements.txt
    venv/bin/python benchmarks/peers/ridge.py --program build/release/bin/cinecortex

Both get the same .npy. The peer is timed for its fit alone; cinecortex as it reports itself (reading, fit and
writing), and as a whole program. The ratio is with the whole program. Checked: the same alpha for every target, the
same weights, and the same curve (leave-one-out) or score of the best alpha (folds)."""
import json
import sys
import time

import numpy as np

from common import append, arguments, header, run_cinecortex, run_peer

LOO_ALPHAS = [1e6, 1e5, 1e4, 1e3, 100, 10, 1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 1e-4, 1e-5]
FOLD_ALPHAS = list(np.logspace(-1, 5, 20))


def make(folder, rows, columns, targets, dtype):
    """Columns with falling variances, and targets from hardly to well predictable, so that alphas differ."""
    random = np.random.default_rng(1)
    x = random.standard_normal((rows, columns), dtype=np.float32)
    x *= 10 / np.sqrt(1 + np.arange(columns, dtype=np.float32))
    y = x @ random.standard_normal((columns, targets), dtype=np.float32)
    y += random.standard_normal((rows, targets), dtype=np.float32) * np.logspace(1, 3.5, targets, dtype=np.float32)
    files = folder / f"x-{rows}x{columns}-{dtype}.npy", folder / f"y-{rows}x{targets}-{dtype}.npy"
    for file, values in zip(files, (x, y)):
        np.save(file, values.astype(dtype))
    return files


def scikit_learn(x, y, result):
    from sklearn.linear_model import RidgeCV

    fit = RidgeCV(LOO_ALPHAS, alpha_per_target=True)
    start = time.perf_counter()
    fit.fit(x, y)
    seconds = time.perf_counter() - start
    # The reference is float64 whatever was timed, and keeps the curve, which costs memory.
    exact = RidgeCV(LOO_ALPHAS, alpha_per_target=True, store_cv_results=True).fit(x.astype(float), y.astype(float))
    curve = exact.cv_results_.mean(axis=0).T
    np.savez(result, alpha=fit.alpha_, exact_alpha=exact.alpha_, weights=exact.coef_.T, curve=curve)
    return seconds


def himalaya(x, y, result):
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import r2_score
    from sklearn.model_selection import KFold

    set_backend("numpy")

    def fit(batch):  # targets at once
        return RidgeCV(FOLD_ALPHAS, fit_intercept=True, cv=KFold(3),
                       solver_params={"score_func": r2_score, "n_targets_batch": batch})

    best = None
    for batch in (None, 2000):  # the faster counts
        timed = fit(batch)
        start = time.perf_counter()
        timed.fit(x, y)
        seconds = time.perf_counter() - start
        best = min(best or seconds, seconds)
    # The reference is float64 whatever was timed.
    exact = fit(2000).fit(x.astype(float), y.astype(float))
    np.savez(result, alpha=timed.best_alphas_, exact_alpha=exact.best_alphas_, weights=exact.coef_,
             curve=exact.cv_scores_)
    return best


PEERS = {"scikit-learn": (scikit_learn, LOO_ALPHAS, "loo"), "himalaya": (himalaya, FOLD_ALPHAS, "kfold:3")}


def agreement(ours, theirs, folds):
    """How far ours is from the peer's: targets of another alpha, weights (of targets with the same), curve."""
    alpha, exact = ours["alpha"][:], theirs["exact_alpha"]
    same = np.isclose(alpha, exact, rtol=1e-4)
    weights, reference = ours["weights"][:][:, same], theirs["weights"][:, same]
    off = np.linalg.norm(weights - reference, axis=0) / np.linalg.norm(reference, axis=0)
    curve = ours[folds and "cv_r2" or "cv_mse"][:]
    distance = np.abs(curve.max(axis=0) - theirs["curve"]) if folds else np.abs(curve / theirs["curve"] - 1)
    return {
        "other_alphas": int((~same).sum()),
        "peer_other_alphas": int((~np.isclose(theirs["alpha"], exact, rtol=1e-4)).sum()),
        "weights_off_by": f"{off.max():.1e}",
        "curve_off_by": f"{distance.max():.1e}",
    }


def compare(options, facts, peer, sizes, dtype):
    import h5py

    options.folder.mkdir(parents=True, exist_ok=True)
    x, y = make(options.folder, *sizes, dtype)
    _, alphas, criterion = PEERS[peer]
    output, result = options.folder / "ours.h5", options.folder / "peer.npz"
    # The first call finds the files in no cache and the program not yet loaded: it does not count.
    runs = [run_cinecortex(options, "ridge", "--x", x, "--y", y, "--alphas", ",".join(map(repr, map(float, alphas))),
                           "--criterion", criterion, "--output", output) for _ in range(3)][1:]
    wall, cpu, report = min(runs, key=lambda run: run[0])
    seconds, peer_cpu, _ = run_peer(options, __file__, "peer", peer, x, y, result)
    with h5py.File(output) as ours, np.load(result) as theirs:
        agrees = agreement(ours, theirs, criterion != "loo")
    append(options, facts, {
        "what": f"ridge {criterion}, {sizes[0]} x {sizes[1]} on {sizes[2]}, {len(alphas)} alphas, {dtype}",
        "who": peer,
        "peer_seconds": f"{seconds:.2f}",
        "our_seconds": f"{report['seconds']:.2f}",
        "our_program_seconds": f"{wall:.2f}",
        "our_cpu_seconds": f"{cpu:.2f}",
        "ours_is_faster_by": f"{seconds / wall:.1f}",
    } | agrees)
    for file in (x, y, output, result):
        file.unlink()


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--peer", choices=PEERS, nargs="*", default=list(PEERS))
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    options = parser.parse_args()
    facts = header(options)
    part = 10 if options.quick else 1
    if "scikit-learn" in options.peer:
        for dtype in ("float32", "float64"):
            compare(options, facts, "scikit-learn", (8000 // part, 1000 // part, 1000 // part), dtype)
    if "himalaya" in options.peer:
        compare(options, facts, "himalaya", (3000 // part, 1000 // part, 30000 // part), "float32")


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer"]:
        fit = PEERS[sys.argv[2]][0]
        print(json.dumps({"seconds": fit(np.load(sys.argv[3]), np.load(sys.argv[4]), sys.argv[5])}))
    else:
        main()
