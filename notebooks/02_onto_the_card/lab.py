# ---
# title: "Onto the card: a network in fixed point, and where the time goes"
# minutes: 150
# objectives:
#   - compute in fixed point, and say what rounding and overflow do to a result
#   - find how many bits a trained network needs, after training and with training
#   - turn the network into firmware and read its cost in cells and clocks
#   - move events to a card and results back through PYNQ, and prove that the card says what the model says
#   - split the time of a call into host, link and kernel, and say which card is fit for which task
# needs:
#   fpgaclass.muon, and Keras with HGQ2: nothing replaces them; every part starts from a trained network
#   an Alveo card: a virtual card runs the same RTL clock by clock, under the same PYNQ calls. Its results are
#     exact to the bit. Its times are simulated (kernel) and modelled (link), never measured
#   the vendor's tools: the open toolchain (hls4ml, da4ml, Verilator, yosys). It counts cells by open
#     synthesis and estimates the clock; it places and routes nothing
# seed: shared
# ---

# %% [markdown]
# ## From a network to a circuit
# In the first lab a network learned the $p_T$ of a muon from 27 numbers of four muon stations. It was a
# program: 32-bit floating point, on a processor, in its own time. The trigger has no processor to spare.
# It has an FPGA, in which the network becomes a **circuit**: every multiplication its own piece of silicon,
# all of them working at once, a new muon at every tick of the clock.
#
# On the way there you will meet four questions, and answer each with numbers of your own:
#
# 1. A circuit computes with integers. What does that do to a result?
# 2. Every bit costs silicon. How many does the network need?
# 3. What does the circuit cost, and how fast is it?
# 4. The circuit needs 20 nanoseconds for a muon. Why does the answer take a thousand times longer?
#
# Everybody works on the same muons in this lab, so that you can compare your firmware with your neighbour's.

# %% locked="setup"
import numpy as np

from fpgaclass import muon
from fpgaclass.lab import check, quiet, reproducible, train

quiet()

# %% [markdown]
# ## 1. Numbers whose point does not move
# A floating-point number carries its own exponent. A **fixed-point** number is an integer, together with an
# agreement about where the point is. In the notation of high-level synthesis `ap_fixed<W,I>` has $W$ bits in
# all, of which $I$ stand before the point, the sign included. That leaves $F = W - I$ after it:
#
# $$ x = 2^{-F}\, n, \qquad -2^{W-1} \le n \le 2^{W-1} - 1 . $$
#
# So the step is $2^{-F}$, and the range is $-2^{I-1}$ to $2^{I-1} - 2^{-F}$: there is one more negative
# number than positive ones. `ap_fixed<6,3>` for instance goes from -4 to 3.875 in steps of 0.125.
#
# Most numbers are not on the grid, and some are beyond the range. What happens then is agreed, too:
#
# | name | what it does |
# |---|---|
# | `TRN` | *truncate*: to the grid point below, towards minus infinity. Costs nothing: bits are dropped |
# | `RND` | *round*: to the nearest grid point, halves upwards. Costs an adder |
# | `WRAP` | *wrap around*: keep the lowest $W$ bits of the integer. Costs nothing |
# | `SAT` | *saturate*: stay at the nearest end of the range. Costs a comparison |
#
# The free ones are the defaults of the hardware tools, and this is where many a network has lost its wits.
#
# ### Task 1: `to_fixed`
# Write the conversion, for arrays of any shape. The result is again a float array, of values on the grid.


# %% task="to_fixed"
def to_fixed(x, width, integer, rounding="TRN", overflow="WRAP"):
    """Convert an array to ap_fixed<width, integer, rounding, overflow>; returns floats on its grid."""
    ### BEGIN SOLUTION
    scale = 2.0 ** (width - integer)
    n = np.asarray(x, dtype=float) * scale
    n = np.floor(n + 0.5) if rounding == "RND" else np.floor(n)
    half = 2.0 ** (width - 1)
    if overflow == "SAT":
        n = np.clip(n, -half, half - 1)
    else:
        n = (n + half) % (2 * half) - half
    return n / scale
    ### END SOLUTION


# %% [markdown] hint="to_fixed" level=1
# First find the integer $n$. Which of numpy's `floor`, `trunc` and `round` goes towards *minus infinity*?
# Try them on -0.3.

# %% [markdown] hint="to_fixed" level=2
# Multiply by $2^F$, make whole numbers ($\lfloor n \rfloor$, or $\lfloor n + 1/2 \rfloor$ to round halves
# up), bring them into the range, divide by $2^F$. To wrap around, shift the range so that it starts at zero,
# take the remainder of the division by $2^W$, and shift back. In numpy, `%` of a negative number is positive.

# %% [markdown] hint="to_fixed" level=3
# ```python
# scale = 2.0 ** (...)
# n = np.floor(np.asarray(x) * scale + (0.5 if ... else 0))
# half = 2.0 ** (width - 1)
# n = np.clip(n, -half, ...) if overflow == "SAT" else (n + half) % (...) - half
# return n / scale
# ```

# %% check="to_fixed" points=1
# Fixed-point values are exact in floating point, so they are compared to within 1e-12, not to a per cent.
some = np.array([0.3, -0.3, 1.0, -1.06])
check.close("to_fixed(x, 6, 3), truncated", to_fixed(some, 6, 3), [0.25, -0.375, 1.0, -1.125], atol=1e-12)
check.close("to_fixed(x, 6, 3, 'RND')", to_fixed(some, 6, 3, "RND"), [0.25, -0.25, 1.0, -1.0], atol=1e-12)

# %% check="to_fixed" points=1 name="wrap"
check.close("to_fixed(4.0, 6, 3), which wraps", to_fixed(4.0, 6, 3), -4.0, atol=1e-12)
### BEGIN HIDDEN TESTS
far = np.array([[3.875, 3.99], [4.2, -4.2], [12.1, -100.0]])
near = np.array([[3.875, 3.875], [-3.875, 3.75], [-4.0, -4.0]])
check.close("to_fixed far beyond the range, WRAP", to_fixed(far, 6, 3), near, atol=1e-12)
### END HIDDEN TESTS

