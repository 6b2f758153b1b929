"""The leading principal components: cinecortex beside scikit-learn, on the same .npy with the same threads.

    python -m venv venv && venv/bin/pip install numpy scikit-learn h5py
    venv/bin/python benchmarks/peers/pca.py --program build/release/bin/cinecortex

cinecortex is timed as a whole program: start, reading, scores of all rows, the written file; and by its own report, which leaves out the
start. scikit-learn is timed for fit and transform alone. Agreement is measured for both: the largest ‖S c - λ c‖ / λ_1 against the covariance in
float64, and against the exact solver the explained variance and the sine of the largest angle between the spaces of
the first k components."""
import json
import sys
import time

import numpy as np

from common import append, arguments, header, run_cinecortex, run_peer

SPECTRA = {"power": "variance of direction j: 1/j", "flat": "the same variance in every direction"}


def make(file, spectrum, rows, columns, dtype):
    """Normal numbers whose covariance has the spectrum, in random directions."""
    random = np.random.default_rng(1)
    values = random.standard_normal((rows, columns), dtype=np.float32)
    if spectrum == "power":
        turn = np.linalg.qr(random.standard_normal((columns, columns), dtype=np.float32))[0]
        values = (values * np.arange(1, columns + 1, dtype=np.float32) ** -0.5) @ turn.T
    np.save(file, values.astype(dtype))


def peer(file, components, solver, result):
    """In a process of its own."""
    from sklearn.decomposition import PCA

    x = np.load(file)
    cpu, start = time.process_time(), time.perf_counter()
    model = PCA(components, svd_solver=solver, random_state=0)
    model.fit(x)
    model.transform(x)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    np.savez(result, components=model.components_, variance=model.explained_variance_)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu}))


def residual(x, components, variance):
    x = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    c = components.astype(np.float64)
    images = (c @ x.T) @ x / (len(x) - 1)
    return np.linalg.norm(images - variance[:, None] * c, axis=1).max() / variance[0]


def largest_sine(a, b):
    outside = b - (b @ a.T) @ a
    return np.linalg.norm(outside, 2)


def compare(options, facts, spectrum, dtype):
    import h5py

    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / f"{spectrum}-{options.rows}x{options.columns}-{dtype}.npy"
    if not file.exists():
        make(file, spectrum, options.rows, options.columns, dtype)
    x, found = np.load(file), {}
    for solver in ("covariance_eigh", "randomized"):
        result = options.folder / "peer.npz"
        seconds, cpu, _ = run_peer(options, __file__, "peer", file, options.components, solver, result)
        with np.load(result) as model:
            found[f"scikit-learn {solver}"] = seconds, cpu, model["components"], model["variance"]
    output = options.folder / "ours.h5"
    seconds, cpu, report = run_cinecortex(
        options, "pca", "--x", file, "--components", options.components, "--scale", "none", "--output", output)
    with h5py.File(output) as model:
        found[f"cinecortex {model.attrs['solver']}"] = (
            seconds, cpu, model["components"][:], model["explained_variance"][:])

    exact = found["scikit-learn covariance_eigh"]
    ours = list(found)[-1]
    for name, (seconds, cpu, components, variance) in found.items():
        append(options, facts, {
            "what": f"pca {options.components} of {options.rows} x {options.columns} {dtype} {spectrum}",
            "who": name,
            "seconds": f"{seconds:.2f}",
            "cpu_seconds": f"{cpu:.2f}",
            "ours_is_faster_by": f"{seconds / found[ours][0]:.2f}",
            "beside_our_fit": f"{seconds / report['seconds']:.2f}",
            "residual": f"{residual(x, components, variance):.1e}",
            "variance_off_by": f"{np.abs(variance / exact[3] - 1).max():.1e}",
            "largest_sine": f"{largest_sine(exact[2].astype(float), components.astype(float)):.1e}",
        })
    if residual(x, *found[ours][2:]) > 1e-6:
        sys.exit("cinecortex's components are not exact to 1e-6")


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--columns", type=int, default=6000)
    parser.add_argument("--components", type=int, default=500)
    parser.add_argument("--spectrum", choices=SPECTRA, nargs="*", default=list(SPECTRA))
    parser.add_argument("--type", choices=["float32", "float64"], nargs="*", default=["float32", "float64"])
    options = parser.parse_args()
    facts = header(options)
    for spectrum in options.spectrum:
        print(f"# {spectrum}: {SPECTRA[spectrum]}")
        for dtype in options.type:
            compare(options, facts, spectrum, dtype)


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer"]:
        peer(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
    else:
        main()
