"""The steps that ask a registry: register, validate, lookup and list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector_harness.errors import InvalidInput

Run = Callable[..., Any]
Write = Callable[..., str]


def test_a_service_is_registered_by_the_names_of_its_methods(run_all: Run, alone: Write) -> None:
    steps = """\
    - register: {namespace: shop, service: Cart, methods: [Add, "${case.second}"]}
      expect: {layer: in-band, response: {service_id: shop/Cart, registered_methods: [Add, Drop]}}
    - lookup: shop/Cart
      expect:
        layer: in-band
        response:
          service:
            method_names: [Add, Drop]
            service_descriptor:
              method:
                - name: Add
                  input_type: .google.protobuf.Any
                  output_type: .google.protobuf.Any
                - {name: Drop}
    - validate: shop/Cart.Drop
      expect: {response: {is_valid: true}}
    - validate: shop/Cart.Lost
      expect: {status: NOT_FOUND, response: {is_valid: false}}
    - lookup: shop/Trolley
      expect: {status: NOT_FOUND, layer: in-band, response: {service: {$absent: true}}}
    - list: shop
      expect:
        response:
          services: {$unordered: [{service_name: Cart}, {service_name: conformance.Probe}]}
    - list: ""
      expect: {response: {services: {$contains: {service_name: collector.CollectorRegistry}}}}
    - list: nowhere
      expect: {output: {services: []}}
    """
    assert run_all(alone(steps, rest="cases: {c: {second: Drop}}\n")).passed()


def test_methods_may_be_whole_descriptors(run_all: Run, alone: Write) -> None:
    steps = """\
    - register:
        namespace: shop
        service: Feed
        methods: [Read, {name: Watch, server_streaming: true, input_type: .a.In}]
    - lookup: {namespace: shop, service: Feed}
      expect:
        response:
          service:
            service_descriptor:
              method: [{name: Read}, {name: Watch, server_streaming: true, input_type: .a.In}]
    """
    assert run_all(alone(steps)).passed()


def test_a_service_may_be_a_whole_descriptor(run_all: Run, alone: Write) -> None:
    steps = """\
    - register:
        namespace: shop
        descriptor: {name: my.Till, method: [{name: "${case.method}", clientStreaming: true}]}
      expect: {response: {service_id: shop/my.Till, registered_methods: [Pay]}}
    - lookup: shop/my.Till
      expect:
        response: {service: {service_descriptor: {method: [{name: Pay, client_streaming: true}]}}}
    """
    assert run_all(alone(steps, rest="cases: {c: {method: Pay}}\n")).passed()


def test_a_proto_is_registered_by_its_file(run_all: Run, alone: Write) -> None:
    steps = """\
    - register: {namespace: shop, proto: {name: shop.proto, message_type: [{name: B}, {name: A}]}}
      expect: {response: {proto_id: shop/shop.proto, registered_messages: [B, A]}}
    - register: {namespace: shop, proto: {name: shop.proto}}
      expect: {status: ALREADY_EXISTS, layer: grpc}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert {call.rpc for call in ran.calls} == {"/collector.CollectorRegistry/RegisterProto"}


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ("{namespace: shop}", "service_descriptor"),
        ("{service: Cart}", "namespace"),
        ('{namespace: "", service: Cart}', "namespace"),
        ('{namespace: shop, service: ""}', "service_descriptor.name"),
        ("{namespace: shop, methods: [Add]}", "service_descriptor.name"),
        ("{namespace: shop, proto: {}}", "file_descriptor.name"),
    ],
)
def test_what_a_registry_must_refuse_can_be_sent(
    run_all: Run, alone: Write, record: str, key: str
) -> None:
    """A missing namespace, descriptor or name is the registry's to refuse (REG-002)."""
    ran = run_all(
        alone(f"- register: {record}\n  expect: {{status: INVALID_ARGUMENT, layer: grpc}}\n")
    )
    assert ran.passed()
    sent: Any = ran.calls[0].request
    *parents, last = key.split(".")
    for parent in parents:
        assert parent in sent
        sent = sent[parent]
    assert not sent.get(last)


