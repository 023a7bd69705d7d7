"""What is made ahead serves once, whoever asks at the same time, and never comes out of a backup."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction

from channels import backups
from channels.models import Prepared, Subscription
from channels.subscriptions import prepared, sealing
from tests import city


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_at_the_same_moment_one_has_the_set() -> None:
    city.districts()
    ids = [one.pk for one in city.subscribe("push", *[f"a{number}" for number in range(50)])]
    while after := prepared.make(lambda address: address.encode()):
        assert after == ids[-1]
    taken: list[dict[int, bytes]] = []
    ready = threading.Barrier(4)

    def worker() -> None:
        try:
            ready.wait()
            with transaction.atomic():
                taken.append(prepared.take(ids))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=worker) for _one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    given = [pk for one in taken for pk in one]
    assert sorted(given) == ids, "each set once, none lost"
    assert not Prepared.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_set_goes_back_when_its_recipients_were_never_handed_over() -> None:
    city.districts()
    [one] = city.subscribe("push", "a")
    prepared.make(lambda address: address.encode())

    class Broken(Exception):
        pass

    def breaks_off() -> None:
        with transaction.atomic():
            assert prepared.take([one.pk])
            raise Broken

    with pytest.raises(Broken):
        breaks_off()
    assert prepared.take([one.pk]) == {one.pk: b"a"}


@pytest.mark.django_db
def test_a_malformed_address_keeps_no_other_from_its_set() -> None:
    city.districts()
    city.subscribe("push", "good", "bad")

    def prepare(address: str) -> bytes:
        if address == "bad":
            raise ValueError
        return b"made"

    assert prepared.make(prepare)
    assert Prepared.objects.count() == 1
    assert prepared.lacking()


@pytest.mark.django_db
def test_changed_keys_drop_what_was_made_for_the_old_ones() -> None:
    city.districts()
    [one] = city.subscribe("push", "a")
    prepared.make(lambda address: address.encode())
    prepared.forget(one.pk)
    assert prepared.take([one.pk]) == {}


@pytest.mark.django_db
def test_keys_that_change_while_a_set_is_made_get_none_of_the_old_ones() -> None:
    city.districts()
    [one] = city.subscribe("push", "a")

    def prepare(address: str) -> bytes:
        Subscription.objects.filter(pk=one.pk).update(address=sealing.seal("push", "b"))
        return address.encode()

    prepared.make(prepare)
    assert prepared.take([one.pk]) == {}
    prepared.make(lambda address: address.encode())
    assert prepared.take([one.pk]) == {one.pk: b"b"}


@pytest.mark.django_db
def test_leaving_takes_the_set_along() -> None:
    city.districts()
    [one] = city.subscribe("push", "a")
    prepared.make(lambda address: address.encode())
    Subscription.objects.get(pk=one.pk).delete()
    assert not Prepared.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_backup_holds_no_set_and_a_restore_brings_none(tmp_path: Path, settings: Any) -> None:
    city.districts()
    city.subscribe("push", "a")
    prepared.make(lambda _address: b"known-secret-of-one-push")
    file = tmp_path / "backup.tar.gz"
    call_command("backup", str(file), verbosity=0)
    whole = backups_content(file)
    assert b"known-secret-of-one-push" not in whole
    assert Prepared.objects.count() == 1, "the running system keeps its own"


def backups_content(file: Path) -> bytes:
    import subprocess
    import tarfile

    with tarfile.open(file) as archive:
        names = [name for name in archive.getnames() if name.startswith("database.")]
        assert names
        member = archive.extractfile(names[0])
        assert member
        body = member.read()
    if connection.vendor == "postgresql":
        body = subprocess.run(["pg_restore", "--file=-"], input=body, capture_output=True, check=True).stdout
    assert backups.USED_ONCE.encode() in body
    return body
