"""What import-linter can't say of the house: no settings in pure modules and adapters, nothing else at the top."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
ADAPTERS = [
    path
    for folder in ("channels/city", "channels/commercial")
    for path in sorted((HOUSE / folder).rglob("*.py"))
    if path.parent.name not in {"city", "commercial"} or path.name != "__init__.py"
]
PURE = [HOUSE / "alerts" / name for name in ("content.py", "notice.py", "terms.py")]
PURE += sorted((HOUSE / "alerts" / "cap").rglob("*.py"))
NOT_THEIRS = ("django.conf", "alerts.models", "channels.models", "rq", "django_rq")


def imported(path: Path) -> set[str]:
    """The full names of all that a file imports, within functions too."""
    package = path.relative_to(HOUSE).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
            start = base if node.level else node.module or ""
            names |= {start, *(f"{start}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", [*ADAPTERS, *PURE], ids=lambda path: str(path.relative_to(HOUSE)))
def test_adapters_and_pure_modules_know_no_settings_no_tables_and_no_queue(path: Path) -> None:
    found = {name for name in imported(path) for root in NOT_THEIRS if name == root or name.startswith(root + ".")}
    assert found == set()


def test_nothing_else_stands_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, check=True, capture_output=True, text=True).stdout
    top = {line.partition("/")[0] for line in listed.splitlines() if not line.startswith(".")}
    known = {"alerts", "channels", "deploy", "static", "templates", "tests", "manage.py", "pyproject.toml", "README.md"}
    assert top - known == set()
