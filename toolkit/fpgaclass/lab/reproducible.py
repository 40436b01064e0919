"""The same notebook, run again, trains the same network."""

from __future__ import annotations

from fpgaclass.core import UsageError


def reproducible(seed: int) -> None:
    """Make training give the same weights, to the last bit, each time the notebook is run from the top.

    Python, numpy and TensorFlow get the seed; TensorFlow is told to add in a fixed order, and to run one
    operation at a time (each may still use every core). With it, a network that is trained again after a
    restart has the digest it had, and its firmware is found already built. Costs some 10 % of training time.

    Args:
        seed: a non-negative integer below 2**32, such as 1 or `student_seed()`.

    Raises:
        UsageError: TensorFlow has already computed something, and can no longer be told.

    Example:
        >>> reproducible(1)  # doctest: +SKIP
    """
    import keras
    import tensorflow as tf

    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as late:
        raise UsageError(
            "reproducible() comes too late: TensorFlow has already computed something",
            next_step="restart the kernel, and call it in the first cell",
        ) from late
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
