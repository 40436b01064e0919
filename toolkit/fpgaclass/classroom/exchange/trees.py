"""Folders as they travel: read without following links, checked, digested, written."""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from fpgaclass.classroom.exchange.errors import RefusedError

MAX_FILES = 2000
"""A folder with more files than this is refused."""

MAX_BYTES = 64_000_000
"""A folder that holds more than this is refused."""

MAX_DEPTH = 30
"""A path of more parts than this is refused: many programs that walk a folder call themselves for each."""

_LONGEST_NAME = 255  # of Linux's file systems

Tree = Mapping[str, bytes]
"""Files by their path below the folder, with ``/`` between its parts."""

Ignore = Callable[[str, list[str]], Iterable[str]]
"""Tells which names of a folder to leave out, as `shutil.copytree` asks."""


def read_tree(folder: Path, ignore: Ignore) -> dict[str, bytes]:
    """Read a folder that somebody else can still write: plain files only, no links, nothing special.

    Raises:
        RefusedError: there is a link or a special file, or more than the limits allow.
    """
    tree: dict[str, bytes] = {}
    left = MAX_BYTES
    for where, folders, names, handle in os.fwalk(folder, follow_symlinks=False):
        relative = Path(where).relative_to(folder)
        left_out = set(ignore(where, [*folders, *names]))
        for name in sorted(set(folders) - left_out):
            if (Path(where) / name).is_symlink():
                raise RefusedError(400, f"{relative / name} is a link; only plain files can be submitted")
        folders[:] = sorted(set(folders) - left_out)
        for name in sorted(set(names) - left_out):
            path = (relative / name).as_posix()
            tree[path] = _read_plain(name, handle, left, path)
            left -= len(tree[path])
            if len(tree) > MAX_FILES:
                raise RefusedError(413, f"more than {MAX_FILES} files")
            if left < 0:
                raise RefusedError(413, f"more than {MAX_BYTES // 10**6} MB")
    return tree


def write_tree(tree: Tree, folder: Path, *, keep: bool = False) -> None:
    """Write files below a folder, which is made.

    Args:
        tree: the files; their paths are checked, for they may come from anybody.
        folder: where they go.
        keep: True to leave files that are there already as they are.
    """
    for path, data in check_tree(tree).items():
        target = folder / path
        if keep and target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def check_tree(tree: Tree) -> Tree:
    """Return the tree if every path stays below its folder and the limits hold.

    Raises:
        RefusedError: one does not.
    """
    if len(tree) > MAX_FILES or sum(map(len, tree.values())) > MAX_BYTES:
        raise RefusedError(413, f"more than {MAX_FILES} files or {MAX_BYTES // 10**6} MB")
    for path in tree:
        parts = PurePosixPath(path).parts
        plain = path and path == "/".join(parts) and path.isprintable() and len(path.encode()) < 1000
        if not plain or path.startswith("/") or {".", ".."} & set(parts) or "\\" in path:
            raise RefusedError(400, f"Illegal path: {path[:100]!r}")
        if len(parts) > MAX_DEPTH or max(len(part.encode()) for part in parts) > _LONGEST_NAME:
            what = f"more than {MAX_DEPTH} folders deep, or a name of more than {_LONGEST_NAME} bytes"
            raise RefusedError(400, f"{what}: {path[:100]!r}")
    folders = {str(parent) for path in tree for parent in PurePosixPath(path).parents}
    if both := folders & set(tree):
        raise RefusedError(400, f"Illegal path: {min(both)[:100]!r} is a file and a folder")
    return tree


def digest_tree(tree: Tree) -> str:
    """Return the SHA-256 (hex) of a folder: of its files' paths and SHA-256, sorted, a line each.

    The same as ``find . -type f -printf '%P\\0' | sort -z | xargs -0 sha256sum | sha256sum`` prints.
    """
    lines = (f"{hashlib.sha256(tree[path]).hexdigest()}  {path}\n" for path in sorted(tree, key=str.encode))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def encode_tree(tree: Tree, *, names_only: bool = False) -> list[dict[str, str]]:
    """Return a folder as ngshare's API writes it: a list of path, base64 content and MD5."""
    files = []
    for path in sorted(tree):
        entry = {"path": path, "checksum": hashlib.md5(tree[path], usedforsecurity=False).hexdigest()}
        if not names_only:
            entry["content"] = base64.b64encode(tree[path]).decode()
        files.append(entry)
    return files


def decode_tree(files: object) -> dict[str, bytes]:
    """Read a folder as ngshare's API writes it.

    Raises:
        RefusedError: it is something else.
    """
    if not isinstance(files, Sequence) or len(files) > MAX_FILES:
        raise RefusedError(400, "Incorrect request format: a list of files is needed")
    tree = {}
    for entry in files:
        try:
            tree[str(entry["path"])] = base64.b64decode(entry["content"])
        except (TypeError, KeyError, binascii.Error, ValueError) as trouble:
            raise RefusedError(400, "Content cannot be base64 decoded") from trouble
    check_tree(tree)
    return tree


def _read_plain(name: str, folder: int, most_bytes: int, shown: str) -> bytes:
    """Return a file's bytes, one more than allowed at most; never through a link."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as trouble:
        if trouble.errno == errno.ELOOP:
            raise RefusedError(400, f"{shown} is a link; only plain files can be submitted") from trouble
        raise RefusedError(400, f"{shown} cannot be read: {trouble.strerror}") from trouble
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise RefusedError(400, f"{shown} is not a plain file")
        return file.read(most_bytes + 1)
