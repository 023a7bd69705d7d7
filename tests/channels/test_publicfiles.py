"""Public files change together or not at all, whatever happens to the disk."""

from __future__ import annotations

import errno
import gzip
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from channels.base import Temporary
from channels.publicfiles import PublicFolder


@pytest.fixture
def folder(tmp_path: Path) -> PublicFolder:
    made = PublicFolder(tmp_path / "public")
    with made.swap() as staged:
        staged.write("index.html", b"old page")
        staged.write("en/index.html", b"old English page")
    return made


def put(folder: PublicFolder, files: dict[str, bytes], then: Callable[[], object] = lambda: None) -> None:
    with folder.swap() as staged:
        for path, body in files.items():
            staged.write(path, body)
        then()


def whole(folder: PublicFolder) -> dict[str, bytes]:
    """Every public file by its path; nothing staged is left behind."""
    assert not list(folder.root.glob(".staged-*"))
    return {
        str(path.relative_to(folder.root)): path.read_bytes()
        for path in folder.root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_a_page_has_its_compressed_twin(folder: PublicFolder) -> None:
    assert gzip.decompress((folder.root / "index.html.gz").read_bytes()) == b"old page"


def test_nothing_is_seen_before_the_block_ends(folder: PublicFolder) -> None:
    with folder.swap() as staged:
        staged.write("index.html", b"new page")
        assert (folder.root / "index.html").read_bytes() == b"old page"
    assert (folder.root / "index.html").read_bytes() == b"new page"


def test_a_block_that_fails_changes_nothing(folder: PublicFolder) -> None:
    before = whole(folder)
    with pytest.raises(ZeroDivisionError):
        put(folder, {"index.html": b"new page"}, then=lambda: 1 // 0)
    assert whole(folder) == before


def test_a_full_disk_leaves_the_old_pages_whole(folder: PublicFolder) -> None:
    before = whole(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # the kernel itself refuses what is longer
    try:
        with pytest.raises(Temporary, match="can't be written"):
            put(folder, {"en/index.html": b"new English page", "index.html": os.urandom(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert whole(folder) == before


def test_a_disk_that_is_full_only_when_it_is_flushed_changes_nothing(
    folder: PublicFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whole(folder)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Temporary, match="No space left"), folder.swap() as staged:
        staged.write("index.html", b"new page")
    assert whole(folder) == before


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a file in its place")
    with pytest.raises(Temporary, match="can't be written"), PublicFolder(tmp_path / "public").swap() as staged:
        staged.write("index.html", b"page")


def test_what_stands_there_so_is_not_written_again(folder: PublicFolder) -> None:
    before = (folder.root / "index.html").stat()
    with folder.swap() as staged:
        staged.write("index.html", b"old page")
        staged.write("en/index.html", b"new English page")
    after = (folder.root / "index.html").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (folder.root / "en" / "index.html").read_bytes() == b"new English page"


@pytest.mark.parametrize("path", ["../outside.html", "/etc/outside.html", "a/../../outside.html"])
def test_no_file_lies_outside(folder: PublicFolder, path: str) -> None:
    with pytest.raises(ValueError, match="public folder"), folder.swap() as staged:
        staged.write(path, b"page")


def test_two_writers_take_turns(folder: PublicFolder) -> None:
    inside: list[int] = []
    most: list[int] = []

    def write(number: int) -> None:
        for _ in range(10):
            with folder.swap() as staged:
                inside.append(number)
                most.append(len(inside))
                staged.write("index.html", str(number).encode())
                inside.remove(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1


def test_a_swap_broken_off_between_a_page_and_its_twin_is_mended_by_the_next(
    folder: PublicFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace
    done: list[Path] = []

    def breaks(source: Path, target: Path) -> None:
        if done:
            raise OSError(errno.EIO, "Input/output error")
        done.append(target)
        real(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", breaks)
        with pytest.raises(Temporary):
            put(folder, {"index.html": b"new page"})
    assert done == [folder.root / "index.html.gz"]
    put(folder, {"index.html": b"new page"})
    assert (folder.root / "index.html").read_bytes() == b"new page"
    assert gzip.decompress((folder.root / "index.html.gz").read_bytes()) == b"new page"
