"""`${path}` leads to values and does nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from collector_harness.declared import Limits
from collector_harness.errors import InvalidInput
from collector_harness.scenario.fakes import Fakes, fake_problem
from collector_harness.scenario.matching import match
from collector_harness.scenario.model.terms import (
    MethodName,
    ServiceName,
    parse_count,
    parse_duration,
)
from collector_harness.scenario.scope import Scope
from collector_harness.scenario.values import Given, parse_path, parse_template


def _scope(**values: Any) -> Scope:
    return Scope(
        fakes=Fakes(seed=1, key="case"),
        seed=42,
        case=values.pop("case", {}),
        nodes={"hub-1": {"name": "hub-1", "address": "127.0.0.1:1", "namespaces": ["shop"]}},
        environment={"HOME": "/home/me"},
        captures=values,
    )


@pytest.mark.parametrize(
    ("text", "root", "parts"),
    [
        ("a", "a", ()),
        (" a ", "a", ()),
        ("case.status", "case", ("status",)),
        ("items[0].sku", "items", (0, "sku")),
        ("items.0.sku", "items", ("0", "sku")),
        ("node.hub-1.address", "node", ("hub-1", "address")),
        ('n["shop/Probe.Echo"][2]', "n", ("shop/Probe.Echo", 2)),
        ("reply.output.@type", "reply", ("output", "@type")),
    ],
)
def test_a_path_is_names_indexes_and_odd_keys(
    text: str, root: str, parts: tuple[str | int, ...]
) -> None:
    path = parse_path(text)
    assert (path.root, path.parts) == (root, parts)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a + b", "a()", "a.b()", "a..b", ".a", "1a", "a[b]", "a[-1]", "a.__class__()"],
)
def test_whatever_is_more_than_a_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a path|a path is missing"):
        parse_path(text)


def test_a_template_holds_texts_and_paths() -> None:
    template = parse_template("a-${x}-$${y}-${z.w}")
    assert [str(part) for part in template.parts] == ["a-", "x", "-${y}-", "z.w"]
    assert template.whole is None
    assert str(parse_template("${x}").whole) == "x"


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("plain", "plain"),
        ("$5 and $x", "$5 and $x"),
        ("${n}", 7),
        ("n=${n}", "n=7"),
        ("${flag}${n}", "true7"),
        ("${items}", [{"sku": "A1"}]),
        ("${items[0].sku}!", "A1!"),
        ("$${n}", "${n}"),
        ("$${n} ${n}", "${n} 7"),
        ({"a": ["${n}", {"b": "${flag}"}]}, {"a": [7, {"b": True}]}),
        ({"${name}-id": 1}, {"ada-id": 1}),
        ({"$$ref": "x"}, {"$ref": "x"}),
        ({"$${x}": 1}, {"${x}": 1}),
        ({"$base64": "AAE="}, b"\x00\x01"),
        ("${node.hub-1.address}", "127.0.0.1:1"),
        ("${node.hub-1.namespaces}", ["shop"]),
        ("${env.HOME}", "/home/me"),
        ("${seed}", 42),
        ("${nothing}", None),
        (5, 5),
        (None, None),
    ],
)
def test_a_payload_is_filled(value: object, filled: object) -> None:
    scope = _scope(n=7, flag=True, items=[{"sku": "A1"}], name="ada", nothing=None)
    result = scope.fill(value)
    assert result == filled
    assert type(result) is type(filled)


def test_a_captured_payload_stays_as_it_is_and_one_of_a_case_is_read() -> None:
    looks_special = {"$base64": "AAE="}
    scope = _scope(case={"payload": looks_special}, captured=looks_special)
    assert scope.fill("${case.payload}") == b"\x00\x01"
    assert scope.fill("${captured}") == looks_special


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${winer}", "nothing was saved as 'winer'"),
        ("${items[3]}", "'items' is a list of 1"),
        ("${items[0].sku.x}", r"'items\[0\].sku' is a value of type str"),
        ("${items.sku}", "'items' is a value of type list"),
        ("${reply.outputs}", "'reply' is a mapping with the keys output"),
        ("${env.NOT_SET_ANYWHERE}", "the environment variable 'NOT_SET_ANYWHERE' is not set"),
        ("x${items}", "a list or a mapping cannot stand inside text"),
        ("${items.__class__}", "leads nowhere"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(text: str, message: str) -> None:
    scope = _scope(items=[{"sku": "A1"}], reply={"output": 1}, winner="b")
    with pytest.raises(InvalidInput, match=message):
        scope.fill(text)


def test_a_capture_is_data_in_an_expectation() -> None:
    scope = _scope(answer={"$any": True}, text="a.c", several=[{"$any": True}])
    assert scope.expectation("${answer}") == Given(value={"$any": True})
    assert match(scope.expectation({"output": "${answer}"}), {"output": 5})
    assert match(scope.expectation({"$in": "${several}"}), 5)
    assert match(scope.expectation({"$regex": "^${text}$"}), "abc")
    assert match(scope.expectation({"$regex": "${text}"}), "abc")
    assert not match(scope.expectation({"$regex": "^${text}$"}), "a.c")


def test_a_case_may_bring_matchers() -> None:
    scope = _scope(case={"status": {"$in": ["OK", "NOT_FOUND"]}, "pattern": "a.c"})
    assert not match(scope.expectation({"status": "${case.status}"}), {"status": "OK"})
    assert match(scope.expectation({"status": "${case.status}"}), {"status": "INTERNAL"})
    assert not match(scope.expectation({"$regex": "${case.pattern}"}), "abc")


def test_an_escaped_path_is_literal_in_an_expectation_too() -> None:
    assert not match(_scope().expectation({"a": "$${x}", "$$ref": 1}), {"a": "${x}", "$ref": 1})


def test_an_item_belongs_to_its_round_and_captures_to_the_case() -> None:
    scope = _scope()
    first, second = scope.child("a", item={"sku": 1}, index=0), scope.child("b", item="x", index=1)
    assert (first.fill("${item.sku}"), second.fill("${item}-${index}")) == (1, "x-1")
    first.save("kept", 5)
    assert second.fill("${kept}") == 5
    assert second.child("inner").fill("${index}") == 1
    with pytest.raises(InvalidInput, match="nothing was saved as 'item'"):
        scope.fill("${item}")


def test_terms_may_be_paths() -> None:
    scope = _scope(case={"limit": "250ms", "n": 3, "method": "Echo", "whole": "shop/a.B.C"})
    assert scope.duration(parse_template("${case.limit}")) == timedelta(milliseconds=250)
    assert scope.count(parse_template("${case.n}")) == 3
    assert str(scope.method(MethodName.parse("shop/a.Probe.${case.method}"))) == "shop/a.Probe.Echo"
    assert scope.method(parse_template("${case.whole}")) == MethodName(
        namespace="shop", service="a.B", method="C"
    )
    with pytest.raises(
        InvalidInput, match=r"'\$\{case.n\}' became a wrong value: '3' is not a dur"
    ):
        scope.duration(parse_template("${case.n}"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("shop/Probe.Echo", ("shop", "Probe", "Echo")),
        ("shop/a.b.Probe.Echo", ("shop", "a.b.Probe", "Echo")),
        ("shop/Probe.${case.method}", ("shop", "Probe", "${case.method}")),
        ("${case.ns}/${case.svc}.${case.m}", ("${case.ns}", "${case.svc}", "${case.m}")),
        ({"namespace": "a/b", "service": "", "method": None}, ("a/b", "", None)),
    ],
)
def test_a_method_has_a_namespace_a_service_and_a_name(
    text: object, parts: tuple[str | None, ...]
) -> None:
    name = MethodName.parse(text)
    assert (name.namespace, name.service, name.method) == parts


@pytest.mark.parametrize(
    "text",
    ["Probe.Echo", "shop/Echo", "shop/Probe.", "/Probe.Echo", "shop/.Echo", "a/b/C.D", "", 7, {}],
)
def test_what_is_no_method_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        MethodName.parse(text)


def test_a_service_may_hold_dots() -> None:
    assert ServiceName.parse("shop/a.b.C") == ServiceName(namespace="shop", service="a.b.C")


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("1s", 1), ("1.5s", 1.5), ("2m", 120), ("24h", 86400)]
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", [5, "5", "0s", "-1s", "25h", "1 s", "1d", "", None, "9" * 400 + "h"]
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|not between"):
        parse_duration(value)


@pytest.mark.parametrize("value", [0, -1, 100_001, True, "3", 1.0, None])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"whole number|not between"):
        parse_count(value)


def test_fakes_depend_on_seed_case_and_step_and_on_nothing_else() -> None:
    def drawn(seed: int, key: str, before: int = 0) -> list[object]:
        for _ in range(before):
            Fakes(seed=9, key="another").draw("sentence")
        fakes = Fakes(seed=seed, key="case").child(key)
        return [fakes.draw("sentence"), fakes.draw("sentence"), fakes.draw("user_name")]

    assert drawn(1, "2.1") == drawn(1, "2.1", before=3)
    assert drawn(1, "2.1")[0] != drawn(1, "2.1")[1]
    assert drawn(1, "2.1") != drawn(1, "2.2")
    assert drawn(1, "2.1") != drawn(2, "2.1")


@pytest.mark.parametrize("name", ["date_object", "pydecimal", "uuid4", "profile", "random_int"])
def test_a_fake_is_a_json_value(name: str) -> None:
    import json

    json.dumps(Fakes(seed=1, key="k").draw(name))


@pytest.mark.parametrize("name", ["sentense", "__class__", "_select_factory", "seed_instance", ""])
def test_a_fake_that_does_not_exist_is_told(name: str) -> None:
    problem = fake_problem(name)
    assert problem is not None
    with pytest.raises(InvalidInput, match="there is no fake"):
        Fakes(seed=1, key="k").draw(name)
    assert name != "sentense" or problem.hint == "did you mean 'sentence'?"


def test_a_limit_is_a_number_or_a_duration() -> None:
    scope = _scope()
    assert scope.fill("${limit.connections}") == 10_000
    assert scope.fill("in ${limit.cache_life}") == "in 10s"
    assert scope.duration(parse_template("${limit.forward}")) == timedelta(seconds=20)
    assert Limits(ready=timedelta(milliseconds=1500)).as_values()["ready"] == "1500ms"
