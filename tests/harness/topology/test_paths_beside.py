"""What a topology names lies in the folder of its file first, whoever runs it from wherever."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.launchers.implementations import load_attribute
from collector_harness.topology import Topology, parse_topology
from collector_harness.topology.services import Command, PythonFactory


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a topology, which is not the current one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    beside = tmp_path / "beside"
    beside.mkdir()
    return beside


@pytest.fixture
def forgotten() -> object:
    """Lets Python forget what a test imported."""
    before = set(sys.modules)
    yield None
    for name in set(sys.modules) - before:
        del sys.modules[name]


def topology(folder: Path, text: str) -> Topology:
    path = folder / "shop.yaml"
    path.write_text(text)
    return parse_topology(path)


def served(folder: Path, reference: str) -> str:
    found = topology(folder, f"nodes: {{east: {{serves: {{orders: [{reference!r}]}}}}}}\n")
    return str(found.nodes[0].serves[0].implementation)


def words(folder: Path, command: str) -> tuple[str, ...]:
    text = f"nodes: {{hub: {{}}}}\nservices: {{stock: {{command: {command!r}}}}}\n"
    start = topology(folder, text).services[0].start
    assert isinstance(start, Command)
    return start.words


def test_a_module_beside_the_file_is_the_one_that_is_meant(folder: Path, forgotten) -> None:
    Path("till_a.py").write_text("class Till: place = 'current'\n")
    (folder / "till_a.py").write_text("class Till: place = 'beside'\n")
    found = load_attribute(served(folder, "till_a:Till"), what="the handlers")
    assert found.place == "beside"
    assert str(folder) not in sys.path


def test_a_module_that_is_not_beside_is_found_from_the_current_folder(
    folder: Path, forgotten
) -> None:
    Path("till_b.py").write_text("class Till: place = 'current'\n")
    assert served(folder, "till_b:Till") == "till_b:Till"
    assert load_attribute("till_b:Till", what="the handlers").place == "current"


def test_a_package_beside_the_file_imports_its_own_parts(folder: Path, forgotten) -> None:
    (folder / "till_c").mkdir()
    (folder / "till_c/__init__.py").touch()
    (folder / "till_c/words.py").write_text("PLACE = 'a part'\n")
    (folder / "till_c/orders.py").write_text(
        "from .words import PLACE\nclass Till: place = PLACE\n"
    )
    found = load_attribute(served(folder, "till_c.orders:Till"), what="the handlers")
    assert found.place == "a part"
    assert sys.modules["till_c.orders"].Till is found


def test_two_folders_have_a_module_of_one_name_each(folder: Path, forgotten) -> None:
    found = []
    for name in ("north", "south"):
        (folder / name).mkdir()
        (folder / name / "till_d.py").write_text(f"class Till: place = {name!r}\n")
        found.append(load_attribute(served(folder / name, "till_d:Till"), what="x").place)
    assert found == ["north", "south"]


def test_a_second_package_of_a_name_is_refused_with_where_the_first_is(
    folder: Path, forgotten
) -> None:
    for name in ("north", "south"):
        (folder / name / "till_e").mkdir(parents=True)
        (folder / name / "till_e/__init__.py").write_text("class Till: pass\n")
    load_attribute(served(folder / "north", "till_e:Till"), what="the handlers")
    with pytest.raises(InvalidInput, match="another 'till_e' was imported before") as caught:
        load_attribute(served(folder / "south", "till_e:Till"), what="the handlers")
    assert str(folder / "north/till_e/__init__.py") in str(caught.value)


def test_a_module_beside_that_cannot_be_imported_says_why(folder: Path, forgotten) -> None:
    (folder / "till_f.py").write_text("import nothing_like_this\n")
    with pytest.raises(InvalidInput, match="from 'till_f:Till': its module raised Module"):
        load_attribute(served(folder, "till_f:Till"), what="the handlers")


def test_a_factory_of_a_service_is_found_as_handlers_are(folder: Path) -> None:
    (folder / "till_g.py").write_text("def create(): ...\n")
    text = "nodes: {hub: {}}\nservices: {stock: {python: till_g:create}}\n"
    start = topology(folder, text).services[0].start
    assert start == PythonFactory(reference=f"{folder}:till_g:create")


def test_words_of_a_command_that_are_files_beside_become_whole(folder: Path) -> None:
    (folder / "bin").mkdir()
    for name in ("bin/stock", "app.py", "stock"):
        (folder / name).touch()
    assert words(folder, "bin/stock --port ${port}") == (
        str(folder / "bin/stock"),
        "--port",
        "${port}",
    )
    assert words(folder, "python ./app.py app.py other.py stock /bin/true") == (
        *("python", str(folder / "app.py"), str(folder / "app.py")),
        *("other.py", "stock", "/bin/true"),
    )
    # A program without a slash is one of the search path, whatever lies beside.
    assert words(folder, "stock bin") == ("stock", "bin")


def test_a_program_that_is_not_beside_begins_at_the_current_folder(folder: Path) -> None:
    Path("stock").touch()
    assert words(folder, "./stock") == ("./stock",)


@pytest.mark.parametrize("word", ["x/" * 4_000, "a/\0b"])
def test_a_word_that_can_be_no_path_is_left_as_it_is(folder: Path, word: str) -> None:
    text = "nodes: {hub: {}}\nservices: {stock: {command: [run, %s]}}\n"
    start = topology(folder, text % repr(word).replace("'", '"')).services[0].start
    assert isinstance(start, Command)
    assert start.words[1] in (word, word.replace("\0", "\\x00"))


def test_a_collector_that_is_a_command_is_found_beside_the_file(folder: Path) -> None:
    (folder / "my collector").touch()
    text = "nodes: {hub: {collector: %r}, leaf: {collector: 'exec:./there --x'}}\n"
    nodes = topology(folder, text % "exec:'./my collector' --x 1").nodes
    assert nodes[0].collector == f"exec:'{folder}/my collector' --x 1"
    assert nodes[1].collector == "exec:./there --x"


def test_a_command_that_cannot_be_split_is_told_as_ever(folder: Path) -> None:
    text = 'nodes: {hub: {collector: "exec:./there \'x"}}\n'
    assert topology(folder, text).nodes[0].collector == "exec:./there 'x"
