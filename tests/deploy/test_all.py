"""What deploy/test counts and says at the end."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import pytest

from deploy.redis import free_port
from tests import all as everything

from .processes import HOUSE, python


def run(tmp_path: Path) -> everything.Run:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return everything.Run(tmp_path, {"PATH": path, "HOME": str(tmp_path)})


def trial(tmp_path: Path, code: str) -> everything.Run:
    """Run pytest on this code as deploy/test runs it on ours."""
    (tmp_path / "test_trial.py").write_text("import pytest\n" + textwrap.dedent(code))
    ran = run(tmp_path)
    options = ["-n", "0", "-p", "no:django", "-p", "no:randomly", "--rootdir", str(tmp_path), "-c", "/dev/null"]
    ran.pytest("trial", str(tmp_path), *options)
    return ran


def test_results_are_counted_as_pytest_counts_them(tmp_path: Path) -> None:
    ran = trial(
        tmp_path,
        """
        def test_passes(): pass
        def test_fails(): assert False
        @pytest.fixture
        def broken(): raise OSError
        def test_errs(broken): pass
        def test_needs_data(): pytest.skip("real data missing: set BELFRY_TEST_DATA")
        """,
    )
    assert ran.counts == {"passed": 1, "failed": 1, "error": 1, "skipped": 1}
    assert (
        ran.closing_line(1.5).strip("=")
        == " 1 failed, 1 passed, 1 skipped (not run: real data missing), 1 error in 1.50s "
    )


def test_a_skip_for_any_other_reason_fails(tmp_path: Path) -> None:
    ran = trial(tmp_path, "def test_a(): pass\ndef test_b(): pytest.skip('no browser here')")
    assert ran.counts == {"passed": 1, "failed": 1}


@pytest.mark.parametrize("code", ["def test_a(:", "import nothing_like_this", "import os; os._exit(0)", "x = 1"])
def test_tests_that_can_not_run_are_an_error(tmp_path: Path, code: str) -> None:
    ran = trial(tmp_path, code)
    assert ran.counts["error"] >= 1
    assert ran.counts["passed"] == 0


def test_a_failed_check_counts_as_one_failed(tmp_path: Path) -> None:
    ran = run(tmp_path)
    ran.check("good", ["true"])
    ran.check("bad", ["false"])
    assert ran.counts == {"passed": 1, "failed": 1}
    assert [(name, well) for name, _seconds, well in ran.steps] == [("good", True), ("bad", False)]


def test_the_closing_line_is_one_that_pytests_readers_know() -> None:
    ran = everything.Run(Path(), {})
    ran.counts.update(passed=812, skipped=14)
    assert re.fullmatch(r"=+ 812 passed, 14 skipped.* in 612\.30s =+", ran.closing_line(612.3))


def test_continuous_integration_runs_all_of_it() -> None:
    script = HOUSE / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert 'exec bash "$(dirname "$0")/../deploy/test" "$@"' in script.read_text()


def test_benchmarks_are_listed_without_being_run() -> None:
    listed = python("-m", "tests.bench")
    assert listed.returncode == 0
    names = {path.stem for path in (HOUSE / "tests" / "bench").glob("[!_]*.py")}
    assert {line.split()[0] for line in listed.stdout.splitlines() if "No benchmark" not in line} == names


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    refused = python("-m", "tests.bench", f"nothing-{free_port()}")
    assert refused.returncode == 2
    assert "there are: " in refused.stdout