# %% check="to_fixed" points=1 name="saturate"
ends = to_fixed(np.array([100.0, -100.0]), 6, 3, overflow="SAT")
check.close("the ends of the range of <6,3,TRN,SAT>", ends, [3.875, -4.0], atol=1e-12)
### BEGIN HIDDEN TESTS
check.close("0.99 as <4,0,RND,SAT>", to_fixed(0.99, 4, 0, "RND", "SAT"), 0.4375, atol=1e-12)
check.close("3.97 as <6,3,RND,SAT>", to_fixed(3.97, 6, 3, "RND", "SAT"), 3.875, atol=1e-12)
### END HIDDEN TESTS


# %% wrong="to_fixed" name="towards_zero" loses=1
def to_fixed(x, width, integer, rounding="TRN", overflow="WRAP"):
    scale = 2.0 ** (width - integer)
    n = np.asarray(x, dtype=float) * scale
    n = np.round(n) if rounding == "RND" else np.trunc(n)
    half = 2.0 ** (width - 1)
    n = np.clip(n, -half, half - 1) if overflow == "SAT" else (n + half) % (2 * half) - half
    return n / scale


# %% wrong="to_fixed" name="sign_bit_forgotten" loses=2
def to_fixed(x, width, integer, rounding="TRN", overflow="WRAP"):
    scale = 2.0 ** (width - integer)
    n = np.floor(np.asarray(x, dtype=float) * scale + (0.5 if rounding == "RND" else 0))
    whole = 2.0**width
    n = np.clip(n, -whole, whole - 1) if overflow == "SAT" else (n + whole) % (2 * whole) - whole
    return n / scale


# %% wrong="to_fixed" name="one_too_many" loses=1
def to_fixed(x, width, integer, rounding="TRN", overflow="WRAP"):
    scale = 2.0 ** (width - integer)
    n = np.floor(np.asarray(x, dtype=float) * scale + (0.5 if rounding == "RND" else 0))
    half = 2.0 ** (width - 1)
    n = np.clip(n, -half, half) if overflow == "SAT" else (n + half) % (2 * half) - half
    return n / scale


# %% wrong="to_fixed" name="always_saturates" loses=1
def to_fixed(x, width, integer, rounding="TRN", overflow="SAT"):  # noqa: ARG001
    scale = 2.0 ** (width - integer)
    n = np.floor(np.asarray(x, dtype=float) * scale + (0.5 if rounding == "RND" else 0))
    half = 2.0 ** (width - 1)
    return np.clip(n, -half, half - 1) / scale


# %% [markdown]
# The two conversions side by side. The sawtooth is what a value that grows slowly out of its range looks
# like to the rest of a network.

# %%
line = np.linspace(-7, 7, 1401)
figure, axes = muon.subplots(
    "Fixed-point value against the value given, for 5 bits of which 3 are before the point. With truncation "
    "and wrapping it is a staircase that jumps from 3.75 to minus 4 and starts again; with rounding and "
    "saturation the staircase stays at its ends.",
    source="computed",
)
axes.plot(line, to_fixed(line, 5, 3), label="<5,3,TRN,WRAP>", lw=1.5)
axes.plot(line, to_fixed(line, 5, 3, "RND", "SAT"), label="<5,3,RND,SAT>", lw=1.5)
axes.plot(line, line, ":", color="0.5", label="no conversion")
axes.set(xlabel="value", ylabel="value in fixed point", ylim=(-7.5, 7.5))
axes.legend(frameon=False)
figure

# %% [markdown]
# ### Task 2: two numbers in one word
# A driver moves 32-bit words. Two 16-bit numbers go into each: the first of a pair into the low half, the
# second into the high half. It sounds like nothing. A published driver for just this kind of network got it
# wrong, and its results were off only for events with a *negative* number in a low half.
#
# Write `pack_pairs`, from integers of shape (n, 2k) to `uint32` words of shape (n, k), and its inverse
# `unpack_pairs`, which returns `int16`. Write out the arithmetic; a `.view` would depend on the machine's
# byte order, and on a board you may have no numpy.


# %% task="pack_pairs"
def pack_pairs(numbers):
    """(n, 2k) signed integers of 16 bits -> (n, k) uint32; the even columns in the low halves."""
    ### BEGIN SOLUTION
    numbers = np.asarray(numbers, dtype=np.int64)
    low, high = numbers[:, 0::2] & 0xFFFF, numbers[:, 1::2] & 0xFFFF
    return (low | high << 16).astype(np.uint32)
    ### END SOLUTION


def unpack_pairs(words):
    """(n, k) uint32 -> (n, 2k) int16; the inverse of pack_pairs."""
    ### BEGIN SOLUTION
    words = np.asarray(words, dtype=np.int64)
    halves = np.stack([words & 0xFFFF, words >> 16], axis=-1).reshape(len(words), -1)
    return np.where(halves >= 0x8000, halves - 0x10000, halves).astype(np.int16)
    ### END SOLUTION


# %% [markdown] hint="pack_pairs" level=1
# Write -1 as 16 bits, and then as 32 bits. What happens to the high half when you add the second one to it?

# %% [markdown] hint="pack_pairs" level=2
# In two's complement a negative number has ones all the way up. Cut each number to its 16 bits with
# `& 0xFFFF` before you shift and combine them. On the way back a half of 0x8000 or more stands for a
# negative number: subtract 0x10000.

# %% [markdown] hint="pack_pairs" level=3
# ```python
# numbers = np.asarray(numbers, dtype=np.int64)   # room for the shift
# low, high = numbers[:, 0::2] & 0xFFFF, ...
# return (low | high << ...).astype(np.uint32)
#
# halves = np.stack([words & 0xFFFF, words >> 16], axis=-1).reshape(len(words), -1)
# return np.where(halves >= 0x8000, ..., halves).astype(np.int16)
# ```

# %% check="pack_pairs" points=1
pairs = np.array([[1, 2, 3, 4], [7, -1, 0, 5]])
words = np.array([[0x00020001, 0x00040003], [0xFFFF0007, 0x00050000]], dtype=np.uint32)
check.equal("pack_pairs", pack_pairs(pairs), words)
check.equal("unpack_pairs", unpack_pairs(words), pairs.astype(np.int16))

# %% check="pack_pairs" points=1 name="round_trip"
### BEGIN HIDDEN TESTS
check.equal(
    "pack_pairs([[-1, 5]])", pack_pairs(np.array([[-1, 5]])), np.array([[0x0005FFFF]], dtype=np.uint32)
)
every = np.random.default_rng(3).integers(-(2**15), 2**15, (500, 28)).astype(np.int16)
check.equal("unpack_pairs(pack_pairs(x))", unpack_pairs(pack_pairs(every)), every)
### END HIDDEN TESTS


