"""The cost model of docs/performance.md: seconds of each part of a study from the operations it needs, and from what they took
on the machine where it runs.

A part takes a fixed time and one that grows with its operations; both come from two sizes that were measured, apart for one rank
alone and for all cores busy, for ranks of a processor share its memory and its power. Where more ranks than cores are asked for,
they are taken to be on nodes like this one, each as fast as here with all cores busy, and joined by a network whose latency and
bandwidth are those measured between ranks here, unless others are given."""
import math
from dataclasses import dataclass, field

RUN_ROWS = 480  # TRs of a run, the unit in which rows are dealt
MOST_ROWS_OF_FLOAT32 = 2048  # that are summed before they move to float64
SUMS_OF_ALPHAS = 120  # columns' worth of work that a product brings with it: its terms' sums over alphas
TARGETS_OF_A_BLOCK = 64  # fewer are not dealt apart
ONE_RANK_DECOMPOSES = 4000  # columns, below which the eigenvectors are found by one rank


@dataclass
class Shape:
    """Sizes of a fit. features: width before the components are taken; models: that are stacked."""
    rows: float
    columns: float
    targets: float
    features: float = 0
    components: float = 0
    models: int = 6


def operations(part, shape, terms):
    """What is divided among the ranks: floating-point operations, or numbers, or bytes for files."""
    n, p, t = shape.rows, shape.columns, shape.targets
    return {
        "cross products": 2 * n * p * t,
        "gram": n * p * p,
        "eigenvectors": 14 / 3 * p**3,
        "projection": 2 * p * p * t,
        "leverages": 2 * n * p * p,
        "residual passes": 2 * n * t * terms * (p + SUMS_OF_ALPHAS),
        "gram and cross products": n * p * p + 2 * n * p * t,
        "components": components(shape),
        "stacking": n / 4 * t * shape.models**2,  # on a quarter as many rows as the base models
        "writing": 4 * n * 2 * t,
        "reading": 4 * n * 2 * t,
    }[part]


@dataclass
class Krylov:
    """How the leading pairs of a square of `features` columns are found (docs/mathematics.md, 7)."""
    block: float
    basis: float
    products: float  # vectors multiplied, as seen on a spectrum 1/j
    restarts: float = 3  # small eigenproblems

    @staticmethod
    def of(shape):
        block = max(8.0, min(64.0, shape.components / 8))
        return Krylov(block, 2 * shape.components + block, 3.5 * (shape.components + block))


def components(shape):
    """Operations that are divided among the ranks, of the products and of the orthogonalisation."""
    krylov = Krylov.of(shape)
    return krylov.products * shape.features * (shape.features + 6 * krylov.basis)


def work(part, shape):
    """What larger sizes are compared by."""
    return operations(part, shape, 1) + (shape.rows * shape.features**2 if part == "components" else 0)


