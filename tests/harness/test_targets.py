"""A target is parsed once, and a text that is none says what it should have been."""

from __future__ import annotations

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.targets import (
    REFERENCE_PROCESS,
    AttachTarget,
    ExecTarget,
    PythonTarget,
    Reference,
    Target,
    parse_target,
)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("reference", Reference()),
        ("  reference ", Reference()),
        ("process:reference", REFERENCE_PROCESS),
        ("exec:./collector", ExecTarget(command=("./collector",))),
        (
            "exec:node 'my collector.js' --port=0",
            ExecTarget(command=("node", "my collector.js", "--port=0")),
        ),
        (
            "exec:{executable} -m x:y",
            ExecTarget(command=("{executable}", "-m", "x:y")),
        ),
        ("attach:127.0.0.1:50051", AttachTarget(host="127.0.0.1", port=50051)),
        ("attach:collector.internal:1", AttachTarget(host="collector.internal", port=1)),
        ("attach:[::1]:50051", AttachTarget(host="::1", port=50051)),
        ("python:my.collectors:make", PythonTarget(module="my.collectors", factory="make")),
    ],
)
def test_a_target_is_parsed_into_a_value(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "reference",
        "process:reference",
        "exec:node 'a b.js'",
        "attach:[::1]:5",
        "attach:h:5",
        "python:a.b:c",
    ],
)
def test_a_target_prints_as_it_is_written(text: str) -> None:
    assert str(parse_target(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a target"),
        ("referense", r"did you mean 'reference'\?"),
        ("proces:reference", r"did you mean 'process'\?"),
        ("process:refrence", r"did you mean 'process:reference'\?"),
        ("process", r"did you mean 'process:reference'\?"),
        ("exce:./collector", r"did you mean 'exec'\?"),
        ("reference:x", "is not a target"),
        ("exec:", "names no command"),
        ("exec:   ", "names no command"),
        ("exec:a 'b", "cannot be split"),
        ("exec:a\0b", "NUL"),
        ("attach:50051", "no valid address"),
        ("attach::50051", "no valid address"),
        ("attach:localhost", "no valid address"),
        ("attach:localhost:0", "no valid address"),
        ("attach:localhost:65536", "no valid address"),
        ("attach:localhost:99999999999999999999", "no valid address"),
        ("attach:localhost:٣", "no valid address"),
        ("attach:a b:1", "no valid address"),
        ("attach:::1:50051", "in brackets"),
        ("attach:[localhost]:50051", "no valid address"),
        ("attach:[127.0.0.1]:50051", "no valid address"),
        ("python:module", "names no factory"),
        ("python:a-b:c", "names no factory"),
    ],
)
def test_what_is_no_target_says_why(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_target(text)


def test_an_ipv6_target_is_dialled_with_brackets() -> None:
    target = parse_target("attach:[::1]:50051")
    assert isinstance(target, AttachTarget)
    assert target.address == "[::1]:50051"