def test_a_descriptor_that_is_none_is_told_before_anything_runs(run_all: Run, alone: Write) -> None:
    with pytest.raises(InvalidInput, match="ServiceDescriptorProto has no field 'nmae'") as raised:
        run_all(alone("- register: {namespace: shop, descriptor: {nmae: Cart}}\n"))
    assert "did you mean 'name'?" in str(raised.value)


def test_registrations_at_the_same_time_are_one(run_all: Run, alone: Write) -> None:
    steps = """\
    - parallel: 8
      register: {namespace: shop, service: Race, methods: [Run]}
      expect:
        all: {status: {$in: [OK, ALREADY_EXISTS]}}
        counts: {status: {OK: 1, ALREADY_EXISTS: 7}}
    """
    assert run_all(alone(steps)).passed()


def test_thousands_of_services_are_registered_by_one_step(run_all: Run, alone: Write) -> None:
    steps = """\
    - register: {namespace: crowd, services: 1500}
      expect: {status: OK, response: {service_id: crowd/s1500, registered_methods: []}}
    - list: crowd
      expect: {response: {services: {$len: 1500, $contains: {service_name: s1}}}}
    - lookup: crowd/s1500
    - lookup: crowd/s1501
      expect: {status: NOT_FOUND}
    """
    assert run_all(alone(steps)).passed()


def test_of_many_registrations_the_first_that_is_refused_is_told(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - register: {namespace: crowd, service: s3}
    - register: {namespace: crowd, services: 500}
      expect: {status: ALREADY_EXISTS, layer: grpc, message: {$contains: crowd/s3}}
    - register: {namespace: "", services: 5}
      expect: {status: INVALID_ARGUMENT}
    - lookup: crowd/s500
      expect: {status: NOT_FOUND}
    """
    assert run_all(alone(steps)).passed()


def test_of_very_many_registrations_the_first_that_is_refused_is_told(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - register: {namespace: crowd, service: s1500}
    - register: {namespace: crowd, services: 2000}
      expect: {status: ALREADY_EXISTS, layer: grpc, message: {$contains: crowd/s1500}}
    - lookup: crowd/s1499
    - lookup: crowd/s2000
      expect: {status: NOT_FOUND}
    - register: {namespace: system, services: 2000}
      expect: {status: PERMISSION_DENIED}
    - lookup: system/s2
      expect: {status: NOT_FOUND}
    """
    assert run_all(alone(steps)).passed()


def test_a_crowd_is_registered_once_for_all_cases_that_share_a_mesh(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - register: {namespace: crowd, services: "${case.count}", once: true}
      expect: {status: OK, response: {service_id: {$regex: crowd/s\\d+}}}
    - list: crowd
      expect: {response: {services: {$len: {$ge: "${case.count}"}}}}
    """
    cases = "isolation: shared\ncases: {a: {count: 1200}, b: {count: 1200}, c: {count: 1500}}\n"
    assert run_all(alone(steps, rest=cases)).passed()


def test_a_crowd_is_registered_again_where_a_node_was_started_anew(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - register: {namespace: crowd, services: 20, once: true}
    - stop: only
    - start: only
    - register: {namespace: crowd, services: 20, once: true}
      expect: {status: OK}
    - list: crowd
      expect: {response: {services: {$len: 20}}}
    """
    assert run_all(alone(steps)).passed()


def test_only_a_crowd_is_registered_once(run_all: Run, alone: Write) -> None:
    with pytest.raises(InvalidInput, match="once goes with services"):
        run_all(alone("- register: {namespace: shop, service: Cart, once: true}\n"))


def test_services_go_with_nothing_else_that_is_registered(run_all: Run, alone: Write) -> None:
    with pytest.raises(InvalidInput, match="one thing is registered at a time"):
        run_all(alone("- register: {namespace: crowd, services: 5, service: Cart}\n"))
