"""Strong and weak scaling of extraction, components, ridge, stacking and files on this machine, a cost model calibrated on smaller
sizes beside it, and what that model makes of 1 to 1024 ranks and of larger studies.

    python benchmarks/scaling.py [--quick] [--results FOLDER] [--bandwidth B/s] [--latency S] [--file-system B/s]

Writes scaling.csv (measured beside predicted), scaling-model.csv (predicted) and scaling.svg. run.py calls it."""
import array
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))
from common import append, arguments, environment, header
from cost_model import PARTS, Shape, calibrate, seconds_of, shape_of, study, work

SPACES = """
[[space]]
name = "motion"
model = "motion_energy"
[[space]]
name = "audio"
model = "audio_energy"
"""


def launch(ranks, *command):
    root = ["--allow-run-as-root"] if os.getuid() == 0 else []
    words = ["mpirun", *root, "--oversubscribe", "--bind-to", "none", "-n", ranks, *command]
    env = environment(1) | {"OMPI_MCA_mpi_yield_when_idle": "1"}
    done = subprocess.run(list(map(str, words)), env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"scaling.py: {' '.join(map(str, words))}\n{done.stderr}")
    return json.loads(done.stdout)


def fastest(runs):
    """Of several runs of the same the least seconds of each phase."""
    found = runs[0]
    for other in runs[1:]:
        for name, seconds in other["seconds"].items():
            found["seconds"][name] = min(found["seconds"][name], seconds)
    return found


def measure(options, ranks, rows, columns, targets, curve=None, repeats=None):
    words = [options.built / "scaling", "--rows", rows, "--columns", columns, "--targets", targets, "--folder",
             options.folder]
    if curve: words += ["--curve", curve]
    return fastest([launch(ranks, *words) for _ in range(repeats or options.repeats)])


def distance(file, other):
    a, b = (array.array("d", Path(name).read_bytes()) for name in (file, other))
    return max(abs(x - y) / abs(x) for x, y in zip(a, b, strict=True))


def row(options, facts, kind, found, part, seconds, predicted, one=None, more_work=1):
    """more_work: how much more was done than by `one`, the seconds of one rank."""
    append(options, facts, {
        "what": kind,
        "part": part,
        "ranks": found["ranks"],
        "rows": found["rows"],
        "columns": found["columns"],
        "targets": found["targets"],
        "seconds": f"{seconds:.4f}",
        "efficiency": f"{more_work * one / found['ranks'] / seconds:.3f}" if one else "",
        "predicted": f"{predicted:.4f}",
        "predicted_share": f"{predicted / seconds:.3f}",
    })
    return predicted / seconds


def compare(options, facts, model, kind, found, one=None):
    """A row a part, and one for all; returns predicted over measured by part. How many products stand for all alphas is known
    before the passes."""
    model = dataclasses.replace(model, terms=found["terms"])
    shape, seconds = shape_of(found), seconds_of(found)
    single = seconds_of(one) if one else {}
    shares, sums = {}, [0.0, 0.0, 0.0]
    for part in PARTS:
        predicted = model.seconds(part, shape, found["ranks"])
        # Work of one beside work of all: as many rows, or half as many in weak scaling.
        more = work(part, shape) / work(part, shape_of(one)) if one else 1
        shares[part] = row(options, facts, kind, found, part, seconds[part], predicted, single.get(part), more)
        for i, value in enumerate((seconds[part], predicted, more * single.get(part, 0))):
            sums[i] += value
    shares["all"] = row(options, facts, kind, found, "all", sums[0], sums[1], sums[2] or None)
    return shares


