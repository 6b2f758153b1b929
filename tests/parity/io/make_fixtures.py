#!/usr/bin/env python3
"""Makes the files beside it, which tests/unit/io_*.cpp read. Needs numpy, h5py, nibabel, pandas.

counts_<p>.npy   what numpy.save(file, dict, allow_pickle=True) writes for {run: int}, as pickle protocol p
mixed_<p>.pkl    a nested dict of everything the reader knows, as pickle protocol p
h5py.h5          data sets and attributes as h5py writes them
table.tsv        a transcript as pandas writes it, lists as Python's repr; table.txt: one element a line
labels.nii.gz    a label volume as nibabel writes it
"""
import pickle
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pandas as pd

here = Path(__file__).parent


def counts():
    return {"s07e01a": 460, "s07e01b": np.int64(593), "chaplin1": 70000, "empty": 0, "negative": -3}


def mixed():
    f = np.arange(6, dtype="f4").reshape(2, 3)
    return {
        "int": 7,
        "large": 2**40,
        "minus": -(2**33),
        "true": True,
        "none": None,
        "float": 0.1,
        "text": "Größe 🎬",
        "long text": "x" * 300,
        "np.int64": np.int64(-5),
        "np.uint8": np.uint8(200),
        "np.float32": np.float32(0.5),
        "np.float16": np.float16(1.5),
        "np.bool": np.bool_(True),
        "np.str": np.str_("häh"),
        "c": f,
        "fortran": np.asfortranarray(f),
        "again": f,
        "strided": np.arange(12, dtype="i8").reshape(3, 4)[:, ::2],
        "scalar array": np.array(2.5),
        "empty": np.zeros((0, 5), "f8"),
        "nested": {"sub-01": {"a": 1}, "sub-02": {"a": 1}},
    }


def write_pickles():
    for protocol in range(2, 6):
        array = np.array(counts(), dtype=object)
        with open(here / f"counts_{protocol}.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|O", "fortran_order": False, "shape": ()})
            pickle.dump(array, file, protocol=protocol)
        (here / f"mixed_{protocol}.pkl").write_bytes(pickle.dumps(mixed(), protocol=protocol))


def write_hdf5():
    values = np.arange(12, dtype="f8").reshape(4, 3)
    with h5py.File(here / "h5py.h5", "w") as file:
        for name in ("float16", "float32", "float64", "int16", "uint8", ">f4"):
            file["numbers/" + name.replace(">", "big_")] = values.astype(name)
        file.create_dataset("compressed", data=values, chunks=(2, 2), compression="gzip")
        file["vector"] = values[:, 0]
        file["cube"] = values.reshape(2, 2, 3)
        file["bool"] = values > 5
        file["texts"] = np.array(["a", "Größe"], dtype=h5py.string_dtype())
        file["fixed texts"] = np.array([b"abc", b"d"])
        file.attrs.update(text="Größe", whole=3, real=0.5, flag=True, reals=[0.5, 1.5], texts=["a", "b"],
                          fixed=np.bytes_(b"abc"))


def write_table():
    words = [["don't", 'a "quote"', "both ' and \""], [], ["tab\tnew\nline\rback\\slash", "caf\xe9", "\u200b\x07\xad"],
             ["\U0001f3ac", "\u2028", "\ue000", "ÀÖ", ""]]
    onsets = [[0.0, 0.1, 1e-05], [], [1.0, 1e22, -0.5], [123456.789, 1 / 3, 2.0, 5e-324, 1e16]]
    frame = pd.DataFrame({"text_per_tr": ["".join(w) for w in words], "words_per_tr": [repr(w) for w in words],
                          "onsets_per_tr": [repr(o) for o in onsets]})
    frame.to_csv(here / "table.tsv", sep="\t", index=False)
    lines = [word.encode("utf-8").hex() for row in words for word in row]
    (here / "table.txt").write_text("\n".join(lines) + "\n")


def write_volume():
    labels = (np.arange(2 * 3 * 4).reshape(2, 3, 4) * 40).astype("i2")
    affine = np.array([[-2, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(labels, affine), here / "labels.nii.gz")


if __name__ == "__main__":
    write_pickles()
    write_hdf5()
    write_table()
    write_volume()
