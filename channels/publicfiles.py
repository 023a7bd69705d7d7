"""The folder of pre-rendered files that the public is served from: staged first, then swapped file by file."""

from __future__ import annotations

import fcntl
import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .base import Temporary

GZIPPED = {".html", ".css", ".js", ".svg", ".xml", ".atom", ".rss", ".json", ".geojson", ".txt"}


class Staged:
    """Files written beside the public ones; nothing is seen until every one of them is whole on disk."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self.files: list[tuple[Path, Path]] = []
        self.gone: list[Path] = []

    def write(self, path: str, body: bytes) -> None:
        """Stage ``path`` (relative to the public folder) and, for text, its ``.gz`` twin, unless it stands so."""
        text = Path(path).suffix in GZIPPED
        if self._stands(path, body) and (not text or (self.root / (path + ".gz")).exists()):
            return
        self._put(path, body)
        if text:
            # mtime=0: the same page gives the same bytes, so mirrors copy only what changed
            self._put(path + ".gz", gzip.compress(body, compresslevel=6, mtime=0))
            # The twin goes public first: a page that stands then has its twin, wherever a swap breaks off
            self.files[-2:] = self.files[:-3:-1]

    def remove(self, path: str) -> None:
        self.gone += [self.root / path, self.root / (path + ".gz")]

    def _put(self, path: str, body: bytes) -> None:
        target = self.root / path
        if not target.resolve().is_relative_to(self.root.resolve()):
            raise ValueError("a public file must lie in the public folder")
        source = self.folder / str(len(self.files))
        source.write_bytes(body)
        source.chmod(0o644)
        self.files.append((source, target))

    def _stands(self, path: str, body: bytes) -> bool:
        try:
            return (self.root / path).read_bytes() == body
        except OSError:
            return False

    def flush(self) -> None:
        """Have every staged file on the disk. All at once: one wait of the file system serves them all."""
        for source, _target in self.files:
            with source.open("rb") as file:
                os.fsync(file.fileno())


class PublicFolder:
    """``root`` and the lock that lets one writer at a time read the rows and swap the pages made of them."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    @contextmanager
    def swap(self) -> Iterator[Staged]:
        """Stage files within; they go public together when the block ends well, and not at all when it fails.

        The lock is held throughout: read what the files say inside the block. Raises Temporary where
        the folder can't be written (disk full, no permission); the old files stay as they are.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with tempfile.TemporaryDirectory(prefix=".staged-", dir=self.root) as folder:
                    staged = Staged(self.root, Path(folder))
                    yield staged
                    staged.flush()
                    for target in {target.parent for _source, target in staged.files}:
                        target.mkdir(parents=True, exist_ok=True)
                    for source, target in staged.files:
                        os.replace(source, target)
                    for path in staged.gone:
                        path.unlink(missing_ok=True)
        except OSError as error:
            raise Temporary(f"public folder can't be written: {os.strerror(error.errno or 0)}", after=5) from error
