"""What is sent is held against the types that are known, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import load_scenario


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the descriptors of a shop: products have a name, a kind and a maker."""
    files = FileDescriptorSet()
    file = files.file.add(name="shop.proto", package="shop", syntax="proto3")
    kinds = file.enum_type.add(name="Kind")
    for number, name in enumerate(["KIND_UNKNOWN", "KIND_TEA", "KIND_CUP"]):
        kinds.value.add(name=name, number=number)
    maker = file.message_type.add(name="Maker")
    maker.field.add(name="full_name", number=1, type=9, label=1)
    product = file.message_type.add(name="Product")
    product.field.add(name="name", number=1, type=9, label=1)
    product.field.add(name="kind", number=2, type=14, type_name=".shop.Kind", label=1)
    product.field.add(name="makers", number=3, type=11, type_name=".shop.Maker", label=3)
    product.field.add(name="sold_out", number=4, type=8, label=1)
    service = file.service.add(name="Catalogue")
    service.method.add(name="Get", input_type=".shop.Product", output_type=".shop.Product")
    (tmp_path / "shop.binpb").write_bytes(files.SerializeToString())
    return tmp_path


def _problems(folder: Path, step: str) -> list[str]:
    path = folder / "s.scenario.yaml"
    path.write_text(
        "version: 1\nscenario: t\n"
        "topology: {nodes: {hub: {namespaces: [shop], probe: [shop]}}}\n"
        'services: {shop: {address: "127.0.0.1:1", protos: [shop.binpb]}}\n'
        f"steps:\n  - {step}\n"
    )
    try:
        load_scenario(path)
    except InvalidInput as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("step", "message", "hint"),
    [
        ("input: {nam: tea}", "Product has no field 'nam'", "did you mean 'name'?"),
        ("input: {kind: KIND_TEE}", "Kind has no value 'KIND_TEE'", "did you mean 'KIND_TEA'?"),
        ("input: {makers: [{fullname: x}]}", "Maker has no field 'fullname'", "'full_name'?"),
        ("input: {name: 7}", "the field 'name' takes text, not 7", "put it in quotes"),
        ("input: {sold_out: 'no'}", "takes true or false, not 'no'", ""),
    ],
)
def test_a_request_that_does_not_fit_is_told(
    folder: Path, step: str, message: str, hint: str
) -> None:
    (problem,) = _problems(folder, f"call: shop.Catalogue/Get\n    via: shop\n    {step}")
    assert message in problem
    assert hint in problem
    assert ":8:" in problem


def test_a_method_that_the_descriptors_do_not_have_is_told(folder: Path) -> None:
    (problem,) = _problems(folder, "call: shop.Catalogue/Gte\n    via: shop")
    assert "the service 'shop.Catalogue' has no method 'Gte'" in problem
    assert "did you mean 'Get'?" in problem


def test_what_fits_and_what_is_known_later_is_not_told(folder: Path) -> None:
    fits = "{name: tea, kind: 1, makers: [{fullName: x}, {full_name: '${seed}'}], sold_out: true}"
    for step in (
        f"call: shop.Catalogue/Get\n    via: shop\n    input: {fits}",
        "call: shop.Catalogue/Get\n    via: shop\n    input: '${env.HOME}'",
        "call: shop.Catalogue/Nope\n    via: shop\n    input: {$base64: ''}",
        "call: other.Service/Get\n    via: shop\n    input: {anything: 1}",
        "call: shop.Catalogue/Get\n    via: hub\n    input: {nam: told by reflection or not}",
    ):
        assert _problems(folder, step) == []


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        (
            "{'@type': type.googleapis.com/google.protobuf.Duratoin, value: 1s}",
            "the message type 'google.protobuf.Duratoin' is not known",
            "did you mean 'google.protobuf.Duration'?",
        ),
        (
            "{'@type': type.googleapis.com/collector.ListServicesRequest, namespce: x}",
            "ListServicesRequest has no field 'namespce'",
            "did you mean 'namespace'?",
        ),
    ],
)
def test_an_input_of_a_named_type_is_checked(
    folder: Path, written: str, message: str, hint: str
) -> None:
    step = f"dispatch: shop/conformance.Probe.Echo\n    via: hub\n    input: {written}"
    (problem,) = _problems(folder, step)
    assert message in problem
    assert hint in problem


def test_the_contract_is_checked_below_the_first_level(folder: Path) -> None:
    step = (
        "call: collector.CollectiveDispatcher/Serve\n    via: hub\n"
        "    input: {namespace: shop, service: {service_nam: x}}"
    )
    (problem,) = _problems(folder, step)
    assert "ServiceTypeRef has no field 'service_nam'" in problem


@pytest.mark.parametrize(
    ("step", "message", "hint"),
    [
        ("save: {x: output.nmae}", "type Product has no field 'nmae'", "did you mean 'name'?"),
        ("save: {x: 'response.makers[0].name'}", "type Maker has no field 'name'", "full_name"),
        ("expect: {response: {soldOut: true}}", "has no field 'soldOut'", "'sold_out'?"),
        ("expect: {output: {makers: [{fullname: x}]}}", "Maker has no field 'fullname'", "full_"),
    ],
)
def test_a_field_that_no_response_has_is_told(
    folder: Path, step: str, message: str, hint: str
) -> None:
    (problem,) = _problems(folder, f"call: shop.Catalogue/Get\n    via: shop\n    {step}")
    assert message in problem
    assert hint in problem
    assert ":8:" in problem


def test_fields_of_a_response_that_may_be_are_not_told(folder: Path) -> None:
    for step in (
        "save: {x: 'output.makers[0].full_name', y: response, z: output.kind, s: status}",
        "expect: {output: {nope: {$absent: true}, makers: {$len: 1}, name: {$any: true}}}",
        "expect: {output: {makers: {$contains: {full_name: x}}}, response: {$any: true}}",
        "expect: {output: '${env.HOME}'}",
    ):
        assert _problems(folder, f"call: shop.Catalogue/Get\n    via: shop\n    {step}") == []


def test_what_a_stream_receives_is_checked_by_its_type(folder: Path) -> None:
    script = "script: [{send: {name: x}}, {half_close: true}, {receive: {nmae: x}}]"
    (problem,) = _problems(folder, f"stream: shop.Catalogue/Get\n    via: shop\n    {script}")
    assert "a response of type Product has no field 'nmae'" in problem
    assert "did you mean 'name'?" in problem
    saved = "script: []\n    save: {x: 'messages[0].nmae'}"
    (problem,) = _problems(folder, f"stream: shop.Catalogue/Get\n    via: shop\n    {saved}")
    assert "has no field 'nmae'" in problem


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("proto: {name: a.proto, mesage_type: [{name: Order}]}", "no field 'mesage_type'"),
        ("descriptor: {name: Till, method: [{nam: Pay}]}", "no field 'nam'"),
        ("service: Till, methods: [Pay, {name: Watch, streaming: true}]", "no field 'streaming'"),
        ("proto: {name: a.proto, message_type: [{field: [{type: INT}]}]}", "no value 'INT'"),
    ],
)
def test_what_is_registered_is_checked(folder: Path, record: str, message: str) -> None:
    (problem,) = _problems(folder, f"register: {{namespace: shop, {record}}}\n    via: hub")
    assert message in problem
