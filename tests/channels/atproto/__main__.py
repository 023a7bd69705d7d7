"""Puts the network's packages there, then tries the Bluesky channel against it; options go to pytest."""

from __future__ import annotations

import sys

import pytest

from . import server


def main(options: list[str]) -> int:
    print(f"the network's packages: {server.put_there()}", flush=True)
    return int(pytest.main([str(server.HERE / "network.py"), *options]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
