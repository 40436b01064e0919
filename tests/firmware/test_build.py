"""From a model to firmware: exactness, the cache, what a broken build leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgaclass.firmware as build_room
from fpgaclass.core import BuildError, FirmwareError, InvalidInputError
from fpgaclass.firmware import Firmware, agreement, build, load_board
from fpgaclass.firmware.models.model import load_built
from fpgaclass.firmware.sweep.point import estimate


@pytest.fixture(scope="session")
def firmware(quantised_model: Any) -> Firmware:
    """The small quantised model, built for a U250."""
    return build(quantised_model, board="u250", name="small")


def test_every_stage_agrees_on_twenty_thousand_events(firmware: Firmware) -> None:
    """The promise of the room: what was trained is what runs on the card, to the bit."""
    found = firmware.manifest.agreement
    stages = ("hls4ml emulation", "RTL interpreter", "predict", "Verilated kernel")
    assert found == {"events": 20_000, **dict.fromkeys(stages, 0)}


def test_the_user_s_own_events_agree(firmware: Firmware, quantised_model: Any, events: Any) -> None:
    """Data that are off the input grid and beyond its range must still agree: a bus truncates and wraps."""
    rough = events * np.float32(1.7) + np.float32(0.001)
    assert firmware.inputs.out_of_range(rough) > 0
    assert all(one.mismatches == 0 for one in agreement(quantised_model, firmware, rough))
    assert np.array_equal(firmware.predict(rough), firmware.emulate(rough))


def test_a_disagreement_is_an_error_with_the_first_event(
    firmware: Firmware, quantised_model: Any, events: Any
) -> None:
    """If the comparison could not fail, agreement would mean nothing: so shift one bias."""
    import keras

    other = keras.models.clone_model(quantised_model)
    other.set_weights(quantised_model.get_weights())
    other.get_layer("out").bias.assign(other.get_layer("out").bias + 1.0)
    with pytest.raises(
        BuildError,
        match=r"hls4ml emulation differs from the model in \d+ of 8000 events, first .*Next: pass the model",
    ):
        agreement(other, firmware, events)


def test_no_events_and_what_is_no_firmware_are_refused(firmware: Firmware, quantised_model: Any) -> None:
    """Of no events all agree, which says nothing."""
    import keras

    with pytest.raises(InvalidInputError, match="there are no events"):
        agreement(quantised_model, firmware, np.zeros((0, 6)))
    with pytest.raises(InvalidInputError, match="a PosixPath is no firmware"):
        agreement(quantised_model, firmware.folder, np.zeros((1, 6)))  # type: ignore[arg-type]
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(InvalidInputError, match=r"the model takes \(3,\), the firmware \(6,\)"):
        agreement(other, firmware, np.zeros((1, 3)))
    with pytest.raises(InvalidInputError, match=r"no kind of cell 'luts'.*lut, ff"):
        firmware.report.use("luts")


def test_plain_keras_is_quantised_and_built(float_model: Any, events: Any) -> None:
    """A physicist's existing Keras model must not need retraining to be tried on a card."""
    built = build(float_model, board="u50", precision="fixed<12,4>")
    assert built.manifest.board == "u50"
    assert built.manifest.agreement["Verilated kernel"] == 0
    assert np.abs(built.predict(events) - float_model.predict(events, verbose=0)).max() < 0.1


def test_the_second_build_is_the_first(firmware: Firmware, quantised_model: Any) -> None:
    """A cell that is run again must not cost a minute again."""
    again = build(quantised_model, board="u250", name="small")
    assert again.folder == firmware.folder
    assert build(quantised_model, board=load_board("u250"), name="other_name").folder != firmware.folder


def test_the_report_adds_up(firmware: Firmware) -> None:
    """Students quote these numbers; each must say where it comes from."""
    report = firmware.report
    assert report.cells_source == "open-synthesis estimate"
    assert 50 < report.network.lut < 5000
    assert report.network.dsp == 0, "distributed arithmetic uses no multipliers"
    assert report.shell.lut > 100
    assert report.latency_ns == pytest.approx(report.pipeline_stages * 5.0)
    assert report.use("lut") == pytest.approx((report.network.lut + report.shell.lut) / 1_728_000)
    assert "open-synthesis estimate" in str(report)
    assert type(report).from_json(report.to_json()) == report


