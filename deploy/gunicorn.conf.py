# ruff: noqa: N999 (gunicorn's own name for it)
"""gunicorn's own configuration: two processes of sixteen threads, ended quickly."""

from pathlib import Path

workers = 2
worker_class = "gthread"
# Sign-ups wait for a provider's answer in them; the desk must never wait behind those
threads = 16
preload_app = True
timeout = 30
graceful_timeout = 4
keepalive = 5
loglevel = "warning"
# Its heartbeat file must not wait for a busy disk
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# Nothing here uses gunicorn's control socket, which would lie in the home folder
control_socket_disable = True
