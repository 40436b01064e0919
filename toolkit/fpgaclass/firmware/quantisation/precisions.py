"""The fixed-point types of a whole model, as hls4ml configures them; what is asked for in vain is found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fpgaclass.core import InvalidInputError, warn
from fpgaclass.firmware.nearest import did_you_mean, nearest
from fpgaclass.firmware.quantisation.precision import HOW, FixedPoint

Precision: TypeAlias = str | FixedPoint | Mapping[str, Any] | None
DEFAULT = "fixed<16,6>"
_PARTS = ("weight", "scale", "bias", "result", "default")
_TABLE = "TableSize"
_USUAL_BITS, _MOST_BITS = 10, 13
_PLACES = ("Model", "LayerName")
_INSTEAD = {
    "LayerType": "let config_from_keras_model make it with granularity='name'",
    "HLSConfig": "pass what is under it: precision['HLSConfig']",
    "Precision": 'put it under "Model": {"Model": {"Precision": "fixed<16,6>"}}',
}


@dataclass(frozen=True)
class Precisions:
    """The types of a whole model: those for all layers, and others for some.

    Attributes:
        model: what (``"weight"``, ``"bias"``, ``"result"``, ``"default"``) -> type, for what is not named.
        layers: layer name -> what -> type.
        tables: layer name -> bits of its table's address; ``""`` is for those that are not named.
        unread: what of hls4ml's configuration nothing here is asked for, such as ``"accum of 'first'"``.
    """

    model: Mapping[str, FixedPoint]
    layers: Mapping[str, Mapping[str, FixedPoint]] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    _used: set[tuple[str, str]] = field(default_factory=set, repr=False, compare=False)

    @classmethod
    def of(cls, precision: Precision) -> Precisions:
        """Read a type, or hls4ml's configuration: ``{"Model": {"Precision": ...}, "LayerName": {...}}``.

        In a configuration, ``"auto"`` means the default, and what is about neither ``"Precision"`` nor
        ``"TableSize"`` is passed over.
        None is ``fixed<16,6>``.

        Raises:
            InvalidInputError: it is neither, or a key is a misspelt one.

        Example:
            >>> types = Precisions.of({"Model": {"Precision": "fixed<16,6>"},
            ...                        "LayerName": {"first": {"Precision": {"weight": "fixed<8,2>"}}}})
            >>> types.weight("first").width, types.result("first").width
            (8, 16)
        """
        if precision is None or isinstance(precision, (str, FixedPoint)):
            return cls({"default": FixedPoint.parse(DEFAULT if precision is None else precision)})
        if not isinstance(precision, Mapping):
            raise InvalidInputError(
                f"precision is {precision!r}, no fixed-point type", next_step=f"{HOW}, or {_HOW_BY_LAYER}"
            )
        for key in precision:
            if key not in _PLACES:
                raise InvalidInputError(
                    f"precision has a key {key!r}, which is not read",
                    next_step=_INSTEAD.get(key) or did_you_mean(key, _PLACES) or _HOW_BY_LAYER,
                )
        unread: list[str] = []
        about = _mapping(precision.get("Model", {}), "Model")
        named = {
            name: _mapping(one, f"LayerName {name!r}")
            for name, one in _mapping(precision.get("LayerName", {}), "LayerName").items()
        }
        model = _types(about, "the model", unread)
        layers = {name: _types(one, repr(name), unread) for name, one in named.items()}
        sizes = {"": about, **named}
        tables = {name: _table_bits(one[_TABLE], name) for name, one in sizes.items() if _TABLE in one}
        return cls({"default": FixedPoint.parse(DEFAULT), **model}, layers, tables, tuple(unread))

    def weight(self, layer: str) -> FixedPoint:
        """The type of a layer's weights."""
        return self._find(layer, "weight", "scale")

    def bias(self, layer: str) -> FixedPoint:
        """The type of a layer's biases."""
        return self._find(layer, "bias")

    def result(self, layer: str) -> FixedPoint:
        """The type that a layer's results are rounded to."""
        return self._find(layer, "result")

    def table_bits(self, layer: str) -> int | None:
        """The bits of the address of a layer's table, or None where none are given."""
        self._used.add((layer, _TABLE))
        return self.tables.get(layer, self.tables.get(""))

    def model_type(self, *names: str) -> FixedPoint:
        """The type of what is not named for a layer: the first of ``names`` that there is, or the default."""
        return next(self.model[name] for name in (*names, "default") if name in self.model)

    def names_weight(self, layer: str) -> bool:
        """Tell whether a layer's weights have a type of their own."""
        return not self.layers.get(layer, {}).keys().isdisjoint(("weight", "scale", "default"))

    def names_result(self, layer: str) -> bool:
        """Tell whether a layer's results have a type of their own."""
        return not self.layers.get(layer, {}).keys().isdisjoint(("result", "default"))

    def refuse_unknown(self, known: Collection[str], what: str) -> None:
        """Refuse types of layers that are not there.

        Args:
            known: the names that there are.
            what: what they are the layers of, for the message.

        Raises:
            InvalidInputError: names the layer and the one that is called most like it.
        """
        for name, types in self.layers.items():
            if (types or name in self.tables) and name not in known:
                step = did_you_mean(name, known) or f"name one of {', '.join(sorted(known))}"
                raise InvalidInputError(
                    f"precision names a layer {name!r}, which {what} has not", next_step=step
                )

    def warn_of_unused(self, why: Mapping[str, str]) -> None:
        """Tell which of the types nothing has asked for, once everything has asked for its own.

        Args:
            why: layer name -> why its types count for nothing, and what to name instead.
        """
        for name, types in self.layers.items():
            asked = [*types, *([_TABLE] if self.tables.get(name, _USUAL_BITS) != _USUAL_BITS else [])]
            idle = [what for what in asked if (name, what) not in self._used]
            if idle:
                reason = why.get(name, "nothing of this layer is rounded to it")
                warn(f"precision: {' and '.join(idle)} of {name!r} counts for nothing: {reason}")
        if self.unread:
            warn(f"precision: not read: {', '.join(self.unread)} (sums are exact)")

    def _find(self, layer: str, *names: str) -> FixedPoint:
        about = self.layers.get(layer, {})
        for name in (*names, "default"):
            if name in about:
                self._used.add((layer, name))
                return about[name]
        return self.model_type(*names)


