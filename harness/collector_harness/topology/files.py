"""What the text of a topology takes from the folder of its file: whole paths, and `${folder}`.

Certificates, descriptors and files of handlers begin there and nowhere else. Modules and the words
of commands that are not there are left as they are: they may be meant from the current folder.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from collector_harness.documents import Document
from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology.service_spec import ServiceSpec
from collector_harness.topology.spec import NodeSpec, TopologySpec
from collector_harness.topology.terms import IMPLEMENTATION
from collector_harness.topology.tls_spec import TlsSpec

__all__ = ["with_files"]

_FOLDER = re.compile(r"(?<!\$)\$\{folder\}")

Place = tuple[str | int, ...]


def with_files(
    spec: TopologySpec,
    document: Document,
    location: Place,
    *,
    services: Place,
) -> TopologySpec:
    """Returns the spec with whole paths, which begin from the folder of the document. `services` is
    where services stand.

    Raises `InvalidInput` for files that are not there.
    """
    taking = _Taking(document)
    defaults = taking.node(spec.defaults, (*location, "defaults"))
    nodes = {
        name: taking.node(node, (*location, "nodes", name)) for name, node in spec.nodes.items()
    }
    taken = {
        name: taking.service(service, (*services, name)) for name, service in spec.services.items()
    }
    if taking.problems:
        raise InvalidInput(taking.problems)
    same = defaults is spec.defaults and all(nodes[name] is spec.nodes[name] for name in nodes)
    if same and not taken:
        return spec
    return spec.model_copy(update={"defaults": defaults, "nodes": nodes, "services": taken})


class _Taking:
    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def node(self, node: NodeSpec, place: Place) -> NodeSpec:
        # What was not written stays unwritten: defaults fill it in.
        changed: dict[str, object] = {}
        if node.serves:
            changed["serves"] = {
                namespace: tuple(
                    self._implementation(each, (*place, "serves", namespace, index))
                    for index, each in enumerate(implementations)
                )
                for namespace, implementations in node.serves.items()
            }
        if node.collector is not None and node.collector.endswith((".yaml", ".yml")):
            changed["collector"] = self._file(
                node.collector, (*place, "collector"), "that describes a target"
            )
        elif node.collector is not None and node.collector.startswith("exec:"):
            changed["collector"] = self._target(node.collector, (*place, "collector"))
        if node.tls is not None:
            changed["tls"] = self._tls(node.tls, (*place, "tls"))
        if node.protos is not None:
            changed["protos"] = self._protos(node.protos, (*place, "protos"))
        if node.environment:
            changed["environment"] = self._environment(node.environment, place)
        if isinstance(node.token, str):
            changed["token"] = self._text(node.token, (*place, "token"))
        return node.model_copy(update=changed) if changed else node

    def service(self, service: ServiceSpec, place: Place) -> ServiceSpec:
        changed: dict[str, object] = {
            "protos": self._protos(service.protos, (*place, "protos")),
            "environment": self._environment(service.environment, place),
        }
        if service.command is not None:
            at = (*place, "command")
            words = [self._text(word, at) for word in service.command]
            changed["command"] = self._command(words, at)
        if service.python is not None:
            changed["python"] = self._implementation(service.python, (*place, "python"))
        if service.tls is not None:
            changed["tls"] = self._tls(service.tls, (*place, "tls"))
        for key in ("token", "database"):
            written = getattr(service, key)
            if written is not None:
                changed[key] = self._text(written, (*place, key))
        return service.model_copy(update=changed)

    def _implementation(self, written: str, place: Place) -> str:
        match = IMPLEMENTATION.fullmatch(written)
        if match is None:
            return written
        module, _, attribute = written.rpartition(":")
        if match["file"] is not None:
            return f"{self._file(module, place, 'with handlers')}:{attribute}"
        folder = self._folder(place)
        beside = folder.joinpath(*module.split("."))
        if beside.with_name(f"{beside.name}.py").is_file() or (beside / "__init__.py").is_file():
            return f"{_plain(folder)}:{written}"
        return written

    def _target(self, written: str, place: Place) -> str:
        try:
            words = shlex.split(written.removeprefix("exec:"))
        except ValueError:  # told where the target is read
            return written
        whole = self._command(words, place)
        return written if whole == tuple(words) else f"exec:{shlex.join(whole)}"

    def _command(self, words: Sequence[str], place: Place) -> tuple[str, ...]:
        """Returns a command whose relative paths to files that are here are whole. A program
        without a slash is one of the search path, as in a shell.
        """
        return tuple(
            self._beside(word, place) if "/" in word or (index and Path(word).suffix) else word
            for index, word in enumerate(words)
        )

    def _beside(self, word: str, place: Place) -> str:
        found = self._folder(place) / word
        return str(_plain(found)) if os.path.isfile(found) else word  # noqa: PTH113 - any text

    def _tls(self, tls: TlsSpec, place: Place) -> TlsSpec:
        files = {
            key: self._file(written, (*place, key), "with a certificate or key")
            for key in ("cert", "key", "ca")
            if (written := getattr(tls, key)) is not None
        }
        return tls.model_copy(update=files)

    def _protos(self, protos: tuple[str, ...], place: Place) -> tuple[str, ...]:
        return tuple(
            self._file(written, (*place, index), "with descriptors")
            for index, written in enumerate(protos)
        )

    def _file(self, written: str, place: Place, what: str) -> str:
        found = self._folder(place) / written
        if not found.is_file():
            self._problem(f"there is no file '{written}' {what}", f"looked for {found}", place)
            return str(found)
        return str(_plain(found))

    def _environment(self, variables: Mapping[str, str], place: Place) -> dict[str, str]:
        return {
            name: self._text(value, (*place, "environment", name))
            for name, value in variables.items()
        }

    def _text(self, text: str, place: Place) -> str:
        return _FOLDER.sub(lambda _: str(self._folder(place)), text)

    def _folder(self, place: Place) -> Path:
        return self._document.folder_of(place) or Path.cwd()

    def _problem(self, message: str, hint: str | None, place: Place) -> None:
        position = self._document.position(place)
        self.problems.append(Problem(message=message, position=position, hint=hint))


def _plain(path: Path) -> Path:
    """Returns one path for all that lead there: equal topologies share their meshes."""
    plain = Path(os.path.normpath(path))
    return plain if plain.exists() and plain.samefile(path) else path
