"""Fixtures for tests/mpi/encoding_pca.cpp: scikit-learn's exact PCA on small random and badly scaled data.

    pip install numpy scikit-learn
    python make.py            # rewrites the .txt files beside this script

A file holds named matrices: a line "name rows columns", then one line a row. `x` is the raw data, `blocks` the rows of
its runs. Made with numpy 2.4.6 and scikit-learn 1.9.1.
"""
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent


def scale_per_run(x, blocks):
    runs = np.split(x, np.cumsum(blocks)[:-1])
    return np.vstack([StandardScaler().fit_transform(run) for run in runs])


def fit_rows(x, blocks, every):
    return np.vstack([run[::every] for run in np.split(x, np.cumsum(blocks)[:-1])])


def fit(x, blocks, components, scale, every):
    scaled = scale_per_run(x, blocks) if scale == "per-run" else x
    rows = fit_rows(scaled, blocks, every)
    if scale == "global":
        scaler = StandardScaler().fit(rows)
        scaled, rows = scaler.transform(scaled), scaler.transform(rows)
    pca = PCA(components, svd_solver="full").fit(rows)
    largest = np.abs(pca.components_).argmax(axis=1)
    signs = np.sign(pca.components_[np.arange(components), largest])[:, None]
    return {
        "components": pca.components_ * signs,
        "explained_variance": pca.explained_variance_[None],
        "explained_variance_ratio": pca.explained_variance_ratio_[None],
        "scores": pca.transform(scaled) * signs.T,
    }


def write(name, x, blocks, components, scale="none", every=1):
    matrices = {"blocks": np.array([blocks]), "x": x, **fit(x, blocks, components, scale, every)}
    with open(HERE / f"{name}.txt", "w") as file:
        for key, matrix in matrices.items():
            file.write(f"{key} {matrix.shape[0]} {matrix.shape[1]}\n")
            np.savetxt(file, matrix, fmt="%.17g")


def correlated(rng, rows, columns):
    return rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns)) + rng.normal(size=(rows, columns))


def main():
    rng = np.random.default_rng(7)
    # Means far from zero are kept to what the column's own scale can carry, so that the data itself stays exact.
    write("tall", correlated(rng, 45, 9) + 3.0, [10, 20, 15], 9)
    write("wide", correlated(rng, 14, 30), [4, 7, 3], 13)
    scales = np.logspace(-3, 3, 8)
    write("tall_badly_scaled", (rng.normal(size=(40, 8)) + 5.0) * scales, [25, 15], 8)
    write("wide_badly_scaled", (rng.normal(size=(9, 25)) + 5.0) * np.logspace(-3, 3, 25), [4, 5], 8)
    write("global", (correlated(rng, 40, 8) + 50.0) * scales, [13, 20, 7], 5, "global", 3)
    write("global_wide", correlated(rng, 23, 20) * np.logspace(-2, 2, 20), [11, 12], 6, "global", 2)
    write("per_run", correlated(rng, 60, 7) + np.repeat([[0.0], [40.0], [-9.0]], 20, axis=0), [20, 20, 20], 4, "per-run", 5)


if __name__ == "__main__":
    main()
