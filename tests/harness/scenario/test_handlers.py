"""A misspelt handler, service or method of a node's own is told when the file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import load_scenario

SOURCE = """\
class OrderService:
    def Create(self, order, context):
        return order

    def Cancel(self, order, context):
        return order
"""

TEXT = """\
version: 1
scenario: t
topology:
  nodes:
    west: {{namespaces: [orders, users]}}
    east: {{namespaces: [orders], serves: {{orders: ["handlers.py:{attribute}"]}}}}
    {more}
  links: [west -> east]
services:
  web: {{python: "handlers.py:{factory}", protocol: http}}
steps:
  - {{dispatch: {method}, via: west, expect: {{status: {status}}}}}
  {step}
"""


@pytest.fixture
def problems(tmp_path: Path):
    (tmp_path / "handlers.py").write_text(SOURCE)

    def problems(**changed: str) -> list[tuple[str, str | None, str]]:
        """Each problem with its hint, and the text from its place on."""
        written = {
            "attribute": "OrderService",
            "factory": "OrderService",
            "method": "orders/OrderService.Create",
            "status": "OK",
            "more": "far: {}",
            "step": "",
        }
        path = tmp_path / "t.scenario.yaml"
        path.write_text(TEXT.format(**{**written, **changed}))
        try:
            load_scenario(path)
        except InvalidInput as error:
            return [
                (each.message, each.hint, each.position.text[each.position.column - 1 :])
                for each in error.problems
                if each.position is not None
            ]
        return []

    return problems


def test_what_is_right_is_not_told(problems) -> None:
    assert problems() == []


def test_a_class_that_the_module_does_not_have_is_told_at_its_place(problems, tmp_path) -> None:
    (problem,) = problems(attribute="OrderServce")
    message, hint, text = problem
    file = tmp_path / "handlers.py"
    assert message == (
        f"the handlers of namespace 'orders' on node 'east' cannot be imported: '{file}' has no "
        "'OrderServce'"
    )
    assert hint == "did you mean 'OrderService'?"
    assert text.startswith('"handlers.py:OrderServce"')


def test_a_factory_that_the_module_does_not_have_is_told_too(problems) -> None:
    (problem,) = problems(factory="create")
    assert problem[0].startswith("service 'web' cannot be imported: ")
    assert problem[1] == "it has: OrderService"
    assert problem[2].startswith('"handlers.py:create"')


@pytest.mark.parametrize(
    ("method", "message", "hint"),
    [
        (
            "orders/OrderService.Craete",
            "the service 'OrderService' has no method 'Craete'",
            "did you mean 'Create'?",
        ),
        (
            "orders/OrderService.Refund",
            "the service 'OrderService' has no method 'Refund'",
            "its methods are: Cancel, Create",
        ),
        (
            "orders/OrdersService.Create",
            "nobody serves 'OrdersService' in the namespace 'orders'",
            "did you mean 'OrderService'?",
        ),
    ],
)
def test_a_service_or_method_that_no_handler_has_is_told(
    problems, method: str, message: str, hint: str
) -> None:
    (problem,) = problems(method=method)
    assert problem[:2] == (f"{message}, and the call is expected to go well", hint)
    assert problem[2].startswith(method)


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "NOT_FOUND"},
        # Registered meanwhile, another program, what stands behind a collector, what a peer plays.
        {
            "step": "- register: {namespace: orders, service: OrderService, methods: [Craete]}\n"
            "    via: west"
        },
        {"more": "far: {namespaces: [orders], collector: 'exec:far'}"},
        {"more": "far: {namespaces: [orders], environment: {COLLECTOR_BACKENDS: x}}"},
        {"more": "far: {namespaces: [orders], serves: {orders: ['os:environ']}}"},
    ],
)
def test_what_may_be_known_to_somebody_is_left_to_the_run(problems, changed) -> None:
    assert problems(method="orders/OrderService.Craete", **changed) == []


def test_services_that_resemble_nothing_are_left_to_the_run(problems) -> None:
    assert problems(method="orders/Billing.Charge") == []


REGISTER = (
    "- register: {namespace: orders, service: Cart, methods: [Add, {name: Watch}]}\n    via: west\n"
    "  - register: {namespace: orders, descriptor: {name: Till, method: [{name: Pay}]}}\n"
    "    via: west\n  - "
)


@pytest.mark.parametrize(
    ("step", "message", "hint"),
    [
        (
            "{lookup: orders/Crat, via: west}",
            "nobody registers 'Crat' in the namespace 'orders'",
            "did you mean 'Cart'?",
        ),
        (
            "{validate: orders/Cart.Wacth, via: west, expect: {response: {is_valid: true}}}",
            "the service 'Cart' is registered without a method 'Wacth'",
            "did you mean 'Watch'?",
        ),
        (
            "{validate: orders/Till.Refund, via: west, expect: {response: {is_valid: true}}}",
            "the service 'Till' is registered without a method 'Refund'",
            "its methods are: Pay",
        ),
    ],
)
def test_what_is_registered_under_another_name_is_told(
    problems, step: str, message: str, hint: str
) -> None:
    (problem,) = problems(step=REGISTER + step)
    assert problem[:2] == (f"{message}, and it is expected to be there", hint)


@pytest.mark.parametrize(
    "step",
    [
        "{lookup: orders/Cart, via: west}",
        "{lookup: orders/Crat, via: west, expect: {status: NOT_FOUND}}",
        "{lookup: orders/Ledger, via: west}",
        "{lookup: users/Crat, via: west}",
        "{validate: orders/Cart.Wacth, via: west}",
        "{validate: orders/Cart.Watch, via: west, expect: {response: {is_valid: true}}}",
        "{validate: orders/Cart.Nope, via: west, expect: {response: {is_valid: false}}}",
        """{register: {namespace: orders, service: '${seed}'}, via: west}
  - {lookup: orders/Crat, via: west}""",
    ],
)
def test_what_may_be_registered_is_left_to_the_run(problems, step: str) -> None:
    assert problems(step=REGISTER + step) == []
