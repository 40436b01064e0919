"""The course's set of networks, trained briefly on seeded data that stand for the real ones.

Each factory gives a trained HGQ2 (or plain Keras) model and events like those it was trained on. They are as
large as in the course unless ``small`` is asked for. What the data are:

- muons: ``fpgaclass.muon``'s own simulation;
- FACILE's energy regression in a hadron calorimeter (18 inputs): pulses in eight time slices, drawn here;
- hls4ml's jet tagger (16 inputs, five classes): five clouds of points that overlap, drawn here;
- digits of 28x28 pixels: glyphs of matplotlib's own typefaces, turned, sheared, shifted, with noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Course:
    """A trained network of the course.

    Attributes:
        model: the Keras model.
        events: (n, *shape), float32, not among those it was trained on.
        truth: (n,) or (n, 1): what the events were made with.
        score: how good the model is on them; a fraction of right answers or a correlation.
    """

    model: Any
    events: npt.NDArray[np.float32]
    truth: npt.NDArray[Any]
    score: float


@contextmanager
def learned_bits(beta: float) -> Iterator[None]:
    """HGQ2 learns the width of each value and weight; a bit operation costs ``beta`` of loss. Data wrap."""
    from hgq.config import LayerConfigScope, QuantizerConfigScope

    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=beta),
    ):
        yield


def fit(model: Any, x: Any, y: Any, loss: str, epochs: int, rate: float = 3e-3) -> Any:
    """Train with a falling rate, then take the ranges of all values from the training events."""
    import keras
    from hgq.utils import trace_minmax

    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * (len(x) // 256))
    # A short training ends before XLA would have compiled it.
    model.compile(keras.optimizers.Adam(schedule), loss, jit_compile=False)
    model.fit(x, y, batch_size=256, epochs=epochs, verbose=0)
    if any(type(layer).__module__.startswith("hgq.") for layer in model.layers):
        trace_minmax(model, x, batch_size=2048, verbose=0)
    return model


def muon_regressor(small: bool = False) -> Course:
    """The muon's pT from 27 features: 27-32-16-1 with ReLU."""
    import keras
    from hgq.layers import QDense

    from fpgaclass import muon

    keras.utils.set_random_seed(1)
    muons = muon.simulate(20_000 if small else 60_000, seed=1, spectrum="log_pt").with_stubs(2)
    x = muon.standardise(muon.features(muons)).astype(np.float32)
    y = muon.to_target(muons.pt)
    with learned_bits(3e-6):
        inputs = h = keras.Input((27,))
        for units in (8, 4) if small else (32, 16):
            h = QDense(units, activation="relu")(h)
        model = keras.Model(inputs, QDense(1, enable_oq=True)(h), name="muon_pt")
    half = len(x) // 2
    fit(model, x[:half], y[:half], "mae", 4 if small else 15)
    return _course(model, x[half:], y[half:])


def facile(small: bool = False, plain: bool = False) -> Course:
    """FACILE-18: 18 -> BN -> 31 -> BN -> 11 -> BN -> 3 -> 1 with ReLU (arXiv 2010.08556).

    Args:
        small: 18 -> BN -> 6 -> BN -> 3 -> 1.
        plain: of Keras layers, for quantisation after training, in place of HGQ2's.
    """
    import keras
    from hgq.layers import QBatchNormalization, QDense

    keras.utils.set_random_seed(2)
    x, y = _pulses(8_000 if small else 60_000)
    norm, dense = (
        (keras.layers.BatchNormalization, keras.layers.Dense) if plain else (QBatchNormalization, QDense)
    )
    with learned_bits(1e-6):
        inputs = h = keras.Input((18,))
        for units in (6, 3) if small else (31, 11, 3):
            h = dense(units, activation="relu")(norm()(h))
        model = keras.Model(inputs, dense(1, **({} if plain else {"enable_oq": True}))(h), name="facile")
    half = len(x) // 2
    fit(model, x[:half], y[:half], "mae", 4 if small else 12)
    return _course(model, x[half:], y[half:])


def jet_tagger(small: bool = False) -> Course:
    """hls4ml's tutorial: 16-64-32-32-5 with ReLU and softmax. ``small``: 16-8-5."""
    import keras
    from hgq.layers import QDense, QSoftmax

    keras.utils.set_random_seed(3)
    x, y = _jets(8_000 if small else 60_000)
    with learned_bits(5e-6):
        inputs = h = keras.Input((16,))
        for units in (8,) if small else (64, 32, 32):
            h = QDense(units, activation="relu")(h)
        model = keras.Model(inputs, QSoftmax(beta0=1e-8)(QDense(5)(h)), name="jets")
    half = len(x) // 2
    fit(model, x[:half], y[:half], "sparse_categorical_crossentropy", 12 if small else 15)
    return _course(model, x[half:], y[half:])


