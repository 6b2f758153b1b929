#!/usr/bin/env python3
"""Writes the reference of tests/unit/models_motion_energy.cpp with pymoten (pip install pymoten==0.1.3 scipy).

Per case: NAME.frames.bin  uint8 [frames, height, width]; luminance is value * (100 / 255)
          NAME.energy.bin  float32 [kept frames, filters], little-endian: pymoten's responses
and cases.txt with the settings, luminance.bin with 8-byte records (r, g, b, 0, float32 L).
"""
import pathlib
import sys

import moten
import numpy as np
from moten.colorspace import rgb2lab

HERE = pathlib.Path(__file__).resolve().parent
DIRECTIONS = [0, 45, 90, 135, 180, 225, 270, 315]
DEFAULTS = dict(temporal_frequencies=[0, 2, 4], spatial_frequencies=[0, 2, 4, 8, 16], spatial_directions=DIRECTIONS,
                sf_gauss_ratio=0.6, max_spatial_env=0.3, filter_spacing=3.5, tf_gauss_ratio=10.0, max_temp_env=0.3,
                include_edges=False, filter_temporal_width=0)
# name: (height, width, fps, frames, kept frames, log, changes of the defaults)
CASES = {
    "defaults": (24, 32, 15, 24, [0, 11, 23], 0, {}),
    "log": (18, 32, 24, 30, [0, 14], 1, dict(spatial_frequencies=[0, 2, 4, 8])),
    "odd": (19, 23, 24, 26, [0, 3, 12, 25], 0,
            dict(spatial_frequencies=[0, 3, 5.5], spatial_directions=[0, 60, 120, 180, 240, 300],
                 temporal_frequencies=[0, 3])),
    "edges": (20, 27, 15, 20, [0, 2, 10, 19], 0,
              dict(spatial_frequencies=[2, 6], temporal_frequencies=[2, 5.5], filter_temporal_width=7,
                   sf_gauss_ratio=0.5, max_spatial_env=0.25, filter_spacing=2.8, tf_gauss_ratio=1.2, max_temp_env=0.4,
                   include_edges=True)),
    # fewer frames than the filter is long, a frame taller than wide, one spatial frequency clipped to the widest env.
    "short": (31, 17, 15, 5, [0, 1, 2, 3, 4], 0, dict(spatial_frequencies=[0, 1, 2, 5], temporal_frequencies=[4])),
}


def frames_of(rng, count, height, width):
    """A drifting grating, a moving square and noise."""
    t, y, x = np.meshgrid(np.arange(count), np.linspace(0, 1, height), np.linspace(0, width / height, width),
                          indexing="ij")
    movie = 0.5 + 0.25 * np.sin(2 * np.pi * (3 * x + 2 * y - t / 6)) + 0.1 * rng.standard_normal(t.shape)
    movie += 0.3 * ((np.abs(x - 0.02 * t - 0.2) < 0.15) & (np.abs(y - 0.5) < 0.2))
    return np.clip(movie * 255, 0, 255).astype(np.uint8)


def main():
    rng = np.random.default_rng(2011)
    lines = ["# name height width fps frames kept log sf_gauss_ratio max_spatial_env filter_spacing tf_gauss_ratio"
             " max_temp_env include_edges filter_width filters | then: kept frames, temporal, spatial, directions"]
    for name, (height, width, fps, count, kept, log, changes) in CASES.items():
        options = {**DEFAULTS, **changes}
        frames = frames_of(rng, count, height, width)
        arguments = dict(options)
        arguments["filter_temporal_width"] = options["filter_temporal_width"] or "auto"
        pyramid = moten.get_default_pyramid(vhsize=(height, width), fps=fps, **arguments)
        extra = {} if log else dict(output_nonlinearity=lambda response: response)
        energy = pyramid.project_stimulus(frames.astype(np.float64) * (100 / 255), dtype="float64", **extra)
        frames.tofile(HERE / f"{name}.frames.bin")
        energy[kept].astype("<f4").tofile(HERE / f"{name}.energy.bin")
        lines.append(" ".join(str(value) for value in (
            name, height, width, fps, count, len(kept), log, options["sf_gauss_ratio"], options["max_spatial_env"],
            options["filter_spacing"], options["tf_gauss_ratio"], options["max_temp_env"],
            int(options["include_edges"]), options["filter_temporal_width"], energy.shape[1])))
        for values in (kept, options["temporal_frequencies"], options["spatial_frequencies"],
                       options["spatial_directions"]):
            lines.append(f"{len(values)} " + " ".join(str(value) for value in values))
    (HERE / "cases.txt").write_text("\n".join(lines) + "\n")

    rgb = np.concatenate([rng.integers(0, 256, (200, 3)), np.arange(0, 24)[:, None].repeat(3, 1),
                          [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]]).astype(np.uint8)
    record = np.zeros(len(rgb), dtype=[("rgb", "u1", 4), ("lightness", "<f4")])
    record["rgb"][:, :3] = rgb
    record["lightness"] = rgb2lab(rgb[None] / 255.0)[0, :, 0]
    record.tofile(HERE / "luminance.bin")


if __name__ == "__main__":
    sys.exit(main())
