"""Expected values for the ridge and stacking tests, from scikit-learn, SciPy and quadprog.

    pip install numpy scipy scikit-learn quadprog
    python make_fixtures.py            # writes *.txt beside this file

The tests only read the text files. Data are the real sets that ship inside scikit-learn, and random ones.
"""

from pathlib import Path

import numpy as np
import quadprog
from scipy.optimize import minimize, nnls
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, LeaveOneGroupOut
from sklearn.preprocessing import PolynomialFeatures

HERE = Path(__file__).parent
ALPHAS = [1e6, 1e5, 1e4, 1e3, 100, 10, 1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 1e-4, 1e-5]


def write(name, matrices):
    """A file of named matrices: a line `name rows columns`, then the rows; shortest exact decimals."""
    with open(HERE / f"{name}.txt", "w") as out:
        for key, values in matrices.items():
            values = np.atleast_2d(np.asarray(values, dtype=float))
            out.write(f"{key} {values.shape[0]} {values.shape[1]}\n")
            for row in values:
                out.write(" ".join(repr(float(v)).removesuffix(".0") for v in row) + "\n")


def ridge_loo(x, y):
    fit = RidgeCV(alphas=ALPHAS, alpha_per_target=True, fit_intercept=True, store_cv_results=True).fit(x, y)
    coef = np.atleast_2d(fit.coef_)
    cv = fit.cv_results_.reshape(len(x), -1, len(ALPHAS)).mean(axis=0)
    return {"alpha": fit.alpha_, "weights": coef.T, "intercept": fit.intercept_, "cv": cv.T}


def refits(x, y, splits, error):
    """Mean of `error(truth, prediction)` over splits for every alpha, by refitting: [A, t]."""
    curves = []
    for alpha in ALPHAS:
        parts = []
        for train, test in splits:
            model = Ridge(alpha=alpha, solver="svd").fit(x[train], y[train])
            parts.append(error(y[test], model.predict(x[test]).reshape(y[test].shape)))
        curves.append(parts)
    return curves


def ridge_case(name, x, y, block_rows):
    groups = np.repeat(np.arange(len(block_rows)), block_rows)
    matrices = {"x": x, "y": y, "block_rows": block_rows, "alphas": ALPHAS}
    matrices |= {f"loo_{k}": v for k, v in ridge_loo(x, y).items()}

    folds = list(KFold(5).split(x))
    r2 = refits(x, y, folds, lambda t, p: r2_score(t, p, multioutput="raw_values"))
    matrices["kfold5_r2"] = np.mean(r2, axis=1)

    groups_out = list(LeaveOneGroupOut().split(x, y, groups))
    squares = refits(x, y, groups_out, lambda t, p: ((t - p) ** 2).sum(axis=0))
    matrices["group_mse"] = np.sum(squares, axis=1) / len(x)
    r2 = refits(x, y, groups_out, lambda t, p: r2_score(t, p, multioutput="raw_values"))
    matrices["group_r2"] = np.mean(r2, axis=1)
    write(name, matrices)


def simplex(p):
    """min w'Pw on the simplex: quadprog, and SLSQP as a second opinion."""
    k = len(p)
    constraints = np.column_stack([np.ones(k), np.eye(k)])
    w = quadprog.solve_qp(p / np.abs(p).max(), np.zeros(k), constraints, np.r_[1.0, np.zeros(k)], meq=1)[0]
    second = minimize(lambda v: v @ p @ v / np.abs(p).max(), np.full(k, 1 / k), method="SLSQP", bounds=[(0, 1)] * k,
                      jac=lambda v: 2 * p @ v / np.abs(p).max(), options={"ftol": 1e-14, "maxiter": 1000},
                      constraints={"type": "eq", "fun": lambda v: v.sum() - 1, "jac": lambda v: np.ones(k)})
    assert abs(w @ p @ w - second.x @ p @ second.x) < 1e-8 * np.abs(p).max(), (w, second.x)
    return w


