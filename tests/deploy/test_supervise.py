"""The one parent of all processes."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from deploy import supervise

from .processes import HOUSE, Started, eventually, gone, python

# Says its id, then lives until told to end, which it does by the word given
CHILD = """
import os, signal, sys, time
def end(*_):
    print("ending", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, {answer})
print("pid", os.getpid(), flush=True)
while True: time.sleep(0.05)
"""
ENDS, IGNORES = CHILD.format(answer="end"), CHILD.format(answer="signal.SIG_IGN")
# Leaves a process behind in a session of its own, as a worker's work-horse is
LEAVES = """
import os, subprocess, sys, time
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("left", left.pid, flush=True)
print("pid", os.getpid(), flush=True)
time.sleep(600)
"""


def supervising(**children: str) -> Started:
    """A supervisor of these Python programs, with short pauses; ``server`` is a server."""
    lines = [
        "import os, sys",
        "from deploy import supervise",
        "supervise.FIRST_PAUSE, supervise.WORKERS_MAY_TAKE = 0.01, 0.5",
        "supervisor = supervise.Supervisor(os.environ)",
        *(
            f"supervisor.start({name!r}, [sys.executable, '-c', {code!r}], server={name == 'server'})"
            for name, code in children.items()
        ),
        "supervisor.watch()",
        "supervisor.end()",
        "print('all ended', flush=True)",
    ]
    return Started([os.environ.get("PYTHON", "python"), "-c", "\n".join(lines)])


def pid_of(started: Started, name: str, times: int = 1) -> int:
    return int(started.wait_for(rf"^ *{name} \| pid (\d+)", times=times)[1])


def test_what_is_killed_comes_back() -> None:
    with supervising(worker=ENDS) as started:
        first = pid_of(started, "worker")
        os.kill(first, signal.SIGKILL)
        second = pid_of(started, "worker", times=2)
        assert second != first
        assert "worker | ended (SIGKILL); starts again in" in started.said
        assert started.end(signal.SIGTERM) == 0


def test_what_falls_again_and_again_is_given_longer_and_longer_pauses() -> None:
    with supervising(broken="raise SystemExit(3)") as started:
        started.wait_for(r"ended \(exit code 3\); starts again in 0.08 s")
        pauses = re.findall(r"starts again in (\S+) s", started.said)
        assert pauses[:4] == ["0.01", "0.02", "0.04", "0.08"]
        assert started.end(signal.SIGTERM) == 0


def test_every_line_bears_the_name_of_its_process_and_the_last_one_needs_no_end() -> None:
    with supervising(one="print('a\\nb', end='')", two="import sys; sys.stderr.write('öß\\n')") as started:
        started.wait_for(r"^ +one \| a\n +one \| b\n +one \| ended")
        started.wait_for(r"^ +two \| öß$")
        started.end(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_being_told_to_stop_ends_all_and_servers_last(number: signal.Signals) -> None:
    with supervising(server=ENDS, worker=ENDS) as started:
        pids = [pid_of(started, name) for name in ("server", "worker")]
        assert started.end(number) == 0
        assert started.said.index("worker | ending") < started.said.index("server | ending")
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_what_does_not_end_is_killed() -> None:
    with supervising(stubborn=IGNORES) as started:
        pid = pid_of(started, "stubborn")
        assert started.end(signal.SIGTERM) == 0
        assert not Path(f"/proc/{pid}").exists()


def test_a_second_ctrl_c_waits_for_nobody() -> None:
    with supervising(stubborn=IGNORES, server=IGNORES) as started:
        pids = [pid_of(started, name) for name in ("stubborn", "server")]
        started.popen.send_signal(signal.SIGINT)
        assert started.end(signal.SIGINT) == 0
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_what_a_killed_process_left_behind_is_ended_too() -> None:
    with supervising(worker=LEAVES) as started:
        pid = pid_of(started, "worker")
        left = int(started.wait_for(r"left (\d+)")[1])
        os.kill(pid, signal.SIGKILL)
        pid_of(started, "worker", times=2)
        lefts = [int(number) for number in re.findall(r"left (\d+)", started.said)]
        assert left in lefts
        assert started.end(signal.SIGTERM) == 0
        assert not [pid for pid in lefts if Path(f"/proc/{pid}").exists()]


def test_children_end_when_the_parent_is_killed() -> None:
    with supervising(server=ENDS, worker=ENDS) as started:
        pids = [pid_of(started, name) for name in ("server", "worker")]
        started.end(signal.SIGKILL)
        assert eventually(lambda: all(gone(pid) for pid in pids))


def test_when_nobody_listens_any_more_it_ends_all(tmp_path: Path) -> None:
    talker = "import os, time\nprint('pid', os.getpid())\nwhile True: print('word', flush=True); time.sleep(0.02)"
    with supervising(talker=talker) as started:
        pid = pid_of(started, "talker")
        started.deaf = True
        assert started.end() != signal.SIGKILL
        assert gone(pid)


def test_the_list_is_the_procfile_with_the_names_filled_in() -> None:
    processes = supervise.procfile({"BELFRY_BIND": "127.0.0.1:9000"})
    assert list(processes) == ["web", "site", "urgent", "city", "commercial", "upkeep", "mail"]
    assert "127.0.0.1:9000" in processes["web"]
    assert processes["urgent"] == ["python", "manage.py", "work", "city-urgent"]


def test_no_worker_of_a_city_queue_serves_commercial_ones() -> None:
    for command in supervise.procfile({}).values():
        queues = set(command[3:]) if "work" in command else set()
        assert not (queues & {"site", "city-urgent", "city"} and queues & {"commercial", "upkeep"}), command


def test_every_queue_has_a_worker() -> None:
    from django.conf import settings

    served = {queue for command in supervise.procfile({}).values() if "work" in command for queue in command[3:]}
    assert served == set(settings.RQ_QUEUES)


def test_systemd_starts_what_the_procfile_lists() -> None:
    target = (HOUSE / "deploy" / "systemd" / "belfry.target").read_text()
    assert re.findall(r"belfry@(\w+)\.service", target) == list(supervise.procfile({}))


def test_containers_start_what_the_procfile_lists() -> None:
    compose = (HOUSE / "deploy" / "compose.yaml").read_text()
    assert re.findall(r"^    command: \[(\w+)\]$", compose, re.MULTILINE) == list(supervise.procfile({}))


def test_one_process_can_be_had_by_its_name_alone() -> None:
    wrong = python("-m", "deploy.supervise", "nonsense")
    assert wrong.returncode == 1
    assert wrong.stdout == "Name one process of Procfile: web, site, urgent, city, commercial, upkeep, mail.\n"
