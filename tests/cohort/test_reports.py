"""The tables that instructors read: nothing cut, and what is wrong told in words."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from fpgaclass.cli.cohort import show
from fpgaclass.cohort import reports, verbs
from fpgaclass.cohort.errors import ProviderError
from fpgaclass.cohort.leases import Lease, Waiting
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


def test_a_long_list_of_bookings_is_read_on_a_narrow_terminal() -> None:
    """Sixty bookings, a block with a long note, a waiting list and what was taken away, in 80 columns."""
    hour = timedelta(minutes=60)
    day = datetime(2027, 3, 1, 8, tzinfo=UTC)
    booked = [
        Lease(f"{n:010x}", f"student{n}", f"card/{n % 2}", day + n * hour, day + (n + 1) * hour, "booked")
        for n in range(60)
    ]
    note = "lecture on quantisation and its limits"
    kept = Lease("f" * 10, "", "card/1", day, day + 30 * hour, "block", note)
    queue = [Waiting(f"student{n}", n, 1 + n % 2) for n in range(1, 18)]
    lost = [replace(lease, note=note) for lease in booked[:9]]
    out = io.StringIO()
    Console(file=out, width=80).print(
        reports.leases_table(
            [kept, *booked], queue, "Europe/Rome", lost=[*lost, replace(kept, student="ada")]
        )
    )
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 60 + 30, "a line for each booking; a note is broken between its words"
    for lease in booked:
        whole = f"{lease.identity}  {lease.student:<9}"
        assert any(line.startswith(whole) and " booked" in line for line in lines)
    said = " ".join(out.getvalue().split())
    assert "Tue 02 Mar 15:00 block" in said, "of what lasts longer than a day the day of its end is told"
    assert "waiting, by place: 1 student1 (2 slots), 2 student2, 3 student3 (2 slots)" in said
    assert f"taken away on card/0 ({note}): student0 Mon 01 Mar 09:00, student2 " in said
    assert said.endswith("nothing instead: ada")
