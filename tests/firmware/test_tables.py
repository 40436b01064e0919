"""Activation tables without memory files."""

from __future__ import annotations

from fpgaclass.firmware.tables import inline_tables


def test_a_memory_file_becomes_a_module() -> None:
    """A simulator started from another folder would not find the file, and would compute with zeros."""
    sources = {
        "stage.v": 'lookup_table #(2, 4, "table_ab-c.mem") op_1 (v0, v1[3:0]); // 7.0\n',
        "table_ab-c.mem": "0\n5\nA\nF\n",
        "lookup_table.v": "module lookup_table ... $readmemh",
    }
    inlined = inline_tables(sources)
    assert sorted(inlined) == ["stage.v", "table_ab_c.v"]
    assert inlined["stage.v"].startswith("table_ab_c op_1 (v0, v1[3:0]);")
    assert "2'd2: out = 4'hA;" in inlined["table_ab_c.v"]
    assert "readmemh" not in "".join(inlined.values())
