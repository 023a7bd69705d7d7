"""``python -m tests.bench`` lists the benchmarks, ``python -m tests.bench NAME… [--json FILE]`` runs them.

A benchmark is a module of this folder with a docstring and ``run() -> Tables``. Each runs in a
process and a data folder of its own, with the embedded set-up unless the environment says otherwise.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy.supervise import adopt, end_adopted

from . import RATIOS, Tables

HERE = Path(__file__).resolve().parent
HOUSE = HERE.parent.parent


def benchmarks() -> dict[str, str]:
    """Every benchmark, by name, with the first line of its docstring; nothing is imported."""
    found = {}
    for path in sorted(HERE.glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def measure(name: str) -> Tables:
    """Run one benchmark in a process and a data folder of its own. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory(prefix="belfry-bench-") as folder:
        result = Path(folder) / "result.json"
        data = Path(folder) / "data"
        data.mkdir()
        environment = {**os.environ, "BELFRY_DATA": str(data), "BELFRY_LOG_LEVEL": "WARNING"}
        environment.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
        command = [sys.executable, "-m", "tests.bench", "--one", str(result), name]
        try:
            subprocess.run(command, cwd=HOUSE, env=environment, check=True, stdin=subprocess.DEVNULL)
        finally:
            end_adopted(set())
        tables: Tables = json.loads(result.read_text())
        return tables


def written(tables: Mapping[str, Mapping[str, object]]) -> str:
    """The tables as text, ratios first: they hold on any machine."""
    lines = []
    for title in sorted(tables, key=lambda title: title != RATIOS):
        rows = {str(row): _number(value) for row, value in tables[title].items()}
        wide = max((len(row) for row in rows), default=0)
        far = max((len(value) for value in rows.values()), default=0)
        lines += [f"  {title}", *(f"    {row:<{wide}}  {value:>{far}}" for row, value in rows.items())]
    return "\n".join(lines)


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def main() -> int:
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Belfry's benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run; without any, all are listed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(known)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known) or 'none yet'}")
    if given.one:
        module = importlib.import_module(f"tests.bench.{given.names[0]}")
        given.one.write_text(json.dumps(module.run()))
        return 0
    if not given.names:
        wide = max(map(len, known), default=0)
        print("\n".join(f"{name:<{wide}}  {sentence}" for name, sentence in known.items()) or "No benchmark yet.")
        return 0
    adopt()
    figures, failed = {}, []
    for name in given.names:
        print(f"{name}: {known[name]}", flush=True)
        try:
            figures[name] = measure(name)
        except subprocess.CalledProcessError:
            failed.append(name)
            print("  failed: the reason stands above")
        else:
            print(written(figures[name]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
