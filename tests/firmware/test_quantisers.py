"""Quantisers that are no fixed-point types, or that one of the tools has not: refused before work starts."""

from __future__ import annotations

from typing import Any

import pytest

from fpgaclass.core import UnsupportedLayerError
from fpgaclass.firmware import check_model, prepare


def _chain(*layers: Any) -> Any:
    import keras

    inputs = x = keras.Input((4,))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize("rounding", ["RND_CONV", "S_RND", "S_RND_CONV"])
def test_a_rounding_of_data_that_da4ml_has_not_is_refused(rounding: str) -> None:
    """da4ml answers with an assertion that names no layer; weights are rounded by the model, in any way."""
    from hgq.config import QuantizerConfig
    from hgq.layers import QDense

    odd = QuantizerConfig("kif", "datalane", round_mode=rounding)
    said = f"'x' .* rounds its data by {rounding}.*use RND"
    with pytest.raises(UnsupportedLayerError, match=said):
        check_model(_chain(QDense(3), QDense(2, iq_conf=odd, name="x")))
    with pytest.raises(UnsupportedLayerError, match=said):
        check_model(_chain(QDense(2, oq_conf=odd, enable_oq=True, name="x")))
    check_model(_chain(QDense(2, kq_conf=QuantizerConfig("kbi", "weight", round_mode=rounding))))


def test_a_rounding_asked_for_as_hls4ml_writes_it_is_refused_too() -> None:
    """The type is a good one for weights, and no type for data."""
    import keras

    dense = keras.layers.Dense(2, name="x")
    model = _chain(dense)
    with pytest.raises(UnsupportedLayerError, match=r"'x' .* rounds its data by RND_CONV"):
        prepare(model, "ap_fixed<16,6,AP_RND_CONV>")
    prepare(model, {"LayerName": {"x": {"Precision": {"weight": "ap_fixed<8,2,AP_RND_CONV>"}}}})


def test_what_is_not_quantised_is_refused() -> None:
    """A dummy quantiser passes floats on, which is a traceback at the input and 34 bits further on."""
    from hgq.config import QuantizerConfig
    from hgq.layers import QDense

    for options, said in (
        ({"iq_conf": QuantizerConfig("dummy", "datalane")}, "takes the model's input as it is"),
        ({"kq_conf": QuantizerConfig("dummy", "weight")}, "has weights without a fixed-point type"),
        ({"bq_conf": QuantizerConfig("dummy", "bias")}, "has biases without a fixed-point type"),
    ):
        with pytest.raises(UnsupportedLayerError, match=f"'x' .*{said}"):
            check_model(_chain(QDense(2, name="x", **options)))


@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_refused(policy: str) -> None:
    """Its eleven bits are fewer than a sum of fixed-point numbers has: the model itself is not exact."""
    import keras
    from hgq.layers import QDense

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = _chain(QDense(2, name="x"))
    finally:
        keras.config.set_dtype_policy(before)
    with pytest.raises(UnsupportedLayerError, match=r"computes in b?float16.*set_dtype_policy\('float32'\)"):
        check_model(model)


def test_functions_that_no_copy_has_are_refused() -> None:
    """A lambda in a table, or a regulariser of one's own, is a page of Keras' when the model is copied."""
    import keras
    from hgq.layers import QDense, QUnaryFunctionLUT

    class Own(keras.regularizers.Regularizer):  # type: ignore[misc]
        def __call__(self, x: Any) -> Any:
            return 0.0 * x

        def get_config(self) -> dict[str, Any]:
            return {}

    table = QUnaryFunctionLUT(keras.ops.exp, allow_heterogeneous_table=False, name="x")
    with pytest.raises(UnsupportedLayerError, match=r"'x' .* has a function of its own \(exp\)"):
        check_model(_chain(QDense(2), table))
    with pytest.raises(UnsupportedLayerError, match=r"'x' .* holds Python code of its own, such as a regul"):
        prepare(_chain(QDense(2, kernel_regularizer=Own(), name="x")))