def fit(options, facts):
    """Calibrates on two small sizes, measures larger ones. Returns the model and, by label, predicted over measured."""
    part = 2 if options.quick else 1
    ranks = options.threads
    sizes = [(9600, p, p) for p in (800, 1200)]  # the parts of smaller ones cannot be told apart
    model = calibrate({r: [measure(options, r, *size) for size in sizes] for r in sorted({1, ranks})}, options.threads)
    for name, paces in model.paces.items():
        print(f"# {name}: " + ", ".join(f"{pace.fixed_s:.2g} s and {pace.rate:.3g} a rank and second on {r}"
                                        for r, pace in paces.items()))
    print(f"# network: {model.latency_s:.2g} s, {model.bandwidth:.3g} B/s; {model.terms:.2f} products for all alphas")
    shares = {}
    n, p, t = 19200 // part, 2000 // part, 2000 // part
    one = measure(options, 1, n, p, t)
    shares["1 rank"] = compare(options, facts, model, "one rank", one)
    many = measure(options, ranks, n, p, t)
    shares[f"{ranks} ranks"] = compare(options, facts, model, "strong", many, one)
    half = measure(options, 1, n // ranks // 480 * 480, p, t)
    shares["1 rank, rows divided"] = compare(options, facts, model, "weak, one rank", half)
    compare(options, facts, model, "weak", many, half)
    wide = [measure(options, r, n, p // 2, 2 * t) for r in (1, ranks)]
    shares["1 rank, more targets"] = compare(options, facts, model, "more targets", wide[0])
    shares[f"{ranks} ranks, more targets"] = compare(options, facts, model, "more targets", wide[1], wide[0])
    return model, shares


def experiment(options, base, name):
    """An experiment on the made-up data whose base runs are those; features in a folder of its own."""
    file = options.folder / f"{name}.toml"
    file.write_text(f"""[data]
root = "{options.folder / 'scaling-data'}"
subjects = [1]
[split]
base = "{base}"
stack = "friends:5"
test = "friends:6"
{SPACES}
[output]
dir = "{options.folder / name}"
""")
    return file


def extract(options, base, ranks):
    """(seconds, TRs) of an extraction. Its start is not counted: the program reports its own time."""
    best = None
    for _ in range(options.repeats):
        found = launch(ranks, options.program, "extract", experiment(options, base, "scaling-out"), "--threads", 1, "--force",
                       "--json", "--log-level", "warning")
        if best is None or found["seconds"] < best["seconds"]: best = found
    return best["seconds"], best["details"]["tr_extracted"]


def extraction(options, facts, shares):
    """Calibrated on a few runs, measured on all. Returns seconds a TR of a rank on a busy node."""
    tr = 24 if options.quick else 40
    subprocess.run(list(map(str, [options.program, "synth", "--output", options.folder / "scaling-data", "--subjects", 1,
                                  "--parcels", 4, "--run-tr", tr, "--runs-per-season", 4, "--runs-per-movie", 1, "--json"])),
                   check=True, capture_output=True)
    pace, single = {}, {}
    for ranks in (1, options.threads):
        seconds, rows = extract(options, "friends:1", ranks)
        pace[ranks] = seconds * ranks / rows
    for ranks in (1, options.threads):
        seconds, rows = extract(options, "friends:1-4", ranks)
        single[ranks] = seconds
        found = {"ranks": ranks, "rows": int(rows), "columns": "", "targets": ""}
        share = row(options, facts, "extraction, motion and sound", found, "extract", seconds, pace[ranks] * rows / ranks,
                    single[1] if ranks > 1 else None)
        shares["1 rank" if ranks == 1 else f"{ranks} ranks"]["extract"] = share
    return pace[options.threads]


def same_on_many(options):
    """More ranks than cores say nothing about time, but have to give the same."""
    curves = [options.folder / f"curve-{i}" for i in range(2)]
    small = (4000, 300, 600)
    measure(options, 1, *small, curves[0], 1)
    for ranks in range(2, 9):
        found = measure(options, ranks, *small, curves[1], 1)
        print(f"# {ranks} ranks, {small}: the curve is off by {distance(*curves):.1e}, bound {found['bound']:.1e}, "
              f"{found['memory_bytes'] / 2**20:.0f} MiB a rank, printed {found['memory_bound_bytes'] / 2**20:.0f} MiB")
    for curve in curves: curve.unlink()


STUDIES = {
    # Name: sizes, spaces, TRs of movies. All people of a study see the same movies, so their targets are fitted together.
    "challenge: 4 people x 1000 parcels": (Shape(100_000, 6000, 4000, 20_000, 2000), 6, 150_000),
    "voxels: 4 people x 260,000": (Shape(100_000, 3000, 1_040_000, 20_000, 1000), 6, 150_000),
    "cohort: 10,000 people x 1000 parcels": (Shape(100_000, 6000, 10_000_000, 20_000, 2000), 6, 150_000),
}


def project(options, facts, model, seconds_a_tr, file_system):
    """Rows of scaling-model.csv; seconds of all stages by study and ranks."""
    table = {}
    options.csv = options.results / "scaling-model.csv"
    for name, (shape, spaces, tr) in STUDIES.items():
        for ranks in (2**i for i in range(11)):
            stages = study(model, shape, spaces, tr, seconds_a_tr, ranks, file_system)
            table.setdefault(name, {})[ranks] = stages
            append(options, facts, {"what": name, "ranks": ranks} | {stage: f"{seconds:.4g}" for stage, seconds in
                                                                   stages.items()})
    return table


def picture(file, table, shares):
    try:
        import matplotlib
    except ImportError:
        print("# no picture: this Python lacks matplotlib (benchmarks/peers/requirements.txt)")
        return
    matplotlib.use("svg")
    from matplotlib import pyplot
    pyplot.rcParams.update({"svg.hashsalt": "scaling", "svg.fonttype": "none", "font.size": 9})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for place, (label, parts) in enumerate(shares.items()):
        left.scatter(list(parts), list(parts.values()), s=28, label=label, zorder=3)
    left.axhspan(0.75, 1.25, color="0.92", zorder=0)
    left.axhline(1, color="0.5", linewidth=0.8)
    left.set_ylim(0.4, 1.6)
    left.set_ylabel("predicted / measured")
    left.set_title("the model on sizes that it was not calibrated on")
    pyplot.setp(left.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
    left.legend(fontsize=7, ncols=2)
    for name, by_ranks in table.items():
        ranks = list(by_ranks)
        right.loglog(ranks, [by_ranks[r]["all"] / 3600 for r in ranks], marker="o", markersize=3, label=name)
        right.loglog(ranks, [by_ranks[1]["all"] / 3600 / r for r in ranks], color="0.75", linewidth=0.8, zorder=0)
    right.set_xlabel("ranks of one thread")
    right.set_ylabel("hours, all stages")
    right.set_title("predicted; grey: no loss")
    right.legend(fontsize=7)
    figure.savefig(file, metadata={"Date": None})


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: no figures to quote")
    parser.add_argument("--repeats", type=int, default=2, help="of each measurement, of which the fastest counts")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of the CSV files and the picture")
    parser.add_argument("--latency", type=float, help="of the network between nodes, s (default: as measured here)")
    parser.add_argument("--bandwidth", type=float, help="of the network between nodes, bytes/s (default: as measured here)")
    parser.add_argument("--file-system", type=float, help="of all ranks together, bytes/s (default: as measured here)")
    options = parser.parse_args()
    options.built = Path(options.program).resolve().parents[1] / "benchmarks"
    options.results.mkdir(parents=True, exist_ok=True)
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    options.csv = options.results / "scaling.csv"
    for name in ("scaling.csv", "scaling-model.csv"):
        (options.results / name).unlink(missing_ok=True)
    facts = header(options)
    model, shares = fit(options, facts)
    seconds_a_tr = extraction(options, facts, shares)
    off = {label: max((abs(share - 1), part) for part, share in parts.items()) for label, parts in shares.items()}
    for label, (error, part) in off.items():
        print(f"# {label}: the model is off by {abs(shares[label]['all'] - 1):.0%} in all, by {error:.0%} at most ({part})")
    file_system = options.file_system or model.pace("reading", options.threads).rate * options.threads
    if options.latency: model.latency_s = options.latency
    if options.bandwidth: model.bandwidth = options.bandwidth
    picture(options.results / "scaling.svg", project(options, facts, model, seconds_a_tr, file_system), shares)
    same_on_many(options)


if __name__ == "__main__":
    main()