# %% wrong="pack_pairs" name="negative_borrows" loses=1
def pack_pairs(numbers):
    numbers = np.asarray(numbers, dtype=np.int64)
    return ((numbers[:, 0::2] + (numbers[:, 1::2] << 16)) % 2**32).astype(np.uint32)


def unpack_pairs(words):
    words = np.asarray(words, dtype=np.int64)
    halves = np.stack([words & 0xFFFF, words >> 16], axis=-1).reshape(len(words), -1)
    return np.where(halves >= 0x8000, halves - 0x10000, halves).astype(np.int16)


# %% wrong="pack_pairs" name="halves_swapped" loses=1
def pack_pairs(numbers):
    numbers = np.asarray(numbers, dtype=np.int64) & 0xFFFF
    return (numbers[:, 0::2] << 16 | numbers[:, 1::2]).astype(np.uint32)


def unpack_pairs(words):
    words = np.asarray(words, dtype=np.int64)
    halves = np.stack([words >> 16, words & 0xFFFF], axis=-1).reshape(len(words), -1)
    return np.where(halves >= 0x8000, halves - 0x10000, halves).astype(np.int16)


# %% wrong="pack_pairs" name="sign_not_restored" loses=1
def pack_pairs(numbers):
    numbers = np.asarray(numbers, dtype=np.int64) & 0xFFFF
    return (numbers[:, 0::2] | numbers[:, 1::2] << 16).astype(np.uint32)


def unpack_pairs(words):
    words = np.asarray(words, dtype=np.int64)
    return np.stack([words & 0xFFFF, words >> 16], axis=-1).reshape(len(words), -1)


# %% [markdown]
# ## 2. How many bits does the network need?
# Here is a network to ask: that of lab 1, a little smaller, in floating point. It is what everything else is
# measured against. The next two cells take about half a minute.

# %% locked="data"
import keras
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers import QDense
from hgq.utils import trace_minmax

reproducible(1)  # the same weights each time, and so the same firmware

muons = muon.simulate(100_000, seed=1, spectrum="log_pt").with_stubs(2)
X_train, y_train = muon.standardise(muon.features(muons)), muon.to_target(muons.pt)
test = muon.simulate(20_000, seed=2, spectrum="log_pt").with_stubs(2)
X_test = muon.standardise(muon.features(test))


def sigma68(prediction):
    """The relative resolution of pT for muons of 10 to 40 GeV, from a network's output ln(pT / 20 GeV)."""
    return float(muon.resolution(test.pt, muon.from_target(prediction), bins=(10, 40)).sigma68[0])


