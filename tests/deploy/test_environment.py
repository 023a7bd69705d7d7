"""From a bare machine to the virtual environment: what is missing is said in one sentence."""

from __future__ import annotations

import ast
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from deploy import environment

from .processes import HOUSE

SCRIPT = HOUSE / "deploy" / "run"


@pytest.fixture
def script() -> ModuleType:
    """``deploy/run`` as a module; importing it starts nothing."""
    loader = SourceFileLoader("deploy_run", str(SCRIPT))
    spec = importlib.util.spec_from_loader("deploy_run", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment folder of the test's own, with this Python in it."""
    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setattr(environment, "PYTHON", Path(sys.executable))
    return tmp_path


def test_an_old_python_can_read_the_script() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_an_old_python_gets_one_sentence(script: ModuleType, tmp_path: Path) -> None:
    python, sentence = script.old_python((3, 8, 20, "final", 0), str(tmp_path))
    assert python == ""
    assert sentence == (
        "Belfry needs Python 3.11 or newer; this is 3.8.20. Install it (Debian and Ubuntu: apt install python3 "
        "python3-venv) and start again."
    )


def test_an_old_python_hands_over_to_a_newer_one_that_runs(script: ModuleType, tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    for folder in (stub, real):
        folder.mkdir()
    (stub / "python3.12").write_text("#!/bin/sh\nexit 127\n")
    (stub / "python3.12").chmod(0o755)
    (real / "python3.11").symlink_to(sys.executable)
    path = f"{tmp_path}/nowhere:{stub}:{real}"
    assert script.old_python((3, 8, 20), path) == (str(real / "python3.11"), "")


def test_this_python_will_do(script: ModuleType) -> None:
    assert script.old_python(sys.version_info, "") == ("", "")


def test_a_python_without_venv_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(environment.Refused, match="apt install python3-venv"):
        environment.create()


def test_without_any_index_one_sentence_says_so(venv: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # discard: nobody listens
    monkeypatch.setenv("PIP_RETRIES", "0")
    lock = tmp_path / "some.lock"
    lock.write_text("belfry-has-no-such-package==1 --hash=sha256:" + 64 * "0")
    with pytest.raises(environment.Refused, match=r"can't be fetched: no package index answered"):
        environment.install(lock)
    assert not (venv / "some.lock.installed").exists()


def test_an_unchanged_list_is_not_installed_again(
    venv: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lock = venv / "empty.lock"
    lock.write_text("# nothing\n")
    environment.install(lock)
    assert "Installing" in capfd.readouterr().out
    environment.install(lock)
    assert capfd.readouterr().out == ""
    lock.write_text("# nothing more\n")
    environment.install(lock)
    assert "Installing" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "A package is not the one"),
        ("WARNING: Retrying … Temporary failure in name resolution", "The packages can't be fetched"),
        ("ERROR: No space left on device", "The packages can't be installed: No space left on device"),
        ("", "The packages can't be installed: pip gave no reason."),
    ],
)
def test_pips_words_become_one_sentence(words: str, sentence: str) -> None:
    assert environment.reason(words).startswith(sentence)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_names_hashes_and_no_address(name: str) -> None:
    text = (HOUSE / "deploy" / name).read_text()
    assert text.count("==") <= text.count("--hash=sha256:")
    assert "://" not in text
    assert "/tmp" not in text


def test_the_npm_lock_file_names_no_address() -> None:
    assert "resolved" not in (HOUSE / "tests" / "package-lock.json").read_text()