_HOW_BY_LAYER = 'give types by layer as {"LayerName": {"first": {"Precision": {"weight": "fixed<8,2>"}}}}'


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{what} of precision is {value!r}", next_step=_HOW_BY_LAYER)
    return value


def _types(about: Mapping[str, Any], whose: str, unread: list[str]) -> dict[str, FixedPoint]:
    """Read the types of a layer or of the model; what of them is not read goes to ``unread``."""
    read = ("Precision", _TABLE)
    _refuse_misspelt((key for key in about if key not in read), read, whose)
    for key in about:
        if key in _PARTS:
            raise InvalidInputError(
                f"precision has a key {key!r} for {whose}, which is not read there",
                next_step=f'put it under "Precision": {{"Precision": {{"{key}": ...}}}}',
            )
    given = about.get("Precision", {})
    if isinstance(given, (str, FixedPoint)):
        given = {"default": given}
    given = {what: text for what, text in _mapping(given, whose).items() if text not in ("auto", None)}
    others = [what for what in given if what not in _PARTS]
    _refuse_misspelt(others, _PARTS, whose)
    unread += [f"{what} of {whose}" for what in others]
    return {what: FixedPoint.parse(text) for what, text in given.items() if what in _PARTS}


def _table_bits(size: Any, layer: str) -> int:
    """Read how many entries a table has, a power of two, as bits of its address."""
    bits = size.bit_length() - 1 if isinstance(size, int) else 0
    if not 0 < bits <= _MOST_BITS or size != 1 << bits:
        raise InvalidInputError(
            f"precision has a table of {size!r} entries" + (f" for {layer!r}" if layer else ""),
            next_step=f"use a power of two up to {1 << _MOST_BITS}; {1 << _USUAL_BITS} is usual",
        )
    return bits


def _refuse_misspelt(keys: Iterable[str], known: Collection[str], whose: str) -> None:
    """Refuse a key that is called nearly like one that is read: it would count for nothing, unseen."""
    for key in keys:
        if nearest(key, known):
            raise InvalidInputError(
                f"precision has a key {key!r} for {whose}", next_step=did_you_mean(key, known)
            )