def digits(small: bool = False) -> Course:
    """A digit in 28x28 pixels: two convolutions with pooling, and a dense layer. ``small``: 16x16 pixels.

    Every pixel of every layer has hardware of its own, so the network is kept small where pixels are many:
    two bits of grey at the input, strides of two, and few channels.
    """
    import keras
    from hgq.config import QuantizerConfig, QuantizerConfigScope
    from hgq.layers import QConv2D, QDense, QMaxPooling2D

    keras.utils.set_random_seed(4)
    size = 16 if small else 28
    x, y = drawn_digits(2_000 if small else 24_000, size)
    grey = QuantizerConfig(
        "kif", "datalane", k0=0, i0=0, f0=2, homogeneous_axis=None, heterogeneous_axis=(), trainable=False,
        round_mode="TRN", overflow_mode="WRAP",
    )  # fmt: skip
    narrow = (QuantizerConfigScope(place="weight", b0=4), QuantizerConfigScope(place="datalane", f0=3))
    with learned_bits(1e-8 if small else 1e-6), narrow[0], narrow[1]:
        inputs = h = keras.Input((size, size, 1))
        h = QConv2D(2 if small else 3, 3, strides=2, activation="relu", name="conv1", iq_conf=grey)(h)
        h = QMaxPooling2D(2, name="pool1")(h)
        h = QConv2D(2 if small else 4, 2 if small else 3, activation="relu", name="conv2")(h)
        h = keras.layers.Flatten()(h)
        model = keras.Model(inputs, QDense(10, enable_oq=True, name="digit")(h), name="digits")
    half = len(x) // 2
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fit(model, x[:half], y[:half], loss, 12 if small else 20, 1e-2)
    return _course(model, x[half:], y[half:])


def _course(model: Any, x: Any, y: Any) -> Course:
    found = model.predict(x, batch_size=4096, verbose=0)
    if found.shape[1] == 1:
        score = float(np.corrcoef(found.ravel(), y.ravel())[0, 1])
    else:
        score = float((found.argmax(1) == y.ravel()).mean())
    return Course(model, np.ascontiguousarray(x, np.float32), y, score)


def _pulses(events: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Charges of a scintillator read in eight slices of 25 ns, with pile-up, and where the channel is."""
    rng = np.random.default_rng(18)
    shape = np.array([0.0, 0.02, 0.10, 0.52, 0.24, 0.08, 0.03, 0.01])
    energy = rng.exponential(1.0, events)
    charges = energy[:, None] * np.roll(shape, 0)
    charges += rng.exponential(0.2, (events, 1)) * np.roll(shape, -1)  # the crossing before
    charges += rng.exponential(0.2, (events, 1)) * np.roll(shape, 1)  # the crossing after
    depth = rng.integers(0, 7, events)
    gain = rng.normal(1.0, 0.1, events) * (1 - 0.03 * depth)
    charges = charges * gain[:, None] + rng.normal(0, 0.02, charges.shape)
    where = np.stack([rng.integers(1, 73, events) / 72, gain, rng.integers(1, 30, events) / 29], 1)
    x = np.concatenate([where, charges, np.eye(7)[depth]], 1)
    return x.astype(np.float32), energy.astype(np.float32)[:, None]


def _jets(events: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Five classes in sixteen features, each class a bent cloud: what the tagger's quantiles look like."""
    rng = np.random.default_rng(16)
    kind = rng.integers(0, 5, events)
    middle, mixing = rng.normal(0, 0.8, (5, 16)), rng.normal(0, 0.3, (5, 16, 16))
    z = rng.normal(size=(events, 16))
    x = middle[kind] + z + np.einsum("nij,nj->ni", mixing[kind], z**2 - 1)
    return np.clip(x, -7.9, 7.9).astype(np.float32), kind


def drawn_digits(events: int, size: int = 28) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Draw digits (events, size, size, 1), grey in 256 steps from 0 up to but not including 1."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    rng = np.random.default_rng(28)
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    faces = sorted(face for face in folder.glob("DejaVu*.ttf") if "Display" not in face.name)
    fonts = [ImageFont.truetype(str(face), 44) for face in faces]
    kind = rng.integers(0, 10, events)
    images = np.zeros((events, size, size, 1), np.float32)
    for image, digit in zip(images, kind, strict=True):
        big = Image.new("L", (56, 56))
        ImageDraw.Draw(big).text((28, 28), str(digit), 255, fonts[rng.integers(len(fonts))], anchor="mm")
        turn, shear = rng.normal(0, 0.15), rng.normal(0, 0.15)
        scale = rng.uniform(0.65, 0.9, 2)
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = turned @ np.array([[1, shear], [0, 1]]) * scale
        shift = 28 - matrix @ (28 + rng.normal(0, 2, 2))
        affine = (*matrix[0], shift[0], *matrix[1], shift[1])
        bent = big.transform((56, 56), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
        small = bent.filter(ImageFilter.GaussianBlur(1)).resize((size, size), Image.Resampling.BOX)
        noise = np.abs(rng.normal(0, 12, (size, size)))
        image[..., 0] = np.clip(np.floor(np.asarray(small) * rng.uniform(0.8, 1.0) + noise), 0, 255) / 256
    return images, kind
