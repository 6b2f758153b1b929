"""Motion energy of 200 frames of 96 x 128, 1840 filters: cinecortex's kernel beside pymoten's, on the same luminances.

    python -m venv venv && venv/bin/pip install -r benchmarks/peers/requirements.txt
    venv/bin/python benchmarks/peers/motion_energy.py --program build/release/bin/cinecortex

cinecortex's verb wants a movie, so its kernel is called by build/release/benchmarks/motion_energy. Neither is timed for
building its filters. pymoten in its own default precision (float32) and in float64; the better of three calls each."""
import numpy as np

from common import arguments, compare, fastest, header, run_kernel, run_peer, start, tell

SIZE, FPS = (96, 128), 15


def make(file, frames):
    """A drifting grating, a moving square and noise; luminances from 0 to 100."""
    random = np.random.default_rng(2011)
    t, y, x = np.meshgrid(np.arange(frames), np.linspace(0, 1, SIZE[0]), np.linspace(0, SIZE[1] / SIZE[0], SIZE[1]),
                          indexing="ij")
    movie = 0.5 + 0.25 * np.sin(2 * np.pi * (3 * x + 2 * y - t / 6)) + 0.1 * random.standard_normal(t.shape)
    movie += 0.3 * ((np.abs(x - 0.02 * t - 0.2) < 0.15) & (np.abs(y - 0.5) < 0.2))
    (np.clip(movie, 0, 1) * 100).tofile(file)


def peer(file, result, dtype):
    """In a process of its own."""
    import moten

    frames = np.fromfile(file).reshape(-1, *SIZE)
    pyramid = moten.get_default_pyramid(vhsize=SIZE, fps=FPS)
    seconds, energies = fastest(
        lambda: pyramid.project_stimulus(frames, dtype=dtype, output_nonlinearity=lambda response: response))
    tell(seconds, energies.astype(float), result)


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200)
    options = parser.parse_args()
    facts = header(options)
    options.folder.mkdir(parents=True, exist_ok=True)
    frames, ours, theirs = (options.folder / name for name in ("frames.bin", "ours.bin", "theirs.bin"))
    make(frames, options.frames)
    report = run_kernel(options, "motion_energy", frames, *SIZE, FPS, ours)
    for dtype in ("float32", "float64"):
        seconds, _, _ = run_peer(options, __file__, "peer", frames, theirs, dtype)
        what = f"motion energy, {options.frames} frames {SIZE[0]} x {SIZE[1]}, {report['filters']} filters"
        compare(options, facts, what, f"pymoten {dtype}", seconds, report["seconds"], np.fromfile(ours), np.fromfile(theirs))
    for file in (frames, ours, theirs):
        file.unlink()


if __name__ == "__main__":
    start(main, peer)