def test_a_failed_build_leaves_nothing(
    quantised_model: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A half-written firmware that looks whole would be found in the cache for ever."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path))
    monkeypatch.setenv("FPGACLASS_CXX", "false")
    with pytest.raises(BuildError, match="false failed with exit code 1"):
        build(quantised_model, name="doomed")
    assert not list((tmp_path / "firmware").iterdir())


def test_unknown_boards_toolchains_and_damaged_folders_are_named(
    quantised_model: Any, tmp_path: Path
) -> None:
    """Each with what there is instead."""
    with pytest.raises(InvalidInputError, match=r"no board 'u9000'.*u250"):
        build(quantised_model, board="u9000")
    with pytest.raises(InvalidInputError, match="no toolchain 'magic'"):
        build(quantised_model, toolchain="magic")
    with pytest.raises(InvalidInputError, match=r"no toolchain 'Vitis'. Next: did you mean 'vitis'\?"):
        build(quantised_model, toolchain="Vitis")
    for name in (5, "", "../..", "a" * 300):
        with pytest.raises(InvalidInputError, match="cannot name a file"):
            build(quantised_model, name=name)  # type: ignore[arg-type]
    with pytest.raises(FirmwareError, match=r"no manifest.json is there .*Next: give a folder"):
        Firmware.load(tmp_path / "nowhere")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(FirmwareError, match="no firmware can be read"):
        Firmware.load(tmp_path)
    with pytest.raises(FirmwareError, match=r"firmware's model cannot be read: .*Next: build it again"):
        load_built(tmp_path)
    for text in ("null", "[]", "5"):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(FirmwareError, match="no firmware can be read"):
            Firmware.load(tmp_path)


@pytest.mark.slow
def test_a_lattice_board_gets_a_bitstream(quantised_model: Any) -> None:
    """Place and route in the open: a real file for a real device, and a clock that was not guessed."""
    built = build(quantised_model, board="icebreaker", name="small")
    assert built.report.cells_source == built.report.clock_source == "place-and-route"
    assert 5 < built.report.clock_mhz < 60
    assert 500 < built.report.network.lut < 5280
    bitstream = Path(built.path).read_bytes()
    assert bitstream[:4] in (b"\xff\x00\x00\xff", b"\x7e\xaa\x99\x7e"), "an iCE40 bitstream's preamble"


@pytest.mark.proof
def test_the_ecp5_gets_a_bitstream_and_the_estimate_of_its_tables_holds(quantised_model: Any) -> None:
    """The large Lattice device, placed and routed; and what a sweep would have promised for it."""
    board = load_board("ecp5-85k")
    built = build(quantised_model, board=board, name="small")
    promised, _ = estimate(quantised_model, board)
    print(f"{built.report}\npromised {promised:,} tables")
    assert built.report.cells_source == built.report.clock_source == "place-and-route"
    assert 20 < built.report.clock_mhz < 200
    assert built.report.network.lut == pytest.approx(promised, rel=0.4)
    assert Path(built.path).read_bytes()[:2] == b"\xff\x00", "an ECP5 bitstream's comment"


def test_a_board_that_is_too_small_is_refused_with_by_how_much(quantised_model: Any, tmp_path: Path) -> None:
    """Said before synthesis, in cells: the student must know how far the model has to shrink."""
    source = Path(build_room.__file__).parent / "boards" / "u250.toml"
    tiny = tmp_path / "tiny.toml"
    tiny.write_text(source.read_text().replace("lut = 1728000", "lut = 500"))
    with pytest.raises(BuildError, match=r"Alveo U250 is too small: [\d,]+ LUT too few \(da4ml's estimate\)"):
        build(quantised_model, board=tiny)
    tiny.write_text(source.read_text().replace("ff = 3456000", "ff = 500"))
    with pytest.raises(BuildError, match=r"too small: [\d,]+ FF too few \(open-synthesis estimate\)"):
        build(quantised_model, board=tiny)


def test_what_each_layer_adds_is_told(firmware: Firmware) -> None:
    """A student who must save LUTs has to know where they are."""
    layers = {one.layer: one for one in firmware.report.layers}
    assert list(layers) == ["first", "second", "out"]
    assert layers["first"].lut > layers["out"].lut > 0
    assert sum(one.levels for one in layers.values()) >= firmware.report.pipeline_stages


def test_a_firmware_can_be_taken_along(firmware: Firmware, tmp_path: Path, events: Any) -> None:
    """A student keeps firmware beside the notebook, or carries it to a machine with a card."""
    copy = firmware.save(tmp_path / "mine")
    assert np.array_equal(copy.predict(events[:100]), firmware.predict(events[:100]))
    assert np.array_equal(copy.emulate(events[:100]), firmware.emulate(events[:100]))
    with pytest.raises(FirmwareError, match="is there already"):
        firmware.save(tmp_path / "mine")
    (tmp_path / "file").write_text("")
    for place, said in (("file/mine", "a file is in its way"), ("a" * 300, "File name too long")):
        with pytest.raises(FirmwareError, match=f"the folder cannot be made: {said}"):
            firmware.save(tmp_path / place)
    for place in (None, ""):
        with pytest.raises(InvalidInputError, match="is no path"):
            firmware.save(place)  # type: ignore[arg-type]


def test_a_firmware_of_another_machine_says_so(firmware: Firmware, tmp_path: Path, events: Any) -> None:
    """Its compiled parts are of one processor; the rest of it is not, and can be built again."""
    copy = firmware.save(tmp_path / "mine")
    for library in ("software/vector.so", "hls/emulation.so"):
        (copy.folder / library).write_bytes(b"of another machine")
    for run in (copy.predict, copy.emulate):
        with pytest.raises(FirmwareError, match=r"does not run on this machine.*Next: build it again here"):
            run(events[:5])
