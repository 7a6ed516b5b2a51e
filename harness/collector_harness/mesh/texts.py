"""Filling the references in the texts of a topology with what is known of a mesh as it starts."""

from __future__ import annotations

import os
from collections.abc import Callable

from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
from collector_harness.mesh.node import MeshNode
from collector_harness.topology.references import Reference, filled

__all__ = ["Texts"]


class Texts:
    """The texts of one mesh."""

    def __init__(self, part: Callable[[str], MeshNode]) -> None:
        """`part` returns a node or service by its name."""
        self._part = part

    def fill(self, text: str) -> str:
        """Returns the text with its references replaced; raises as `look_up` does."""
        return filled(text, self.look_up) if "${" in text else text

    def look_up(self, reference: Reference) -> str:
        """Returns what a reference leads to; raises `EnvironmentLacks` for a variable that is not
        set, and for a secret.
        """
        if reference.kind == "env":
            value = os.environ.get(reference.name)
            if value is None:
                raise EnvironmentLacks(
                    f"the environment variable '{reference.name}' is not set\n"
                    f"hint: set it for this run: {reference.name}=... collector-harness run ..."
                )
            return value
        if reference.kind == "secret":  # a scenario's are filled before its mesh is made
            raise EnvironmentLacks(f"'${{{reference.text}}}' has a value only in a scenario")
        if reference.kind == "secret":
            raise InvalidInput(
                Problem(
                    message=f"'${{{reference.text}}}' is a secret of a scenario, and this mesh "
                    "belongs to none",
                    hint="use an environment variable: ${env.NAME}",
                )
            )
        part = self._part(reference.name)
        if reference.attribute == "database_url":
            return part.database_url
        host, _, port = part.address.rpartition(":")
        return {
            "address": part.address,
            "host": host,
            "name": part.name,
            "port": port,
            "url": part.url,
        }[reference.attribute]
