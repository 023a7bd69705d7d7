"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real alert data; where it is missing, the test counts as not run."""
    path = Path(os.environ.get("BELFRY_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not (path / "cap").is_dir():
        pytest.skip("real data missing: set BELFRY_TEST_DATA")
    return path
