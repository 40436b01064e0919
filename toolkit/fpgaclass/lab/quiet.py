"""Keep other packages' chatter out of a notebook.

It is more than taste: nbgrader gives a check cell zero points when anything at all is written to stderr.
"""

from __future__ import annotations

import logging
import os
import warnings

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "GRPC_VERBOSITY": "ERROR",
    "ABSL_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}
_LOGGERS = ("tensorflow", "absl", "matplotlib", "hls4ml", "da4ml", "hgq", "keras", "jax", "h5py", "pynq")


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def quiet() -> None:
    """Silence the start-up messages and warnings of TensorFlow and its relatives.

    Call it before they are imported: TensorFlow reads its environment once, at import. Errors still show.
    The course trains on processors; a graphics card on the machine is left alone, so that a notebook gives
    the same numbers with and without one.
    """
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
        # In a notebook TensorFlow sets its own level again at import; it leaves filters alone.
        logging.getLogger(name).addFilter(_is_error)
    warnings.filterwarnings("ignore")
