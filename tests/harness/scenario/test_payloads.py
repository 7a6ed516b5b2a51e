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
    product.field.add(name="stock", number=5, type=5, label=1)
    product.field.add(name="price", number=6, type=1, label=1)
    product.field.add(name="sold", number=7, type=4, label=1)
    product.field.add(name="photo", number=8, type=12, label=1)
    product.field.add(name="main_maker", number=9, type=11, type_name=".shop.Maker", label=1)
    product.field.add(name="tags", number=10, type=9, label=3)
    product.field.add(
        name="parts", number=11, type=11, type_name=".shop.Product.PartsEntry", label=3
    )
    entry = product.nested_type.add(name="PartsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=9, label=1)
    entry.field.add(name="value", number=2, type=5, label=1)
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
        ("input: {name: {a: 1}}", "the field 'name' takes text, not a mapping", ""),
        ("input: {name: [x]}", "the field 'name' takes text, not a list", ""),
        ("input: {name: true}", "the field 'name' takes text, not true", "put it in quotes"),
        ("input: {stock: many}", "the field 'stock' takes a whole number, not 'many'", ""),
        ("input: {stock: 1.5}", "the field 'stock' takes a whole number, not 1.5", ""),
        ("input: {stock: false}", "the field 'stock' takes a whole number, not false", ""),
        ("input: {stock: 3000000000}", "takes numbers from -2147483648 to 2147483647, not", ""),
        ("input: {sold: -1}", "takes numbers from 0 to 18446744073709551615, not -1", ""),
        ("input: {price: cheap}", "the field 'price' takes a number, not 'cheap'", ""),
        ("input: {photo: 7}", "the field 'photo' takes bytes, in base64, not 7", "quotes"),
        ("input: {main_maker: Jane}", "'main_maker' takes a Maker, not 'Jane'", "full_name"),
        ("input: {tags: red}", "the field 'tags' takes a list, not 'red'", ""),
        ("input: {tags: [red, 7]}", "the field 'tags' takes text, not 7", "put it in quotes"),
        ("input: {parts: [1]}", "the field 'parts' takes a mapping, not a list", ""),
        ("input: {parts: {leaf: few}}", "'value' takes a whole number, not 'few'", ""),
        ("input: {kind: [KIND_TEA]}", "the field 'kind' takes a Kind, not a list", ""),
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
    others = (
        "{stock: '7', sold: 7, price: 1, photo: YWJj, main_maker: {}, tags: [], parts: {a: 1}, "
        "name: {$text: 7}, sold_out: null}"
    )
    fits = (
        "{name: tea, kind: 1, makers: [{fullName: x}, {full_name: '${env.HOME}'}], sold_out: true}"
    )
    for step in (
        f"call: shop.Catalogue/Get\n    via: shop\n    input: {fits}",
        f"call: shop.Catalogue/Get\n    via: shop\n    input: {others}",
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


SAVING = """\
call: shop.Catalogue/Get
    via: shop
    save: {stock: response.stock, out: output.sold_out, whole: output, s: status, code: code,
           maker: "output.makers[0].full_name", makers: output.makers, photo: output.photo,
           kind: output.kind}
  - http: GET /
    via: http://127.0.0.1:1
    save: {page: status, odd: json.id}
  - sql: select 1
    via: sqlite:x.db
    save: {rows: count, odd: "rows[0].id"}
  - lookup: shop/Cart
    via: hub
    save: {id: response.service.service_name}
  - parallel: 2
    call: shop.Catalogue/Get
    via: shop
    save: {stocks: response.stock}
  - stream: shop.Catalogue/Get
    via: shop
    script: [{receive: {}, save: {heard: stock, spoken: name, all: .}}]
    save: {messages: messages}
  - call: shop.Catalogue/Get
    via: shop
    repeat: 2
    input: """


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("{name: '${stock}'}", "takes text, and '${stock}' is a number", '{$text: "${stock}"}'),
        ("{name: '${page}'}", "takes text, and '${page}' is a number", "$text"),
        ("{name: '${rows}'}", "takes text, and '${rows}' is a number", "$text"),
        ("{name: '${index}'}", "takes text, and '${index}' is a number", "$text"),
        ("{name: '${node.hub.port}'}", "takes text, and '${node.hub.port}' is a number", "$text"),
        ("{name: '${heard}'}", "takes text, and '${heard}' is a number", "$text"),
        ("{name: '${out}'}", "takes text, and '${out}' is true or false", "$text"),
        ("{name: '${whole}'}", "takes text, and '${whole}' is a mapping", "fields: name, kind"),
        ("{name: '${stocks}'}", "takes text, and '${stocks}' is a list", '"${stocks[0]}"'),
        ("{name: '${stocks[0]}'}", "takes text, and '${stocks[0]}' is a number", "$text"),
        ("{name: '${messages[0].stock}'}", "'${messages[0].stock}' is a number", "$text"),
        ("{sold_out: '${maker}'}", "takes true or false, and '${maker}' is text", ""),
        ("{sold_out: 'not ${maker}'}", "takes true or false, and 'not ${maker}' is text", ""),
        ("{stock: '${out}'}", "takes a number, and '${out}' is true or false", ""),
        ("{main_maker: '${id}'}", "takes a mapping, and '${id}' is text", ""),
        ("{tags: '${s}'}", "takes a list, and '${s}' is text", ""),
        ("{tags: [a, '${code}']}", "takes text, and '${code}' is a number", "$text"),
    ],
)
def test_what_was_saved_and_does_not_fit_is_told(
    folder: Path, written: str, message: str, hint: str
) -> None:
    (problem,) = _problems(folder, SAVING + written)
    assert message in problem
    assert hint in problem


@pytest.mark.parametrize(
    "written",
    [
        "{name: '${s}', stock: '${stock}', sold_out: '${out}', main_maker: '${whole.makers[0]}'}",
        "{name: 'nr ${stock}', tags: ['${maker}', '${id}'], makers: '${makers}'}",
        "{name: {$text: '${stock}'}, price: '${page}', stock: '${s}', kind: '${kind}'}",
        # Saved by steps that nobody knows the types of, or by several in different ways.
        "{name: '${odd}', sold_out: '${odd}', photo: '${photo}'}",
        "{name: '${spoken}', main_maker: '${all.main_maker}', name: '${service.shop.address}'}",
    ],
)
def test_what_was_saved_and_may_fit_is_not_told(folder: Path, written: str) -> None:
    written = written.replace(", name: '${service.shop.address}'", "")
    assert _problems(folder, SAVING + written) == []


def test_values_of_cases_are_held_against_the_type(folder: Path) -> None:
    path = folder / "s.scenario.yaml"
    text = (
        "version: 1\nscenario: t\ntopology: {nodes: {hub: {}}}\n"
        'services: {shop: {address: "127.0.0.1:1", protos: [shop.binpb]}}\n'
        "cases:\n  good: {name: tea, tags: [a]}\n  bad: {name: 7, tags: [a, 1]}\n"
        "steps:\n  - {call: shop.Catalogue/Get, via: shop, "
        "input: {name: '${case.name}', tags: '${case.tags}'}}\n"
    )
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_scenario(path)
    told = [(each.message, each.position and each.position.line) for each in caught.value.problems]
    assert told == [
        ("the field 'name' takes text, not 7 (in case 'bad')", 9),
        ("the field 'tags' takes text, not 1 (in case 'bad')", 9),
    ]


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
