from __future__ import annotations

import pytest

from collector_reference.dispatch.routing import (
    Failure,
    Local,
    Next,
    Peers,
    Refused,
    Target,
    after_answer,
    choose,
    incomplete,
    no_candidate,
    shared,
    unreachable_target,
)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (("", "", "", ""), "namespace is required"),
        (("", "S", "M", "other"), "namespace is required"),
        (("ns", "", "", ""), "service is required"),
        (("ns", "", "M", "other"), "service is required"),
        (("ns", "S", "", "other"), "method_name is required"),
        (("ns", "S", "M", "other"), "service.namespace 'other' contradicts namespace 'ns'"),
    ],
)
def test_what_a_request_lacks_is_told_in_order(request_, text):
    """SRV-002, SRV-014"""
    assert incomplete(*request_) == Failure(400, text)


@pytest.mark.parametrize("service_namespace", ["", "ns"])
def test_a_whole_request_lacks_nothing(service_namespace):
    assert incomplete("ns", "S", "M", service_namespace) is None


@pytest.mark.parametrize(
    ("target", "has_handler", "target_namespaces", "choice"),
    [
        ("", True, None, Local()),
        ("", False, None, Peers()),
        ("west", True, None, Local()),
        ("west", False, None, Local()),
        ("east", True, {"ns"}, Target()),
        ("east", False, {"ns", "other"}, Target()),
        (
            "east",
            True,
            {"other"},
            Refused(Failure(404, "namespace 'ns' is not shared with collector 'east'")),
        ),
        (
            "east",
            True,
            set(),
            Refused(Failure(404, "namespace 'ns' is not shared with collector 'east'")),
        ),
        ("east", True, None, Refused(Failure(404, "no connection to collector 'east'"))),
    ],
)
def test_a_request_goes_where_its_target_or_its_handler_is(
    target, has_handler, target_namespaces, choice
):
    """DSP-001 to DSP-007, DSP-013"""
    assert (
        choose(
            namespace="ns",
            target=target,
            own_id="west",
            has_handler=has_handler,
            target_namespaces=target_namespaces,
        )
        == choice
    )


@pytest.mark.parametrize("code", [404, 501, 4, 11])
def test_a_peer_at_which_nothing_ran_is_skipped(code):
    """DSP-011"""
    assert after_answer(code) is Next.SKIP


@pytest.mark.parametrize("code", [200, 0, 400, 403, 409, 429, 500, 503, 504, 299, 7777, 13])
def test_any_other_answer_is_the_answer(code):
    """DSP-009, DSP-010"""
    assert after_answer(code) is Next.ANSWER


def test_shared_namespaces_are_those_of_both_each_once_in_the_order_offered():
    """CON-002, CON-003"""
    assert shared(["c", "a", "c", "x", "b", "a"], {"a", "b", "c"}) == ("c", "a", "b")
    assert shared([], {"a"}) == ()


def test_texts_of_routing_failures():
    assert no_candidate("ns") == Failure(404, "no collector found for namespace 'ns'")
    assert unreachable_target("east") == Failure(503, "collector 'east' cannot be reached")
