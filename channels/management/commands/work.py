"""``manage.py work QUEUE…``: one RQ worker for these queues, the first always before the next."""

from __future__ import annotations

import gc
import logging
import time
from argparse import ArgumentParser
from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections, connections
from redis.exceptions import RedisError
from rq import SimpleWorker, Worker
from rq.serializers import JSONSerializer

from channels import jobs, registry

log = logging.getLogger("channels.work")

OWN = {"site", "city-urgent", "city"}
"""Queues of our own code alone. What runs vendors' libraries against platforms forks for each job."""


class Bellringer(Worker):
    """A worker that is back soon after Redis is: it waits two seconds at most between two looks."""

    max_connection_wait_time = 2.0


class StandingBellringer(SimpleWorker):
    """The worker of the city's own channels: it does not fork.

    What it has read of the city stays read, its connections to push services and mail servers stay
    open. Should a job take it down, its supervisor starts it again and the sweep finds what it had.
    """

    max_connection_wait_time = 2.0

    def execute_job(self, job: Any, queue: Any) -> None:
        close_old_connections()
        super().execute_job(job, queue)


class Command(BaseCommand):
    help = "Carry out deliveries of these queues: site, city-urgent, city, commercial, upkeep."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("queues", nargs="+", choices=list(settings.RQ_QUEUES), metavar="QUEUE")
        parser.add_argument("--burst", action="store_true", help="End when the queues are empty.")

    def handle(self, *, queues: list[str], burst: bool, **_options: Any) -> None:
        # Read what a job needs before the worker forks for it: a fork that imports anew takes three times as long.
        for name in registry.names():
            registry.channel(name)
        log.info("worker for %s, jobs of %s", " ".join(queues), jobs.__name__)
        connections.close_all()
        connection = django_rq.get_connection(queues[0])
        while not _answers(connection):
            log.warning("Redis does not answer; upkeep carries out what is urgent meanwhile")
            time.sleep(2)  # the worker has nothing else to do than to wait for Redis
        worker = (StandingBellringer if set(queues) <= OWN else Bellringer)(
            [django_rq.get_queue(name) for name in queues],
            connection=connection,
            serializer=JSONSerializer,
            default_worker_ttl=60,
        )
        # what was imported stays: the collector need not look through it again and again while thousands are sent
        gc.collect()
        gc.freeze()
        worker.work(burst=burst, logging_level="WARNING")


def _answers(connection: Any) -> bool:
    try:
        return bool(connection.ping())
    except (RedisError, OSError):
        return False
