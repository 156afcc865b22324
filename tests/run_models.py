"""Runs the models of a folder; on its own, under emulation: `run_models.py FOLDER`.

For X.onnx with its inputs in X.npz, writes the output to X.npy. Folder `engine` goes through the
engine's own session, folder `product` through onnxruntime as it is when no option is set.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

from inhibi.engine.runtime import Runtime


def main(folder: Path) -> None:
    for path in sorted(folder.glob("product/*.onnx")):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        with np.load(path.with_suffix(".npz")) as feeds:
            np.save(path.with_suffix(".npy"), session.run(None, dict(feeds))[0])
    for path in sorted(folder.glob("engine/*.onnx")):
        with np.load(path.with_suffix(".npz")) as feeds:
            np.save(path.with_suffix(".npy"), Runtime(path, threads=1).run(dict(feeds)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
