"""deploy/run, for real: from its start to its end, and what it refuses."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import start
from deploy.redis import free_port

from .processes import HOUSE, Started, eventually, gone, python

PARTS = ("alerts", "channels", "deploy", "static", "templates", "manage.py", "pyproject.toml")
NAMES = {"redis", "web", "site", "urgent", "city", "commercial", "upkeep"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the environment of this Python, so that a start writes nothing into the original."""
    folder = tmp_path_factory.mktemp("house")
    for part in PARTS:
        if (HOUSE / part).is_dir():
            shutil.copytree(HOUSE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
        else:
            shutil.copy(HOUSE / part, folder / part)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


class Belfry(Started):
    """One start of ``deploy/run``."""

    def __init__(self, house: Path, data: Path, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.data = data
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("BELFRY_", "DJANGO_"))}
        super().__init__(
            [sys.executable, "deploy/run", "--port", str(self.port), "--data", str(data)], cwd=house, env=environment
        )

    def ready(self) -> Belfry:
        self.wait_for(r"^Belfry is running\.$")
        self.wait_for(r"Stop +Ctrl-C")
        return self

    def get(self, path: str) -> tuple[int, str]:
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            wire.request("GET", path)
            answer = wire.getresponse()
            return answer.status, answer.read().decode()
        finally:
            wire.close()

    def answers(self) -> bool:
        try:
            return self.get("/")[0] == 200
        except OSError:
            return False

    def children(self) -> dict[str, int]:
        """The ids of the supervised processes, by what they run."""
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.popen.pid)], check=True, capture_output=True, text=True
        ).stdout
        return {args: int(pid) for pid, args in (line.split(None, 1) for line in listed.splitlines())}

    def child(self, words: str) -> int:
        (pid,) = (pid for args, pid in self.children().items() if words in args)
        return pid


@pytest.fixture(scope="module")
def belfry(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Belfry]:
    with Belfry(house, tmp_path_factory.mktemp("state") / "data") as started:
        yield started.ready()
        assert started.end(signal.SIGTERM) == 0


def manage(house: Path, data: Path, code: str) -> str:
    """What this code prints in ``manage.py shell`` on the same state."""
    done = python("manage.py", "shell", "-v", "0", "-c", code, cwd=house, env={"BELFRY_DATA": str(data)})
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_page_and_desk_answer_at_the_address_it_prints(belfry: Belfry) -> None:
    assert f"Public page  http://127.0.0.1:{belfry.port}/" in belfry.said
    assert belfry.get("/")[0] == 200
    status, page = belfry.get("/desk/login/")
    assert status == 200
    assert "<form" in page


