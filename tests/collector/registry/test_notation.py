"""How a registry is written down, and what becomes of the text."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from collector_reference.registry.notation import (
    MEMORY,
    EtcdMembership,
    EtcdPlace,
    EtcdRegistry,
    SqliteRegistry,
    parse_membership,
    parse_registry,
)

PLACE = EtcdPlace(endpoints=("10.0.0.1:2379", "etcd.example:2380"), prefix="fleet/registry")


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("memory", MEMORY),
        ("sqlite:r.db", SqliteRegistry(path=Path("r.db"))),
        ("sqlite:/var/lib/c: d.db", SqliteRegistry(path=Path("/var/lib/c: d.db"))),
        ("etcd:10.0.0.1:2379,etcd.example:2380/fleet/registry", EtcdRegistry(place=PLACE)),
        (
            "etcd:10.0.0.1:2379, etcd.example:2380/fleet/registry/?lease=30s",
            EtcdRegistry(place=PLACE, lease=timedelta(seconds=30)),
        ),
        (
            "etcd:[::1]:2379/x?lease=2.5",
            EtcdRegistry(
                place=EtcdPlace(endpoints=("[::1]:2379",), prefix="x"),
                lease=timedelta(seconds=2.5),
            ),
        ),
    ],
)
def test_a_text_becomes_a_choice_and_the_choice_that_text_again(text, choice):
    assert parse_registry(text) == choice
    assert parse_registry(str(choice)) == choice


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("memory:x", "'memory:x' is no registry: write memory, sqlite:PATH or etcd:"),
        ("redis:x", "'redis:x' is no registry"),
        ("sqlite:", "'sqlite:' names no file: write sqlite:PATH"),
        ("etcd:/x", "names no endpoint"),
        ("etcd:127.0.0.1:2379", "names no prefix"),
        ("etcd:127.0.0.1/x", "'127.0.0.1' is not HOST:PORT"),
        ("etcd:127.0.0.1:2379/x?ttl=3", "'ttl' is not an option"),
        ("etcd:127.0.0.1:2379/x?lease=soon", "'soon' is not a number of seconds"),
        ("etcd:127.0.0.1:2379/x?lease=1", "etcd keeps nothing for less than 2 s"),
        ("etcd:127.0.0.1:2379/x?lease=nan", "'nan' is not a number of seconds"),
    ],
)
def test_a_text_that_names_no_registry_says_what_it_should_be(text, problem):
    with pytest.raises(ValueError, match=problem.replace("?", r"\?")):
        parse_registry(text)


def test_a_membership_has_a_lease_of_its_own():
    assert parse_membership("etcd:127.0.0.1:2379/x") == EtcdMembership(
        place=EtcdPlace(endpoints=("127.0.0.1:2379",), prefix="x"), lease=timedelta(seconds=5)
    )
    text = "etcd:127.0.0.1:2379/x?lease=9"
    assert str(parse_membership(text)) == text
