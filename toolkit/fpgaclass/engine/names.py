"""Which names a cell binds: who answers for a name, the notebook's author or the student."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Any


def bound_names(source: str) -> frozenset[str]:
    """Return the names that a cell binds at its top level; none if it cannot be parsed.

    Example:
        >>> sorted(bound_names("import numpy as np\\nx, y = 1, 2\\ndef f(): z = 3"))
        ['f', 'np', 'x', 'y']
    """
    tree = _parsed(source)
    return frozenset(_bound(tree)) if tree else frozenset()


def imports(source: str) -> tuple[str, ...]:
    """Return the import statements of a cell that bind names of it, each as a line: in a ``try``, too."""
    tree = _parsed(source)
    return tuple(dict.fromkeys(map(ast.unparse, _imports(tree)))) if tree else ()


def _imports(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _imports(child)


def imported_modules(source: str) -> tuple[str, ...]:
    """Return the modules that a cell imports at its top level, in order."""
    tree = _parsed(source)
    found: dict[str, None] = {}
    for node in tree.body if tree else ():
        if isinstance(node, ast.Import):
            found.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found[node.module] = None
            # `from fpgaclass import muon` asks for a module; for a plain name the attempt costs nothing
            found.update(dict.fromkeys(f"{node.module}.{alias.name}" for alias in node.names))
    return tuple(found)


@lru_cache(maxsize=4096)
def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        transformer: Any = TransformerManager()  # type: ignore[no-untyped-call]
        return ast.parse(str(transformer.transform_cell(source)))
    except Exception:
        return None


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds in the scope it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child.name
            yield from _declared_global(child)
            continue
        if isinstance(child, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        elif isinstance(child, ast.alias):
            yield (child.asname or child.name).partition(".")[0]
        elif isinstance(child, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and child.name:
            yield child.name
        yield from _bound(child)


def _declared_global(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield from node.names
