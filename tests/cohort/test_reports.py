"""The tables that instructors read: nothing cut, and what is wrong told in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.cli.cohort import show
from fpgaclass.cohort import reports, verbs
from fpgaclass.cohort.errors import ProviderError
from fpgaclass.cohort.port import Found
from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider


@pytest.mark.parametrize("width", ["60", "200"])
def test_an_address_is_whole_beside_a_long_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    """Columns without anything in them go, and the others keep their width: people copy addresses."""
    monkeypatch.setenv("COLUMNS", width)
    (tmp_path / "r.csv").write_text("login\nada\nemmy\n")
    path = tmp_path / "cohort.yaml"
    path.write_text("name: c27\nhours: 1\nroster: r.csv\n")
    cloud = MemoryCloud()
    provider = MemoryProvider(cloud)
    rows = verbs.apply(path, provider=provider).rows
    for identity, thing in list(cloud.things.items()):
        trouble = ProviderError("it does not run " * 20) if thing.marker.key == "seat/ada" else None
        status = "failed" if trouble else "stopped"
        cloud.things[identity] = Found(identity, "machine", thing.marker, status, trouble=trouble)
    show(reports.status_table(verbs.status(path, provider=provider)))
    said = capsys.readouterr().out
    assert all(f" {row.address} " in said for row in rows if row.address)
    assert any(row.address for row in rows)
    assert "it does not run" in said, "and why"
    assert "failed: seat/ada; apply makes it anew" in said
    assert "stopped: seat/emmy; start it at the provider's" in said