def stack_case(rng):
    rows, targets, models, blocks = 90, 6, 4, [40, 20, 30]
    y = rng.normal(size=(rows, targets)).round(3) + 5
    predictions = []
    for k in range(models):
        quality = rng.uniform(0.1, 0.9, size=targets)
        predictions.append((5 + quality * (y - 5) + (1 - quality) * rng.normal(size=y.shape)).round(3))
    groups = np.repeat(np.arange(len(blocks)), blocks)
    matrices = {"y": y, "block_rows": blocks}
    matrices |= {f"prediction{k}": p for k, p in enumerate(predictions)}

    def errors_p(v, rows_kept, kept):
        e = np.column_stack([(y - predictions[k])[rows_kept, v] for k in kept])
        return e.T @ e / len(e)

    every = np.ones(rows, dtype=bool)
    columns = range(targets)
    design = [np.column_stack([p[:, v] for p in predictions]) for v in columns]
    matrices["simplex"] = np.column_stack([simplex(errors_p(v, every, range(models))) for v in columns])
    matrices["simplex_without_1"] = np.column_stack([simplex(errors_p(v, every, [0, 2, 3])) for v in columns])
    for b in range(len(blocks)):
        matrices[f"simplex_loro{b}"] = np.column_stack(
            [simplex(errors_p(v, groups != b, range(models))) for v in columns])
    ols = [LinearRegression().fit(design[v], y[:, v]) for v in columns]
    matrices["ols"] = np.column_stack([m.coef_ for m in ols])
    matrices["ols_intercept"] = [m.intercept_ for m in ols]
    ridge = [RidgeCV(alphas=ALPHAS).fit(design[v], y[:, v]) for v in columns]
    matrices["ridge"] = np.column_stack([m.coef_ for m in ridge])
    matrices["ridge_intercept"] = [m.intercept_ for m in ridge]
    without = [RidgeCV(alphas=ALPHAS).fit(design[v][:, [0, 2, 3]], y[:, v]) for v in columns]
    matrices["ridge_without_1"] = np.column_stack([m.coef_ for m in without])
    matrices["nnls"] = np.column_stack([nnls(design[v], y[:, v])[0] for v in columns])
    write("stack", matrices)


def simplex_cases(rng):
    matrices = {}
    for k in range(2, 9):
        for repeat in range(3):
            e = rng.normal(size=(3 * k, k)) @ (np.eye(k) + rng.uniform(0, 0.8, size=(k, k)))
            p = (e.T @ e / len(e)).round(6)
            matrices[f"p{k}_{repeat}"] = p
            matrices[f"w{k}_{repeat}"] = simplex(p)
    write("simplex", matrices)


def main():
    rng = np.random.default_rng(1004)
    x, y = load_diabetes(return_X_y=True, scaled=False)
    ridge_case("diabetes", x, np.column_stack([y, np.log(y).round(4)]), [150, 92, 200])
    x, y = load_linnerud(return_X_y=True)
    ridge_case("linnerud", x, y, [5, 4, 6, 5])

    x, y = load_diabetes(return_X_y=True)
    standard = (x[:40] / x.std(axis=0)).round(3)
    wide = PolynomialFeatures(2, include_bias=False).fit_transform(standard).round(6)
    ridge_case("diabetes_wide", wide, y[:40, None], [15, 10, 15])

    def random_case(name, n, p, t, blocks):
        x = (rng.normal(size=(n, p)) @ np.diag(10.0 ** rng.uniform(-1, 1, size=p)) + rng.normal(size=p) * 3).round(3)
        y = (x @ rng.normal(size=(p, t)) / np.sqrt(p) + rng.normal(size=(n, t)) * [0.01, 1, 5, 20, 100] + 50).round(3)
        ridge_case(name, x, y, blocks)

    random_case("random_tall", 60, 12, 5, [20, 13, 17, 10])
    random_case("random_wide", 21, 45, 5, [8, 5, 8])
    stack_case(rng)
    simplex_cases(rng)


if __name__ == "__main__":
    main()