# %% locked="float_network"
float_network = keras.Sequential(
    [
        keras.Input((27,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ],
    name="floating_point",
)
train(float_network, X_train, y_train, epochs=30, batch_size=500, learning_rate=5e-3, loss="mae")

weights = float_network.get_weights()
layers = list(zip(weights[0::2], weights[1::2], strict=True))  # (kernel, bias) of each layer, in order
float_sigma = sigma68(float_network.predict(X_test, batch_size=8192, verbose=0))
table = muon.DeltaPhiTable.fit(muons)
table_sigma = float(muon.resolution(test.pt, table.predict(test), bins=(10, 40)).sigma68[0])
print(f"sigma68 at 10 to 40 GeV (simulated): network {float_sigma:.4f}, look-up table {table_sigma:.4f}")

# %% [markdown]
# The quick way to a network in fixed point is to take the trained one and round everything: the inputs, the
# weights, and what comes out of each layer. This is *post-training quantisation*. Sums inside a layer stay
# exact, as they do in the circuit: an adder can be as wide as it has to be.
#
# ### Task 3: `predict_fixed`
# Compute the network with one type for all. `layers` is a list of `(kernel, bias)`. In each layer: convert
# kernel and bias, multiply and add exactly, convert the result, and then, in all layers but the last, apply
# $\mathrm{ReLU}(v) = \max(v, 0)$. Convert the inputs first.


# %% task="predict_fixed"
def predict_fixed(layers, x, width, integer, rounding="RND", overflow="SAT"):
    """The network's output, (n, 1), with every number as ap_fixed<width, integer, rounding, overflow>."""
    ### BEGIN SOLUTION
    x = to_fixed(x, width, integer, rounding, overflow)
    for k, (kernel, bias) in enumerate(layers):
        kernel = to_fixed(kernel, width, integer, rounding, overflow)
        bias = to_fixed(bias, width, integer, rounding, overflow)
        x = to_fixed(x @ kernel + bias, width, integer, rounding, overflow)
        if k < len(layers) - 1:
            x = np.maximum(x, 0)
    return x
    ### END SOLUTION


# %% [markdown] hint="predict_fixed" level=1
# Write the network in floating point first (it is three lines in a loop), and compare it with
# `float_network.predict`. Then ask of each array in it whether it has been converted.

# %% [markdown] hint="predict_fixed" level=2
# A dense layer is `x @ kernel + bias`. Five things are converted: the inputs once, and in each layer the
# kernel, the bias and the result. The last layer has no ReLU: $\ln(p_T/20)$ may be negative.

# %% [markdown] hint="predict_fixed" level=3
# ```python
# kind = (width, integer, rounding, overflow)
# x = to_fixed(x, *kind)
# for k, (kernel, bias) in enumerate(layers):
#     x = to_fixed(x @ to_fixed(kernel, *kind) + ..., *kind)
#     if k < ...:
#         x = np.maximum(x, 0)
# return x
# ```

# %% check="predict_fixed" points=1
# 32 bits leave errors of some 1e-7 in each number; a thousand of them add up to far less than 1e-4.
wide = predict_fixed(layers, X_test[:2000], 32, 8)
check.close(
    "32 bits against floating point", wide, float_network.predict(X_test[:2000], verbose=0), atol=1e-4
)

# %% check="predict_fixed" points=1 name="narrow"
# By hand: 0.3 -> 0.25; 0.25 * 0.5 - 1.25 -> -1.125 -> ReLU 0; 0.25 * 1.5 + 0.5 -> 0.875; 0 * 2 + 0.875 * -1
tiny = [(np.array([[0.5, 1.5]]), np.array([-1.25, 0.5])), (np.array([[2.0], [-1.0]]), np.array([0.0]))]
check.close(
    "a network of two layers in <6,3>",
    predict_fixed(tiny, [[0.3]], 6, 3, "TRN", "WRAP"),
    [[-0.875]],
    atol=1e-12,
)


### BEGIN HIDDEN TESTS
def _reference(layers, x, width, integer, rounding, overflow):
    def fix(v):
        n = np.floor(np.asarray(v, float) * 2.0 ** (width - integer) + 0.5 * (rounding == "RND"))
        low, high = -(2.0 ** (width - 1)), 2.0 ** (width - 1) - 1
        n = np.clip(n, low, high) if overflow == "SAT" else (n - low) % (high - low + 1) + low
        return n / 2.0 ** (width - integer)

    x = fix(x)
    for k, (kernel, bias) in enumerate(layers):
        x = fix(x @ fix(kernel) + fix(bias))
        x = np.maximum(x, 0) if k < len(layers) - 1 else x
    return x


for kind in ((10, 5, "RND", "SAT"), (10, 5, "TRN", "SAT"), (12, 4, "RND", "WRAP")):
    expected = _reference(layers, X_test[:500], *kind)
    check.close(
        f"the network in <{kind[0]},{kind[1]},{kind[2]},{kind[3]}>",
        predict_fixed(layers, X_test[:500], *kind),
        expected,
        atol=1e-9,
    )
### END HIDDEN TESTS


# %% wrong="predict_fixed" name="weights_left_floating" loses=1
def predict_fixed(layers, x, width, integer, rounding="RND", overflow="SAT"):
    x = to_fixed(x, width, integer, rounding, overflow)
    for k, (kernel, bias) in enumerate(layers):
        x = to_fixed(x @ kernel + bias, width, integer, rounding, overflow)
        if k < len(layers) - 1:
            x = np.maximum(x, 0)
    return x


# %% wrong="predict_fixed" name="relu_at_the_end_too" loses=2
def predict_fixed(layers, x, width, integer, rounding="RND", overflow="SAT"):
    x = to_fixed(x, width, integer, rounding, overflow)
    for kernel, bias in layers:
        kernel = to_fixed(kernel, width, integer, rounding, overflow)
        bias = to_fixed(bias, width, integer, rounding, overflow)
        x = np.maximum(to_fixed(x @ kernel + bias, width, integer, rounding, overflow), 0)
    return x


# %% wrong="predict_fixed" name="only_the_inputs" loses=1
def predict_fixed(layers, x, width, integer, rounding="RND", overflow="SAT"):
    x = to_fixed(x, width, integer, rounding, overflow)
    for k, (kernel, bias) in enumerate(layers):
        x = x @ kernel + bias
        if k < len(layers) - 1:
            x = np.maximum(x, 0)
    return x


# %% [markdown]
# Now scan the width: with six bits before the point (a range of -32 to 32, enough for every number in this
# network) and with four (-8 to 8, not quite enough); each as a tool does it unless told otherwise, and with
# rounding and saturation.

# %% locked="scan"
widths = list(range(7, 19))
kinds = {
    "<W,6,TRN,WRAP>": (6, "TRN", "WRAP"),
    "<W,6,RND,SAT>": (6, "RND", "SAT"),
    "<W,4,TRN,WRAP>": (4, "TRN", "WRAP"),
    "<W,4,RND,SAT>": (4, "RND", "SAT"),
}
scan = {
    name: [sigma68(predict_fixed(layers, X_test, w, *kind)) for w in widths] for name, kind in kinds.items()
}
figure, axes = muon.subplots(
    "sigma68, on a logarithmic axis, against the width in bits for four fixed-point types. With six bits "
    "before the point both come down to the floating-point network's resolution at about 12 bits. With four "
    "the one that saturates is there at 10 bits; the one that wraps stays several times worse at any width."
)
for (name, values), marker in zip(scan.items(), "osv^", strict=True):
    axes.plot(widths, values, marker=marker, label=name)
axes.axhline(float_sigma, ls=":", color="0.4", label="floating point")
axes.axhline(table_sigma, ls="--", color="0.7", label="look-up table")
axes.set(xlabel="width W (bits)", ylabel="sigma68 of pT, 10 to 40 GeV", yscale="log")
axes.legend(frameon=False)
figure

# %% [markdown]
# Two lessons in one picture. Bits before the point that no number needs are bits lost after it: of those that
# saturate, the type with four is ahead by two. And a range that is too small costs little when the few
# numbers beyond it stay at its end, and everything when they come back with the other sign: that is what
# wraps, and no number of bits after the point mends it.
#
# ### Task 4: choose
# Take `<W,6,RND,SAT>`, and say that a loss of 5 % in resolution is acceptable: sigma68 of at most 1.05 times
# that in floating point. What is the smallest width that keeps it?

# %% task="enough_bits"
enough_bits = ...
### BEGIN SOLUTION
enough_bits = min(w for w, s in zip(widths, scan["<W,6,RND,SAT>"], strict=True) if s <= 1.05 * float_sigma)
### END SOLUTION

# %% [markdown] hint="enough_bits" level=1
# You can read it off the plot, but a number in the notebook should follow when the data change.

# %% [markdown] hint="enough_bits" level=2
# `widths` and `scan["<W,6,RND,SAT>"]` belong together, element by element. Keep the widths whose sigma68 is
# within the limit, and take the smallest.

# %% [markdown] hint="enough_bits" level=3
# `enough_bits = min(w for w, s in zip(widths, scan[...]) if s <= ... * float_sigma)`

# %% check="enough_bits" points=1
check.that(enough_bits in widths, f"enough_bits is {enough_bits!r}; the scan has {widths[0]} to {widths[-1]}")
at = dict(zip(widths, scan["<W,6,RND,SAT>"], strict=True))
limit = 1.05 * float_sigma
check.below(f"sigma68 with {enough_bits} bits", at[enough_bits], limit, why="5 % more than floating point")
fewer = f"sigma68 with one bit fewer than your {enough_bits}"
check.above(fewer, at.get(enough_bits - 1, np.inf), limit, why="otherwise one bit fewer would do, too")

# %% wrong="enough_bits" name="sixteen_as_always" loses=1
enough_bits = 16

# %% wrong="enough_bits" name="better_than_the_table" loses=1
enough_bits = min(w for w, s in zip(widths, scan["<W,6,RND,SAT>"], strict=True) if s <= 1.6 * float_sigma)

# %% [markdown]
# ## 3. Train with the bits in the loop
# One width for all is a blunt tool. Some weights hardly matter and could do with two bits, or none. **HGQ2**
# trains the width of *every single weight and activation* together with the network: the loss gets a term
# $\beta \cdot \mathrm{EBOPs}$, where the *effective bit operations*
#
# $$ \mathrm{EBOPs} = \sum_{\text{products}} b_\text{weight} \cdot b_\text{activation} $$
#
# count the multipliers' size. The larger $\beta$, the smaller the circuit, and at some point the worse the
# physics. A weight whose width goes to zero is gone: the network prunes itself.
#
# ### Task 5: `quantised_network`
# Build the network 27-32-16-1 from `QDense` layers, which take the same arguments as Keras' `Dense`. ReLU
# after the hidden layers; the last layer also gets `enable_oq=True`, so that its *output* has a width, too.
# The scopes around it say how numbers are converted: data wrap (their widths are learned with room to
# spare), weights saturate.


# %% task="quantised_network"
def quantised_network(beta):
    """A Keras model 27-32-16-1 that learns its own bit widths; beta is the price of a bit operation."""
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=beta),
    ):
        ### BEGIN SOLUTION
        inputs = keras.Input((27,), name="event")
        x = QDense(32, activation="relu", name="hidden_1")(inputs)
        x = QDense(16, activation="relu", name="hidden_2")(x)
        outputs = QDense(1, enable_oq=True, name="output")(x)
        return keras.Model(inputs, outputs, name="muon_pt")
        ### END SOLUTION