@pytest.mark.slow
def test_it_prints_the_log_ins_of_the_demo_officers_and_keeps_them_for_the_owner(belfry: Belfry) -> None:
    for name in ("anna.autorin", "karl.pruefer", "vera.verwaltung"):
        assert re.search(rf"^ +{name}\b.*\S{{8}}", belfry.said, re.MULTILINE), belfry.said
    assert (belfry.data / "demo_logins.txt").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_everything_runs_under_one_parent(belfry: Belfry) -> None:
    assert len(belfry.children()) == len(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("words", ["work site", "gunicorn", "-server ", "manage.py upkeep"])
def test_what_is_killed_is_back_soon(belfry: Belfry, words: str) -> None:
    pid = belfry.child(words)
    fallen = belfry.said.count("ended (SIGKILL)")
    os.kill(pid, signal.SIGKILL)
    belfry.wait_for(r"ended \(SIGKILL\); starts again", times=fallen + 1)
    assert eventually(lambda: any(words in args and other != pid for args, other in belfry.children().items()))
    assert eventually(belfry.answers)


@pytest.mark.slow
def test_a_second_start_on_the_same_folder_is_refused_in_one_sentence(belfry: Belfry, house: Path) -> None:
    with Belfry(house, belfry.data) as second:
        assert second.end() == 1
        assert second.said == (
            f"Belfry already runs on the data folder {belfry.data} (process {belfry.popen.pid}, "
            f"http://127.0.0.1:{belfry.port}/). Stop it with Ctrl-C there, or choose another folder with --data DIR."
        )


@pytest.mark.slow
def test_the_administrators_commands_see_the_running_state(belfry: Belfry, house: Path) -> None:
    printed = manage(house, belfry.data, "from django.conf import settings; print(settings.ADDRESS, settings.DEMO)")
    assert printed == f"http://127.0.0.1:{belfry.port} True"


@pytest.mark.slow
def test_ctrl_c_ends_all_and_a_second_start_goes_on_with_everything(house: Path, tmp_path: Path) -> None:
    with Belfry(house, tmp_path) as first:
        pids = first.ready().children().values()
        log_ins = (tmp_path / "demo_logins.txt").read_text()
        manage(house, tmp_path, "from alerts.models import Area; Area.objects.create(code='x', name='Kept'); print(1)")
        rung = "import django_rq; c = django_rq.get_connection('site'); print(c.set('rung', 'yes'))"
        assert manage(house, tmp_path, rung) == "True"
        assert first.end(signal.SIGINT) == 0
        assert "Traceback" not in first.said
        assert first.lines[-1] == "Stopped. Everything is kept; deploy/run goes on from here."
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    own = "# mine\nBELFRY_HOTLINE=0341 123\n"
    (tmp_path / "belfry.env").write_text(own + (tmp_path / "belfry.env").read_text())
    with Belfry(house, tmp_path) as second:
        second.ready()
        assert "Installing" not in second.said
        assert (tmp_path / "demo_logins.txt").read_text() == log_ins
        assert manage(house, tmp_path, "from alerts.models import Area; print(Area.objects.get(code='x'))") == "Kept"
        kept = "import django_rq; print(django_rq.get_connection('site').get('rung'))"
        assert manage(house, tmp_path, kept) == "b'yes'"
        assert (tmp_path / "belfry.env").read_text().startswith(own)
        assert second.end(signal.SIGTERM) == 0


@pytest.mark.slow
def test_nothing_is_left_running_when_the_parent_is_killed(house: Path, tmp_path: Path) -> None:
    with Belfry(house, tmp_path) as belfry:
        pids = belfry.ready().children().values()
        belfry.end(signal.SIGKILL)
        assert eventually(lambda: all(gone(pid) for pid in pids))


def refusal(*options: str, **environment: str) -> str:
    """What ``deploy/run`` says when it refuses at once."""
    done = python("deploy/run", *options, env=environment)
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1, done.stdout
    return done.stdout.strip()


def test_a_port_in_use_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal("--port", str(port), "--data", str(tmp_path))
    assert said.startswith(f"Port {port} is in use by another program. Choose another, for example deploy/run --port ")


def test_a_number_that_is_no_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    said = refusal("--port", "70000", "--data", str(tmp_path))
    assert said == "70000 is no port. Choose one from 1024 to 65535 with --port N."


def test_a_folder_that_can_not_be_written_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    said = refusal(BELFRY_DATA=str(file / "data"))
    assert said.startswith(f"The data folder {file}/data can't be written (Not a directory). Make it writable or ")


def test_log_ins_of_the_demo_are_shown_in_the_demo_only(tmp_path: Path) -> None:
    (tmp_path / "demo_logins.txt").write_text("anna.autorin  geheim\n")
    assert "anna.autorin  geheim" in start.greeting(tmp_path, 8000, demo=True)
    assert "geheim" not in start.greeting(tmp_path, 8000, demo=False)
    assert "first_officer" in start.greeting(tmp_path, 8000, demo=False)


def test_the_administrators_lines_stay_and_ours_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "belfry.env").write_text("# hers\nBELFRY_CITY=Halle\n")
    start.write_settings(tmp_path, {"BELFRY_DEMO": "1", "BELFRY_ADDRESS": "http://127.0.0.1:8000"})
    start.write_settings(tmp_path, {"BELFRY_ADDRESS": "http://127.0.0.1:8001"})
    with (tmp_path / "belfry.env").open("a") as file:
        file.write("BELFRY_HOTLINE_FILE=/run/secrets/hotline\n")
    assert start.own_lines(tmp_path) == [
        "# hers",
        "BELFRY_CITY=Halle",
        "BELFRY_HOTLINE_FILE=/run/secrets/hotline",
    ]
    assert start.values(start.own_lines(tmp_path)) == {
        "BELFRY_CITY": "Halle",
        "BELFRY_HOTLINE": "/run/secrets/hotline",
    }
    assert (tmp_path / "belfry.env").read_text().count("BELFRY_ADDRESS") == 1
    assert "8001" in (tmp_path / "belfry.env").read_text()
    assert (tmp_path / "belfry.env").stat().st_mode & 0o077 == 0
