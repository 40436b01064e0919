"""Virtual xclbins: written for pynq's own parser, refused when they are not ours or not whole."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.card import Argument, Bank, read_design, write_xclbin
from fpgaclass.core import CardError, InvalidInputError, WrongCardError


@pytest.fixture
def written(standin: Any, tmp_path: Path) -> Path:
    """A virtual xclbin with two compute units."""
    design = standin.sum_design(instances=2)
    return write_xclbin(tmp_path / "sum.xclbin", design, banks=standin.BANKS, link=standin.LINK)


def test_what_is_written_is_read_back(standin: Any, written: Path) -> None:
    """The file is all that travels from who builds to who runs."""
    back = read_design(written)
    assert back.design == standin.sum_design(instances=2)
    assert back.link == standin.LINK
    assert back.banks == standin.BANKS
    assert back.platform == "xilinx:u250:virtual:1.0"


def test_the_same_input_gives_the_same_bytes(standin: Any, written: Path, tmp_path: Path) -> None:
    """Artefacts are named by their digest: a time stamp inside would make each build a new one."""
    again = tmp_path / "again.xclbin"
    write_xclbin(again, standin.sum_design(instances=2), banks=standin.BANKS, link=standin.LINK)
    assert again.read_bytes() == written.read_bytes()
    write_xclbin(again, standin.sum_design(instances=1), banks=standin.BANKS, link=standin.LINK)
    assert again.read_bytes() != written.read_bytes()


def test_pynq_parses_it_as_any_other(written: Path) -> None:
    """Names, offsets, banks and clocks reach the user through pynq's parser, not through ours."""
    from pynq.pl_server.xclbin_parser import XclBin

    parsed = XclBin(str(written))
    assert list(parsed.ip_dict) == ["krnl_rtl_1", "krnl_rtl_2"]
    first, second = parsed.ip_dict.values()
    assert second["phys_addr"] - first["phys_addr"] == first["addr_range"]
    registers = {name: entry["address_offset"] for name, entry in first["registers"].items()}
    assert registers == {
        "CTRL": 0,
        "fifo_in": 0x10,
        "fifo_out": 0x1C,
        "length_r_in": 0x28,
        "length_r_out": 0x30,
    }
    assert first["registers"]["fifo_in"]["memory"] == "bank0"
    assert {tag: bool(bank["used"]) for tag, bank in parsed.mem_dict.items()} == {
        "bank0": True,
        "bank1": False,
    }
    assert parsed.mem_dict["bank0"]["size"] == 1 << 34
    assert {clock["type"]: clock["frequency"] for clock in parsed.clock_dict.values()}["DATA"] == 200


def test_the_container_matches_the_vendor_header(written: Path) -> None:
    """pynq carries the vendor's structures as ctypes: fields of ours must lie where theirs do."""
    from pynq._3rdparty import xclbin

    data = bytearray(written.read_bytes())
    header = xclbin.axlf.from_buffer(data)
    assert header.m_header.m_length == len(data)
    assert header.m_header.m_numSections == 8
    assert bytes(header.m_header.m_platformVBNV).rstrip(b"\0") == b"xilinx:u250:virtual:1.0"


def test_a_bank_that_does_not_exist_is_refused(standin: Any, tmp_path: Path) -> None:
    """The file would load and the buffers would have no address."""
    with pytest.raises(InvalidInputError, match="bank0"):
        write_xclbin(
            tmp_path / "x.xclbin",
            standin.sum_design(),
            banks=[Bank("HBM[0]", 0, 4096, "HBM")],
            link=standin.LINK,
        )
    assert not list(tmp_path.iterdir())


def test_a_platform_that_looks_real_is_refused(standin: Any, tmp_path: Path) -> None:
    """A real runtime must never take a virtual file for its own."""
    with pytest.raises(InvalidInputError, match="virtual"):
        write_xclbin(
            tmp_path / "x.xclbin",
            standin.sum_design(),
            banks=standin.BANKS,
            link=standin.LINK,
            platform="xilinx:u250:gen3x16_xdma:4.1",
        )


def test_a_failed_write_leaves_nothing(standin: Any, tmp_path: Path) -> None:
    """A folder in the way of the file: the old thing stays and no scratch file is left."""
    (tmp_path / "sum.xclbin").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_xclbin(tmp_path / "sum.xclbin", standin.sum_design(), banks=standin.BANKS, link=standin.LINK)
    assert [path.name for path in tmp_path.iterdir()] == ["sum.xclbin"]


def test_a_real_xclbin_is_named_as_such() -> None:
    """A student with the file of a real card needs one line that says so; pynq ships a real one."""
    import pynq

    real = Path(pynq.__file__).parent / "pl_server" / "default.xclbin"
    with pytest.raises(WrongCardError, match="real card") as refused:
        read_design(real)
    assert "\n" not in str(refused.value)


def test_corrupt_files_give_one_clear_error(written: Path, tmp_path: Path) -> None:
    """pynq's parser follows offsets with ctypes: what we let through to it may end the process."""
    whole = written.read_bytes()
    rng = random.Random(4)
    victim = tmp_path / "corrupt.xclbin"
    cases = [whole[: rng.randrange(len(whole))] for _ in range(150)]
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(rng.choice([1, 1, 4, 50])):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        cases.append(bytes(changed))
    cases += [b"", b"xclbin2\0", rng.randbytes(5000), b"xclbin2\0" + rng.randbytes(5000), whole + b"\0"]
    for case in cases:
        if case == whole:
            continue
        victim.write_bytes(case)
        answer = _read_or_refuse(victim)
        # Padding after the last section is the only thing that nobody reads.
        if not isinstance(answer, CardError):
            assert answer == read_design(written)
            continue
        assert str(victim) in str(answer)
        assert "\n" not in str(answer)


def _read_or_refuse(path: Path) -> Any:
    try:
        return read_design(path)
    except CardError as refusal:
        return refusal


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """The path that was tried is what the user needs to see."""
    with pytest.raises(CardError, match="No such file") as missing:
        read_design(tmp_path / "none.xclbin")
    assert "none.xclbin" in str(missing.value)


def test_names_that_do_not_fit_are_refused(standin: Any, tmp_path: Path) -> None:
    """A name that is cut off in a fixed field would be a kernel that no one finds."""
    platform = f"xilinx:{'u' * 70}:virtual:1.0"
    with pytest.raises(CardError, match="64 bytes"):
        write_xclbin(
            tmp_path / "x.xclbin",
            standin.sum_design(),
            banks=standin.BANKS,
            link=standin.LINK,
            platform=platform,
        )


def test_hbm_banks_keep_their_tags(standin: Any, tmp_path: Path) -> None:
    """U50 and U55C have HBM; pynq shows HBM[0] as overlay.HBM0."""
    import dataclasses

    banks = [Bank(f"HBM[{i}]", i << 28, 1 << 28, "HBM") for i in range(4)]
    arguments = (
        Argument("fifo_in", "void*", 0x10, "HBM[0]"),
        Argument("fifo_out", "void*", 0x1C, "HBM[3]"),
        *standin.ARGUMENTS[2:],
    )
    design = dataclasses.replace(standin.sum_design(), arguments=arguments)
    path = write_xclbin(tmp_path / "h.xclbin", design, banks=banks, link=standin.LINK)
    from pynq.pl_server.xclbin_parser import XclBin

    memories = XclBin(str(path)).mem_dict
    assert [tag for tag, bank in memories.items() if bank["used"]] == ["HBM[0]", "HBM[3]"]
    assert memories["HBM[3]"]["type"] == "HBM"