# %% [markdown] hint="quantised_network" level=1
# It is the float network above, in Keras' functional style, with another name for `Dense`.

# %% [markdown] hint="quantised_network" level=2
# Start with `keras.Input((27,))`, pass the tensor through one layer after the other, and make a
# `keras.Model(inputs, outputs)`. All of it must stay inside the `with`, where the scopes hold.

# %% [markdown] hint="quantised_network" level=3
# ```python
# inputs = keras.Input((27,))
# x = QDense(32, activation="relu")(inputs)
# x = ...
# outputs = QDense(1, enable_oq=...)(x)
# return keras.Model(inputs, outputs, name="muon_pt")
# ```

# %% check="quantised_network" points=1
probe = quantised_network(1e-6)
check.that(isinstance(probe, keras.Model), "quantised_network should return a keras.Model")
check.equal("the shapes in and out", [probe.input_shape[-1], probe.output_shape[-1]], [27, 1])
dense = [layer for layer in probe.layers if layer.weights]
quantised = all(isinstance(layer, QDense) for layer in dense)
check.that(quantised, "every layer should be a QDense, and another kind is among them")
check.equal("the layers' sizes", [layer.units for layer in dense], [32, 16, 1])

# %% [markdown]
# Train it. Nobody starts from nothing: the weights of the network in floating point are a good place to
# begin, and then the bits are taken away where they are missed least. The price $\beta$ is chosen for a
# network that builds in about a minute here; try others later. `trace_minmax` shows the network the training
# data once more, to find how many bits *before* the point each number needs.

# %% locked="training"
keras.utils.set_random_seed(1)  # the same start, whatever was tried before
model = quantised_network(1e-6)
for layer, (kernel, bias) in zip([one for one in model.layers if one.weights], layers, strict=True):
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
train(model, X_train, y_train, epochs=20, batch_size=500, learning_rate=3e-3, loss="mae")
trace_minmax(model, X_train, batch_size=8192, verbose=0)

model_sigma = sigma68(model.predict(X_test, batch_size=8192, verbose=0))
ebops = int(sum(float(layer.ebops) for layer in model.layers if hasattr(layer, "ebops")))
kernels = [np.asarray(layer.qkernel) for layer in model.layers if hasattr(layer, "qkernel")]
gone = float(np.mean(np.concatenate([kernel.ravel() == 0 for kernel in kernels])))
print(f"sigma68 at 10 to 40 GeV (simulated): {model_sigma:.4f}, floating point {float_sigma:.4f}")
print(f"{ebops:,} EBOPs; {gone:.0%} of the weights are gone")

# %% check="quantised_network" points=2 name="trained"
# The solution reaches 0.113, and the table 0.118 on the same muons. Other processors' arithmetic moves the
# network's by some 0.002; without its hidden layers or its ReLUs it is far off.
check.below(
    "sigma68 of the quantised network", model_sigma, table_sigma, why="what the look-up table reaches"
)
check.between("the network's EBOPs", ebops, 1_000, 70_000, why="what builds in a minute or two")


# %% wrong="quantised_network" name="plain_dense_at_the_end" loses=1
def quantised_network(beta):
    with LayerConfigScope(enable_ebops=True, beta0=beta):
        inputs = keras.Input((27,))
        x = QDense(32, activation="relu")(inputs)
        x = QDense(16, activation="relu")(x)
        outputs = keras.layers.Dense(1)(x)
        return keras.Model(inputs, outputs, name="muon_pt")


# %% wrong="quantised_network" name="relu_forgotten" loses=2
def quantised_network(beta):
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=beta),
    ):
        inputs = keras.Input((27,))
        x = QDense(32)(inputs)
        x = QDense(16)(x)
        outputs = QDense(1, enable_oq=True)(x)
        return keras.Model(inputs, outputs, name="muon_pt")


# %% wrong="quantised_network" name="relu_at_the_output" loses=2
def quantised_network(beta):
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=beta),
    ):
        inputs = keras.Input((27,))
        x = QDense(32, activation="relu")(inputs)
        x = QDense(16, activation="relu")(x)
        outputs = QDense(1, activation="relu", enable_oq=True)(x)
        return keras.Model(inputs, outputs, name="muon_pt")


# %% [markdown]
# ## 4. Build
# Now the network becomes a circuit. `firmware.build` runs a whole flow, and prints each stage:
#
# - **hls4ml** writes the network as C++ with fixed-point types, which is compiled and run here;
# - **da4ml** turns it into adders (a multiplication by a known constant is a few shifts and adds: no
#   multiplier is left) and cuts them into a *pipeline* with registers, as Verilog;
# - a **kernel** is put around it, which reads events from the card's memory and writes results back;
# - **Verilator** compiles the kernel's Verilog to a simulator, exact to the clock;
# - **yosys** counts the cells.
#
# All stages compute 20,000 events, and all must agree with the model to the last bit, or the build fails.
# The first time it takes one to two minutes; afterwards it is found at once.

# %% locked="build"
from fpgaclass import firmware

chip = firmware.build(model, board="u250", name="muon_pt")
print(chip.report)

