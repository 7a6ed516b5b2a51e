"""What the source of handlers tells is told, and what it does not is left open."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from collector_harness.topology.handler_source import names_without, written_service

SOURCE = """\
import os
from collections import OrderedDict as Ordered
from dataclasses import dataclass

class Base:
    service_name = "shop.v1.Orders"

    def Cancel(self, value, context): ...

    def _own(self): ...

class Orders(Base):
    limit = 7

    async def Create(self, value, context): ...

    @staticmethod
    def Count(value, context): ...

class Plain(object):
    def Get(self, value, context): ...

class Foreign(Ordered):
    def Get(self, value, context): ...

@dataclass
class Wrapped:
    def Get(self, value, context): ...

class Named:
    service_name = os.environ.get("NAME")

    def Get(self, value, context): ...

if os.name == "posix":
    class Sometimes:
        def Get(self, value, context): ...

made = Plain()
first, (second, *others) = 1, (2, 3)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop_handlers.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(
    ("attribute", "name", "methods"),
    [
        ("Orders", "shop.v1.Orders", {"Cancel", "Create", "Count"}),
        ("Plain", "Plain", {"Get"}),
    ],
)
def test_a_class_is_the_service_that_its_text_says(
    shop: Path, attribute: str, name: str, methods: set[str]
) -> None:
    found = written_service(f"{shop}:{attribute}")
    assert found is not None
    assert (found.name, found.methods) == (name, methods)


@pytest.mark.parametrize(
    "attribute", ["Foreign", "Wrapped", "Named", "Sometimes", "made", "Nobody", "Orders.Create"]
)
def test_what_the_text_alone_does_not_tell_is_left_open(shop: Path, attribute: str) -> None:
    assert written_service(f"{shop}:{attribute}") is None


def test_names_that_may_be_methods_are_kept_apart(shop: Path) -> None:
    found = written_service(f"{shop}:Orders")
    assert found is not None
    assert found.others == {"limit", "service_name"}


@pytest.mark.parametrize(
    "name", ["Orders", "Sometimes", "made", "second", "others", "Ordered", "os", "__name__"]
)
def test_a_name_that_a_module_has_is_not_missed(shop: Path, name: str) -> None:
    assert names_without(f"{shop}:{name}") is None


def test_a_name_that_a_module_lacks_is_missed(shop: Path) -> None:
    names = names_without(f"{shop}:Ordres")
    assert names is not None
    assert {"Orders", "Plain", "made"} <= set(names)


@pytest.mark.parametrize(
    "text",
    [
        "from os.path import *\n",
        "def __getattr__(name): return 1\n",
        "globals()['Orders'] = 1\n",
        "def late():\n    global Orders\n    Orders = 1\n",
        "class Orders(:\n",
        "try:\n    import Orders\nexcept ImportError as Other:\n    pass\n",
    ],
)
def test_a_module_that_may_have_any_name_lacks_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "open_handlers.py"
    path.write_text(text)
    assert names_without(f"{path}:Orders") is None


def test_modules_are_found_as_python_finds_them(shop: Path, monkeypatch, tmp_path: Path) -> None:
    package = tmp_path / "shop_package"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "__init__.py").write_text("")
    (package / "deep" / "handlers.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)

    assert written_service("shop_package.deep.handlers:Plain") is not None
    assert written_service(f"{tmp_path}:shop_handlers:Plain") is not None
    assert names_without("shop_package.deep.handlers:Nope") is not None
    # A part of a package may have been imported by somebody.
    assert names_without("shop_package:deep") is None
    # Nobody finds it now; the run may, or tells.
    assert names_without("no_such_shop.handlers:Plain") is None


def test_a_module_that_was_imported_has_what_it_has_now(shop: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(shop.parent)
    import shop_handlers  # type: ignore[import-not-found]

    assert names_without("shop_handlers:Later") is not None
    shop_handlers.Later = shop_handlers.Plain
    assert names_without("shop_handlers:Later") is None


def test_a_text_that_changed_is_read_again(shop: Path) -> None:
    assert names_without(f"{shop}:Later") is not None
    shop.write_text(dedent("class Later:\n    def Get(self, value, context): ...\n"))
    assert names_without(f"{shop}:Later") is None
