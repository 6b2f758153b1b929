#!/usr/bin/env python3
"""Writes the reference of tests/unit/dataset_bicubic_resampler.cpp with Pillow (pip install "pillow<12" numpy).

pillow.txt, a line a case: height width height' width' channels, then the 64-bit FNV-1a hash of the resized picture
and its first 12 values. The picture is made by the formula below in both programs. Pillow 13 resizes along
columns first where a picture grows in width and shrinks in height: the values of that case differ by rounding."""
import pathlib

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
# shrink, grow, one axis each, one axis kept, both kept, a single pixel; a film's size to that of InternVL
CASES = [(37, 53, 16, 16, 3), (16, 16, 37, 53, 3), (40, 24, 24, 40, 3), (40, 24, 40, 11, 3), (40, 24, 13, 24, 3),
         (20, 30, 20, 30, 3), (1, 1, 5, 7, 3), (9, 300, 3, 2, 3), (37, 53, 16, 19, 1), (480, 720, 448, 448, 3),
         (1080, 1920, 448, 448, 3)]


def picture(height, width, channels):
    """Edges, noise and full black and white, so that values are clipped."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    noise = (x * 2654435761 + y * 40503 + c * 977) % 65521 * 7919 % 256
    return np.where((x // 5 + y // 3 + c) % 4 == 0, 255, np.where((x // 7 + y // 11) % 3 == 0, 0, noise)).astype(np.uint8)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def main():
    with open(HERE / "pillow.txt", "w") as file:
        for height, width, to_height, to_width, channels in CASES:
            image = Image.fromarray(picture(height, width, channels).squeeze() if channels == 1 and height > 1
                                    else picture(height, width, channels))
            out = np.asarray(image.resize((to_width, to_height), Image.Resampling.BICUBIC)).reshape(-1)
            print(height, width, to_height, to_width, channels, fnv(out.tobytes()), *out[:12], file=file)


if __name__ == "__main__":
    main()