# %% [markdown]
# Read the report. The pipeline has a number of *stages*; an event moves by one stage at every clock. The
# *initiation interval* is the number of clocks after which the next event may follow. The cells are counted
# by open synthesis, and the clock is an estimate, until a vendor's tool has placed and routed the design.
#
# ### Task 6: what the circuit can do
# Write `budget(report)`, which returns three numbers as a tuple:
#
# 1. the latency of the network, in ns, from the number of stages and the clock;
# 2. the rate of events that it can take, in events per second;
# 3. how many copies of the network fit on the device, beside one shell: the scarcest kind of cell decides.
#
# You need `report.pipeline_stages`, `.initiation_interval`, `.clock_mhz`, and the cells `.network`, `.shell`
# and `.available`, each with `.lut`, `.ff`, `.dsp` and `.bram`.


# %% task="budget"
def budget(report):
    """(latency in ns, events per second, copies of the network that fit beside one shell)."""
    ### BEGIN SOLUTION
    latency_ns = report.pipeline_stages * 1000 / report.clock_mhz
    events_per_s = report.clock_mhz * 1e6 / report.initiation_interval
    copies = min(
        (getattr(report.available, kind) - getattr(report.shell, kind)) // getattr(report.network, kind)
        for kind in ("lut", "ff", "dsp", "bram")
        if getattr(report.network, kind)
    )
    return latency_ns, events_per_s, copies
    ### END SOLUTION


# %% [markdown] hint="budget" level=1
# How long is one clock at 200 MHz? And which of the four kinds of cell does the network use at all?

# %% [markdown] hint="budget" level=2
# A clock of $f$ MHz lasts $1000/f$ ns. A new event may come every `initiation_interval` clocks. For each
# kind of cell that the network uses, (available - shell) // network copies fit; take the smallest.

# %% [markdown] hint="budget" level=3
# ```python
# latency_ns = report.pipeline_stages * 1000 / ...
# events_per_s = report.clock_mhz * 1e6 / ...
# copies = min(
#     (getattr(report.available, kind) - getattr(report.shell, kind)) // getattr(...)
#     for kind in ("lut", "ff", "dsp", "bram")
#     if getattr(report.network, kind)
# )
# return latency_ns, events_per_s, copies
# ```

# %% check="budget" points=1
latency, throughput, copies = budget(chip.report)
# All three are exact arithmetic on the report: the tolerance is for floating point alone.
check.close("the latency", latency, chip.report.latency_ns, rtol=1e-9, unit="ns")
check.close("the rate", throughput, chip.report.clock_mhz * 1e6, rtol=1e-9, unit="events/s")
check.that(copies == int(copies), f"copies is {copies}, and half a network is no network")

# %% check="budget" points=1 name="another_report"
### BEGIN HIDDEN TESTS
from dataclasses import replace

_cells = type(chip.report.network)
_other = replace(
    chip.report,
    network=_cells(100, 900, 3, 0),
    shell=_cells(50, 100, 0, 4),
    available=_cells(10_000, 10_000, 100, 4),
    pipeline_stages=12,
    initiation_interval=3,
    clock_mhz=240.0,
)
check.close("budget of another report", budget(_other), [50.0, 80e6, 11], rtol=1e-9)
_other = replace(_other, network=_cells(100, 90, 40, 0))
check.close("budget of a network with multipliers", budget(_other), [50.0, 80e6, 2], rtol=1e-9)
### END HIDDEN TESTS


# %% wrong="budget" name="interval_forgotten" loses=1
def budget(report):
    copies = min(
        (report.available.lut - report.shell.lut) // report.network.lut,
        (report.available.ff - report.shell.ff) // report.network.ff,
    )
    return report.pipeline_stages * 1000 / report.clock_mhz, report.clock_mhz * 1e6, copies


# %% wrong="budget" name="rate_from_latency" loses=1
def budget(report):
    latency = report.pipeline_stages * 1000 / report.clock_mhz
    copies = (report.available.lut - report.shell.lut) // report.network.lut
    return latency, 1e9 / latency, copies


# %% wrong="budget" name="only_luts" loses=1
def budget(report):
    latency = report.pipeline_stages * 1000 / report.clock_mhz
    copies = (report.available.lut - report.shell.lut) // report.network.lut
    return latency, report.clock_mhz * 1e6 / report.initiation_interval, copies


# %%
chip.report.plot()

# %% [markdown]
# ## 5. Run it on the card
# From here on you use **PYNQ**, the Python interface of real cards. `pynq.Overlay` programs the card with the
# built file. If there is no Alveo in this machine, PYNQ finds the *virtual card*: it runs the very Verilog of
# your network, clock by clock. Nothing in your code would change on a real one.
#
# The card has its own memory. A PYNQ buffer exists **twice**: once on the host, where it is a numpy array,
# and once on the card. Nothing keeps the two equal but you:
#
# 1. `buffer = pynq.allocate(shape, dtype, target=overlay.bank0)` makes both;
# 2. `buffer[:] = ...` fills the host's; `buffer.sync_to_device()` copies it to the card;
# 3. `overlay.krnl_rtl_1.call(input, output, words_in, words_out)` starts the kernel and waits. The lengths
#    are counted in **words** (elements of the buffers), not in events and not in bytes;
# 4. `buffer.sync_from_device()` copies a result back to the host;
# 5. `buffer.freebuffer()` gives the memory back.
#
# What goes over the bus are the integers of part 1. `chip.encode(events)` makes them, one row of
# `chip.inputs.slot_words` words an event; `chip.decode(words)` turns rows of `chip.outputs.slot_words` words
# into numbers.

# %% locked="overlay"
import fpgaclass.card  # before pynq, to which it gives a virtual card
import pynq

overlay = pynq.Overlay(chip.path)
print("card:", overlay.device.name, "  kernel:", ", ".join(overlay.ip_dict))
print("signature:", overlay.krnl_rtl_1.signature)
print(f"an event: {chip.inputs.slot_words} words of {chip.inputs.dtype}, a result: {chip.outputs.slot_words}")
print("the first event of the test sample:", chip.encode(X_test[:1])[0])

# %% [markdown]
# These are the numbers that you would pack in pairs, as in task 2, for a bus of 32 bits. PYNQ copies arrays
# of 16-bit words as they are.
#
# ### Task 7: `run_on_card`
# Write the whole way of a batch of events: from floats of shape (n, 27) to the card's results, floats of
# shape (n, 1).