def target_parts(shape, ranks):
    return min(ranks, max(1, int(shape.targets // TARGETS_OF_A_BLOCK)))


@dataclass
class Pace:
    """What a part takes: seconds = fixed + operations / rate."""
    rate: float
    fixed_s: float = 0.0

    @staticmethod
    def through(part, points):
        """points: (operations, seconds) of two sizes, the smaller first. Without a fixed time where the larger was slower
        than in proportion."""
        (less, short), (more, long) = points
        if not 0 < short or not 0 < long:
            raise SystemExit(f"cost_model.py: {part} cannot be told apart at this size: a busy machine")
        rate = (more - less) / max(long - short, 1e-9)
        fixed = short - less / rate
        return Pace(rate, fixed) if long > short and fixed > 0 else Pace(more / long)

    def seconds(self, operations):
        return self.fixed_s + operations / self.rate


@dataclass
class Model:
    terms: float = 6  # products that stand for all alphas
    paces: dict = field(default_factory=dict)  # part -> {ranks on the node: Pace}
    latency_s: float = 0.0
    bandwidth: float = math.inf  # bytes a second of a sum over ranks
    cores: int = 2

    def pace(self, part, ranks):
        return self.paces[part][1 if ranks == 1 else max(self.paces[part])]

    def sum_over_ranks(self, numbers, ranks):
        if ranks == 1:
            return 0.0
        return math.ceil(math.log2(ranks)) * self.latency_s + 8 * numbers / self.bandwidth * 2 * (ranks - 1) / ranks

    def apart(self, part, shape, ranks):
        """Seconds that more ranks do not divide, as far as other parts' rates tell."""
        n, p = shape.rows, shape.columns
        if part == "gram":
            return self.sum_over_ranks(p * (p + 1) / 2, ranks)
        if part == "components":
            # The covariance is summed as the Gram matrix is. The small eigenproblems are not divided, and every block of
            # products is gathered, made orthogonal to the basis and in itself. Its rows are dealt a run at a time, as leverages are.
            rows = shape.rows * shape.features**2 / self.sharing("leverages", shape, ranks)
            krylov = Krylov.of(shape)
            small = Shape(shape.rows, krylov.basis, shape.targets)
            block = self.sum_over_ranks(krylov.block * (shape.features + 2 * krylov.basis), ranks) + (
                6 * self.sum_over_ranks(krylov.block**2, ranks))
            return (rows / self.pace("gram", ranks).rate + self.sum_over_ranks(shape.features * (shape.features + 1) / 2, ranks)
                    + krylov.restarts * self.seconds("eigenvectors", small, ranks)
                    + krylov.products / krylov.block * block)
        if part == "leverages":
            # Ranks that share the rows divide the targets: each hands the others the float32 rows of U that it made.
            parts = target_parts(shape, ranks)
            return 4 * n * p * (1 - 1 / parts) / (ranks / parts) / self.bandwidth
        return 0.0

    def sharing(self, part, shape, ranks):
        """Ranks that have a share of the work."""
        if part == "eigenvectors":
            # Beyond one rank's reach ScaLAPACK takes over: half of a rank's rate each, up to a block of 500 columns a rank.
            return 1 if shape.columns < ONE_RANK_DECOMPOSES else max(1.0, min(ranks, shape.columns / 500) / 2)
        if part in ("gram", "leverages"):
            pieces = math.ceil(shape.rows / RUN_ROWS)
            if part == "gram":  # runs whose products are summed in float32 stay together
                enough = min(max(shape.rows / 32, 512), MOST_ROWS_OF_FLOAT32)
                pieces = math.ceil(pieces / min(math.ceil(enough / RUN_ROWS), MOST_ROWS_OF_FLOAT32 // RUN_ROWS))
            return pieces / math.ceil(pieces / ranks)
        if part in ("writing", "reading"):
            return min(ranks, self.cores)  # one file system serves all
        return ranks

    def seconds(self, part, shape, ranks):
        if part == "gram and cross products":
            return self.seconds("gram", shape, ranks) + self.seconds("cross products", shape, ranks)
        share = operations(part, shape, self.terms) / self.sharing(part, shape, ranks)
        return self.pace(part, ranks).seconds(share) + self.apart(part, shape, ranks)


PACED = ("leverages", "cross products", "gram", "eigenvectors", "projection", "residual passes", "components", "stacking",
         "writing", "reading")
# What is measured apart. Some of the paced rest on others, which come first.
PARTS = ("gram and cross products", "eigenvectors", "projection", "leverages", "residual passes", "components", "stacking",
         "writing", "reading")


def shape_of(found):
    """The shape of what `scaling` measured: components are a tenth of the columns, as in the challenge."""
    return Shape(found["rows"], found["columns"], found["targets"], found["columns"], found["columns"] // 10)


def seconds_of(found):
    """Measured seconds by part."""
    return {part: found["seconds"][part] for part in PARTS}


def calibrate(measured, cores):
    """measured: ranks -> what `scaling` printed for a small and a larger size, for one rank and for all cores."""
    larger = [sizes[-1] for sizes in measured.values()]
    model = Model(cores=cores, terms=sum(found["terms"] for found in larger) / len(larger))
    most = measured[max(measured)][-1]
    if max(measured) > 1:
        model.latency_s = most["seconds"]["sums of one number"] / 200 / max(1, math.ceil(math.log2(most["ranks"])))
        model.bandwidth = 8 * 2**23 * 2 * (most["ranks"] - 1) / most["ranks"] / most["seconds"]["sum of 8 million"]
    for part in PACED:
        model.paces[part] = {}
        for ranks, sizes in measured.items():
            points = []
            for found in sizes:
                shape, seconds = shape_of(found), dict(found["seconds"])
                both, share = seconds["gram and cross products"], shape.columns / (shape.columns + 2 * shape.targets)
                # On a busy machine the difference says nothing: then both run at the same rate.
                difference = both - seconds["cross products"]
                seconds["gram"] = difference if difference > share * both / 2 else share * both
                work = operations(part, shape, found["terms"]) / model.sharing(part, shape, ranks)
                points.append((work, seconds[part] - model.apart(part, shape, ranks)))
            model.paces[part][ranks] = Pace.through(part, points)
    return model


RIDGE = ("gram", "cross products", "eigenvectors", "projection", "leverages", "residual passes")


def study(model, shape, spaces, tr, seconds_a_tr, ranks, file_system):
    """Seconds of a study's stages. tr: TRs to extract, for every space at seconds_a_tr (one rank of a busy node).
    file_system: bytes a second that all ranks together read or write."""
    n, p, t = shape.rows, shape.columns, shape.targets
    stages = {
        "extract": tr * seconds_a_tr / min(ranks, math.ceil(tr / 64)),
        "pca": spaces * (model.seconds("components", shape, ranks) + 2 * n * shape.features * shape.components
                         / model.pace("cross products", ranks).rate / model.sharing("gram", shape, ranks)),
        "ridge": spaces * sum(model.seconds(part, shape, ranks) for part in RIDGE),
        "stack": model.seconds("stacking", shape, ranks),
        "files": spaces * (4 * n * (2 * t + 3 * p + 2 * shape.features) + 8 * p * t) / file_system,
    }
    return stages | {"all": sum(stages.values())}
