"""Every check and every test, on SQLite and on PostgreSQL, timed: ``python -m tests.all``, or ``deploy/test``.

The last line counts like pytest's own: each check is one, and a test that needs real data where
there is none is skipped, the only reason to skip one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.supervise import adopt, end_adopted

HOUSE = Path(__file__).resolve().parent.parent
REASON_TO_SKIP = "real data missing"
MAY_TAKE = 1500  # seconds, any one step
PROCESSES = "4"  # on two cores: half of the slow tests wait for processes and browsers

CHECKS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "import arrows": ["lint-imports", "--no-cache"],
    "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
    "German for every text": ["python", "-m", "deploy.catalogues", "--check"],
}
SQLITE, POSTGRESQL = "tests on SQLite", "tests on PostgreSQL"


def say(text: str) -> None:
    print(text, flush=True)


class Run:
    """One run of everything: counts as pytest does, and how long each step took."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.counts: Counter[str] = Counter()
        self.steps: list[tuple[str, float, bool]] = []

    def command(self, name: str, words: list[str]) -> bool:
        """Run one step; True where it ended well."""
        say(f"\n--- {name}: {' '.join(words)}")
        start = time.monotonic()
        process = subprocess.Popen(
            words, cwd=HOUSE, env=self.environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            well = process.wait(MAY_TAKE) == 0
        except subprocess.TimeoutExpired:
            say(f"{name}: ended after {MAY_TAKE} seconds")
            well = False
        finally:
            process.kill()
            process.wait()
            left = end_adopted(set())
        if left:
            say("\n".join([f"{name}: ended what it left running:", *sorted(left)]))
        self.steps.append((name, time.monotonic() - start, well))
        return well

    def check(self, name: str, words: list[str]) -> None:
        self.counts["passed" if self.command(name, words) else "failed"] += 1

    def pytest(self, name: str, *words: str, within: Sequence[str] = ()) -> None:
        """Run pytest and count what its report says; an ending without a report is an error."""
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        # loadfile: what the tests of one module share (a browser, a server) is started once
        options = ["-q", "-n", PROCESSES, "--dist", "loadfile", "--no-loadscope-reorder", "-p", "no:cacheprovider"]
        well = self.command(name, [*within, "pytest", *options, f"--junit-xml={report}", *words])
        found = Counter(outcome(case) for case in ET.parse(report).iter("testcase")) if report.is_file() else Counter()  # noqa: S314
        if not found["passed"] or (not well and not found["failed"] + found["error"]):
            found["error"] += 1
        self.counts += found

    def closing_line(self, seconds: float) -> str:
        words = [f"{self.counts[word]} {word}" for word in ("failed", "passed") if self.counts[word]]
        if self.counts["skipped"]:
            words.append(f"{self.counts['skipped']} skipped (not run: {REASON_TO_SKIP})")
        if self.counts["error"]:
            words.append(f"{self.counts['error']} error{'s' * (self.counts['error'] > 1)}")
        return f" {', '.join(words)} in {seconds:.2f}s ".center(80, "=")


def outcome(case: ET.Element) -> str:
    """passed, failed, error or skipped; a skip for any reason of its own counts as failed."""
    for tag, word in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
        found = case.find(tag)
        if found is None:
            continue
        if word == "skipped" and REASON_TO_SKIP not in found.get("message", ""):
            say(f"{case.get('classname')}.{case.get('name')} skipped itself: {found.get('message')}")
            return "failed"
        return word
    return "passed"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["checks", "sqlite", "postgresql"], help="one part instead of all")
    only = parser.parse_args().only
    adopt()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="belfry-all-") as name:
        environment = {
            **{key: value for key, value in os.environ.items() if key != "DATABASE_URL"},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "BELFRY_DATA": name,
        }
        run = Run(Path(name), environment)
        if only in {None, "checks"}:
            for step, words in CHECKS.items():
                run.check(step, words)
        if only in {None, "sqlite"}:
            run.pytest(SQLITE, "-m", "not postgres_only")
        if only in {None, "postgresql"}:
            # Browsers, whole processes, and what touches no database, see the same on either
            words = ["-m", "database and not browser and not slow"]
            run.pytest(POSTGRESQL, *words, within=["python", "-m", "tests.postgres"])
    say("")
    for step, seconds, well in run.steps:
        say(f"{seconds:8.1f} s  {'ok    ' if well else 'FAILED'}  {step}")
    if run.counts["skipped"]:
        say(f"\nNOT RUN: {run.counts['skipped']} tests need real data: name its folder in BELFRY_TEST_DATA.")
    say(run.closing_line(time.monotonic() - began))
    return 1 if run.counts["failed"] or run.counts["error"] else 0


if __name__ == "__main__":
    sys.exit(main())