# %% task="run_on_card"
def run_on_card(overlay, chip, events):
    """Compute events (n, 27) on the card; returns its results as floats (n, 1)."""
    ### BEGIN SOLUTION
    words = chip.encode(events)
    x = pynq.allocate(words.shape, words.dtype, target=overlay.bank0)
    y = pynq.allocate((len(words), chip.outputs.slot_words), chip.outputs.dtype, target=overlay.bank0)
    x[:] = words
    x.sync_to_device()
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    results = chip.decode(y)
    x.freebuffer()
    y.freebuffer()
    return results
    ### END SOLUTION


# %% [markdown] hint="run_on_card" level=1
# The five steps above, once for the input and once for the output buffer. Which of the two is filled by you,
# and which by the card? Each is copied in one direction only.

# %% [markdown] hint="run_on_card" level=2
# Encode first: it gives the input's shape and dtype. The output has as many rows and
# `chip.outputs.slot_words` columns of `chip.outputs.dtype`. `buffer.size` is a number of words. Decode
# before you free the buffer.
# %% [markdown] hint="run_on_card" level=3
# ```python
# words = chip.encode(events)
# x = pynq.allocate(words.shape, words.dtype, target=overlay.bank0)
# y = pynq.allocate((len(words), ...), chip.outputs.dtype, target=overlay.bank0)
# x[:] = words
# x.sync_...()
# overlay.krnl_rtl_1.call(x, y, x.size, ...)
# y.sync_...()
# results = chip.decode(y)
# ```

# %% check="run_on_card" points=1
first = run_on_card(overlay, chip, X_test[:200])
check.shape("run_on_card(...)", first, (200, 1))
# No tolerance: the card computes with the same integers as the model, so every bit is the same.
check.close("the card against the network's logic", first, chip.predict(X_test[:200]))

# %% check="run_on_card" points=2 name="twice"
### BEGIN HIDDEN TESTS
for _events in (X_test[1000:1001], X_test[2000:5001], X_test[:64]):
    _expected = chip.predict(_events)
    check.close(f"the card on {len(_events)} other events", run_on_card(overlay, chip, _events), _expected)
### END HIDDEN TESTS


# %% wrong="run_on_card" name="not_sent" loses=3
def run_on_card(overlay, chip, events):
    words = chip.encode(events)
    x = pynq.allocate(words.shape, words.dtype, target=overlay.bank0)
    y = pynq.allocate((len(words), chip.outputs.slot_words), chip.outputs.dtype, target=overlay.bank0)
    x[:] = words
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    return chip.decode(y)


# %% wrong="run_on_card" name="not_fetched" loses=3
def run_on_card(overlay, chip, events):
    words = chip.encode(events)
    x = pynq.allocate(words.shape, words.dtype, target=overlay.bank0)
    y = pynq.allocate((len(words), chip.outputs.slot_words), chip.outputs.dtype, target=overlay.bank0)
    x[:] = words
    x.sync_to_device()
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    return chip.decode(y)


# %% wrong="run_on_card" name="raw_words" loses=3
def run_on_card(overlay, chip, events):
    words = chip.encode(events)
    x = pynq.allocate(words.shape, words.dtype, target=overlay.bank0)
    y = pynq.allocate((len(words), chip.outputs.slot_words), chip.outputs.dtype, target=overlay.bank0)
    x[:] = words
    x.sync_to_device()
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    return np.array(y)


# %% wrong="run_on_card" name="not_encoded" loses=3
def run_on_card(overlay, chip, events):
    x = pynq.allocate((len(events), chip.inputs.slot_words), chip.inputs.dtype, target=overlay.bank0)
    y = pynq.allocate((len(events), chip.outputs.slot_words), chip.outputs.dtype, target=overlay.bank0)
    x[:, :27] = events
    x.sync_to_device()
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    return chip.decode(y)


# %% wrong="run_on_card" name="one_batch_only" loses=2
_x = pynq.allocate((200, chip.inputs.slot_words), chip.inputs.dtype, target=overlay.bank0)
_y = pynq.allocate((200, chip.outputs.slot_words), chip.outputs.dtype, target=overlay.bank0)
_x[:] = chip.encode(X_test[:200])
_x.sync_to_device()


def run_on_card(overlay, chip, events):
    overlay.krnl_rtl_1.call(_x, _y, _x.size, _y.size)
    _y.sync_from_device()
    return np.resize(chip.decode(_y), (len(events), 1))


# %% [markdown]
# All the test muons through the card, and the physics of it: the card against the network in floating point
# and the look-up table.

# %%
on_card = run_on_card(overlay, chip, X_test)
differ = int((on_card != chip.predict(X_test)).sum())
print(f"events that differ from the network's logic: {differ} of {len(X_test):,}")
muon.plot_resolution(
    {
        "card": muon.resolution(test.pt, muon.from_target(on_card)),
        "floating point": muon.resolution(
            test.pt, muon.from_target(float_network.predict(X_test, batch_size=8192, verbose=0))
        ),
        "look-up table": muon.resolution(test.pt, table.predict(test)),
    },
    "Resolution of the network on the card",
)

# %% [markdown]
# ## 6. Where does the time go?
# The report says some 20 ns for a muon. `measure` calls the card with batches of several sizes and splits
# each call into the *host* (Python, numpy, filling buffers), the *link* (PCI Express: copies, register
# accesses, the launch) and the *kernel*. Mind the column heads: on a virtual card the kernel is simulated,
# the link is modelled, and only the host is measured.

# %% locked="measurement"
from fpgaclass.card import Timing, measure

timing = measure(overlay, batch_sizes=(1, 16, 256, 4096, 65_536), data=chip.encode(X_test[:4096]))
timing

# %%
timing.plot()

# %% [markdown]
# For large batches the card's own time, link and kernel, grows in proportion to the batch; for small ones it
# hardly changes. That is a straight line:
#
# $$ t(n) = t_0 + n / r , $$
#
# with an *overhead* $t_0$ that every call pays, and a *rate* $r$ that would be reached without it. At
# $n_{1/2} = t_0\, r$ events a call spends half of its time on overhead.
#
# ### Task 8: `overhead_and_rate`
# Write it for the list `timing.timings`: each element has `.events`, `.link_s` and `.kernel_s` (and
# `.host_s`, which you leave out: it depends on this machine and its mood). Return $(t_0, r, n_{1/2})$ in
# seconds, events per second, and events. Use the smallest and the largest batch.


