"""The virtual environment ``.venv``: made from the lock files, and installed into again only when they change.

``python3 -m deploy.environment --dev`` makes it with the tools of the tests. Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
VENV = HOUSE / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = HOUSE / "deploy" / "requirements.lock"
DEV_LOCK = HOUSE / "deploy" / "requirements-dev.lock"

# pip's words for an index that did not answer, and for one that has no package of ours
NO_INDEX = (
    "Max retries exceeded",
    "NewConnectionError",
    "Failed to establish a new connection",
    "name resolution",
    "No matching distribution found",
    "Could not find a version",
    "ProxyError",
    "timed out",
)


class Refused(Exception):
    """Why Belfry can't start: one sentence for the person who tried, with the mend."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def make(*, dev: bool = False) -> None:
    """Bring ``.venv`` to what the lock files say. Raises Refused."""
    with LOCK.open() as lock:
        # Two starts at once: the second waits, then finds everything done
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not usable():
            create()
        for path in [LOCK, DEV_LOCK] if dev else [LOCK]:
            install(path)


def usable() -> bool:
    """Whether ``.venv`` has a Python that runs and finds pip: not so after the machine's Python was replaced."""
    probe = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([PYTHON, "-c", probe], check=False, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def create() -> None:
    """Make an empty ``.venv`` with this Python."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise Refused(
            f"This Python ({sys.executable}) came without its venv module. "
            "Debian and Ubuntu: apt install python3-venv; then start again."
        )
    say("Making the environment in .venv …")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        words = made.stdout.strip().splitlines() or ["no reason given"]
        raise Refused(f"The environment {VENV} can't be made ({words[-1]}). Make the folder {HOUSE} writable.")


def install(lock: Path) -> None:
    """Install what the lock file says, by hash, unless exactly this was installed before."""
    content = lock.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    stamp = VENV / f"{lock.name}.installed"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    say(f"Installing {content.count(b'==')} packages of {lock.name} (a minute or two, only when that list changes) …")
    log = VENV / "pip.log"
    options = ["--disable-pip-version-check", "--no-input", "--require-hashes", "-r", str(lock)]
    with log.open("wb") as output:
        done = subprocess.run(
            [PYTHON, "-m", "pip", "install", *options],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        raise Refused(f"{reason(log.read_text(errors='replace'))} All of pip's words are in {log}.")
    stamp.write_text(digest)


def reason(words: str) -> str:
    """What pip's output says is wrong, in one sentence."""
    if "DO NOT MATCH THE HASHES" in words:
        return "A package is not the one that the lock file names (its hash differs), so nothing was installed."
    if any(sign in words for sign in NO_INDEX):
        return (
            "The packages can't be fetched: no package index answered that has them. Connect this machine, or name "
            "a mirror (PIP_INDEX_URL) or a folder of wheels (PIP_FIND_LINKS), and start again."
        )
    errors = [line for line in words.splitlines() if line.startswith("ERROR: ")]
    return f"The packages can't be installed: {errors[-1][7:] if errors else 'pip gave no reason.'}"


if __name__ == "__main__":
    try:
        make(dev="--dev" in sys.argv)
    except Refused as refusal:
        sys.exit(str(refusal))
