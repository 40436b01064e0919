"""Tables of activation functions as plain Verilog.

da4ml writes a table as a memory that is filled from a file when simulation or synthesis starts. A file has
to be found at that moment, from whatever folder a tool runs in; a case statement is always there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_INSTANCE = re.compile(r'lookup_table #\((\d+), (\d+), "(table_[\w-]+)\.mem"\)')


def inline_tables(sources: Mapping[str, str]) -> dict[str, str]:
    """Return the sources with each memory file replaced by a module of its own.

    Args:
        sources: file name -> text, as da4ml wrote them: ``.v`` files and ``.mem`` files.
    """
    modules: dict[str, str] = {}

    def instance(match: re.Match[str]) -> str:
        bits_in, bits_out, file = int(match[1]), int(match[2]), match[3]
        name = file.replace("-", "_")
        modules[f"{name}.v"] = _module(name, bits_in, bits_out, sources[f"{file}.mem"].split())
        return name

    kept = {}
    for name, text in sources.items():
        if name.endswith(".mem") or name == "lookup_table.v":
            continue
        kept[name] = _INSTANCE.sub(instance, text)
    return {**kept, **modules}


def _module(name: str, bits_in: int, bits_out: int, values: list[str]) -> str:
    rows = "\n".join(f"        {bits_in}'d{i}: out = {bits_out}'h{value};" for i, value in enumerate(values))
    return f"""module {name} (input wire [{bits_in - 1}:0] in, output reg [{bits_out - 1}:0] out);
    always @(*) case (in)
{rows}
        default: out = {bits_out}'d0;
    endcase
endmodule
"""