# %% task="overhead_and_rate"
def overhead_and_rate(timings):
    """(t0 in s, rate in events/s, events at which half the time is overhead) of the card's own time."""
    ### BEGIN SOLUTION
    small, large = min(timings, key=lambda t: t.events), max(timings, key=lambda t: t.events)
    t_small, t_large = small.link_s + small.kernel_s, large.link_s + large.kernel_s
    rate = (large.events - small.events) / (t_large - t_small)
    t0 = t_small - small.events / rate
    return t0, rate, t0 * rate
    ### END SOLUTION


# %% [markdown] hint="overhead_and_rate" level=1
# Two points make a line. Its slope has a unit: seconds per event, or events per second?

# %% [markdown] hint="overhead_and_rate" level=2
# The rate is the difference in events over the difference in time. The overhead is what is left of the small
# batch's time when its events are taken away at that rate.

# %% [markdown] hint="overhead_and_rate" level=3
# ```python
# small, large = min(timings, key=lambda t: t.events), max(...)
# t_small, t_large = small.link_s + small.kernel_s, ...
# rate = (large.events - small.events) / (...)
# t0 = t_small - ...
# return t0, rate, t0 * rate
# ```

# %% check="overhead_and_rate" points=1
t0, rate, half = overhead_and_rate(timing.timings)
# 5 %: a straight-line fit through all sizes instead of two points moves the numbers by less.
model_time = [t0 + t.events / rate for t in timing.timings]
card_time = [t.link_s + t.kernel_s for t in timing.timings]
check.close("t0 + n / r, for the sizes measured", model_time, card_time, rtol=0.05, unit="s")
check.close("the batch at which half is overhead", half, t0 * rate, rtol=1e-6, unit="events")

# %% check="overhead_and_rate" points=1 name="made_up"
### BEGIN HIDDEN TESTS
_made_up = [Timing(n, 0.1, 30e-6 + n * 10e-9, 5e-6 + n * 15e-9) for n in (512, 8, 64)]
check.close("t0, r and n of made-up timings", overhead_and_rate(_made_up), [35e-6, 4e7, 1400.0], rtol=0.01)
### END HIDDEN TESTS


# %% wrong="overhead_and_rate" name="host_counted" loses=1
def overhead_and_rate(timings):
    small, large = timings[0], timings[-1]
    rate = (large.events - small.events) / (large.total_s - small.total_s)
    t0 = small.total_s - small.events / rate
    return t0, rate, t0 * rate


# %% wrong="overhead_and_rate" name="throughput_of_the_largest" loses=1
def overhead_and_rate(timings):
    small, large = min(timings, key=lambda t: t.events), max(timings, key=lambda t: t.events)
    rate = large.events / (large.link_s + large.kernel_s)
    t0 = small.link_s + small.kernel_s
    return t0, rate, t0 * rate


# %% wrong="overhead_and_rate" name="seconds_per_event" loses=2
def overhead_and_rate(timings):
    small, large = min(timings, key=lambda t: t.events), max(timings, key=lambda t: t.events)
    t_small, t_large = small.link_s + small.kernel_s, large.link_s + large.kernel_s
    rate = (t_large - t_small) / (large.events - small.events)
    t0 = t_small - small.events * rate
    return t0, rate, t0 / rate


# %% [markdown]
# ### A processor for comparison
# The same network on this machine's processor, through Keras and as three lines of numpy. These times are
# measured, here and now; run the cell twice to see how much they move.

# %%
import time

plain = [(np.asarray(k, "float32"), np.asarray(b, "float32")) for k, b in layers]


def in_numpy(x):
    for kernel, bias in plain[:-1]:
        x = np.maximum(x @ kernel + bias, 0)
    return x @ plain[-1][0] + plain[-1][1]


print("Keras and numpy measured; card: host measured, link modelled, kernel simulated")
print("  events   Keras µs   numpy µs   card µs")
for one in timing.timings:
    batch = np.resize(X_test, (one.events, 27))
    row = []
    for compute in (float_network.predict_on_batch, in_numpy):
        compute(batch)
        started = time.perf_counter()
        compute(batch)
        row.append((time.perf_counter() - started) * 1e6)
    print(f"{one.events:8,} {row[0]:10,.0f} {row[1]:10,.0f} {one.total_s * 1e6:9,.0f}")

# %% [markdown] answer="which_card" points=2
# ### Task 9: in your own words
# The Level-1 trigger sees a bunch crossing every 25 ns and must decide within about ten microseconds. An
# offline reconstruction has millions of muons on disk and no hurry. For each of the two: would you use this
# card behind PCI Express, called from Python? Where does the time go, and what would you change? Use your
# numbers of $t_0$, $r$ and the latency from the report, and say which of them are measured, simulated or
# modelled. Six to ten sentences.
#
# ### BEGIN SOLUTION
# *A model answer.* Trigger: no. The network itself is fast enough (some 20 ns at 200 MHz, an estimate of the
# clock times the simulated stages) and takes an event every 5 ns, faster than the 25 ns between crossings.
# But a call pays an overhead of about 25 µs (modelled) on the link alone, before any event, plus some 20 µs
# (measured) in Python: more than the whole latency budget, and batching to hide it would make the first muon
# of a batch wait longer still. The circuit belongs on a board that the detector's optical links reach
# directly, with no host, memory or PCIe in the way: the kernel's shell would be replaced, the network kept.
#
# Offline: perhaps. With 65,536 muons in a call the overhead vanishes, and the card's own rate is near 100
# million muons a second (link modelled, kernel simulated); it is then limited by the bytes over PCIe and by
# the beats of 512 bits that the kernel reads, one event a clock. What to change: send fewer bytes (32 words
# of 16 bits for 27 numbers of at most 12 bits are padding for the most part), overlap copies with computing,
# use several kernels. Compare with the processor's own measured rate first: for so small a network, numpy on
# the spot may do.
# ### END SOLUTION

# %% [markdown]
# ## What you have seen
# - A fixed-point number is an integer and an agreement. Rounding and saturation cost a few cells; truncation
#   and wrapping cost physics.
# - Rounding after training needs more bits than training with the bits in the loop.
# - Constants make multipliers vanish: the circuit has no DSP at all, and an event enters at every clock.
# - What the model says, the card says, to the bit; that is checked at every stage, and by you.
# - Between a circuit of 20 ns and an answer on the host lie three orders of magnitude, and none of them is
#   computing.
