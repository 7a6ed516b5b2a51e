from __future__ import annotations

from datetime import timedelta

import grpc
import pytest

from collector_reference import NotRegistered, RegistryUnavailable
from collector_reference.validation.validators import CachedValidator, ChannelValidator
from collector_reference.wire import registry_pb2_grpc
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.registry_pb2 import ValidateMethodRequest, ValidateMethodResponse


class Asked:
    """A validator that knows some methods, and what it was asked."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.questions: list[tuple[str, str, str]] = []
        self.broken = False

    async def validate_service_method(self, namespace, service, method, *, time_left=None):
        self.questions.append((namespace, service, method))
        if self.broken:
            raise RegistryUnavailable("gone")
        if method not in self.known:
            raise NotRegistered(f"no {method}")


class World:
    """The time and the registry's generation, as the test sets them."""

    now = 100.0
    generation = 1


def cached(inner: Asked, world: World, seconds: float = 5) -> CachedValidator:
    return CachedValidator(
        inner,
        life=timedelta(seconds=seconds),
        generation=lambda: world.generation,
        clock=lambda: world.now,
    )


async def test_an_answer_is_believed_for_its_life_and_no_longer():
    inner, world = Asked("A"), World()
    validator = cached(inner, world)
    await validator.validate_service_method("ns", "S", "A")
    world.now += 4.9
    await validator.validate_service_method("ns", "S", "A")
    assert validator.knows("ns", "S", "A")
    assert inner.questions == [("ns", "S", "A")]
    world.now += 0.1
    assert not validator.knows("ns", "S", "A")
    await validator.validate_service_method("ns", "S", "A")
    assert inner.questions == [("ns", "S", "A")] * 2


async def test_a_refusal_is_believed_as_well_with_its_text():
    inner, world = Asked(), World()
    validator = cached(inner, world)
    for _ in range(3):
        with pytest.raises(NotRegistered, match="no A"):
            await validator.validate_service_method("ns", "S", "A")
    assert len(inner.questions) == 1
    assert not validator.knows("ns", "S", "A")


async def test_a_registration_of_ones_own_is_asked_about_at_once():
    """VAL-010"""
    inner, world = Asked(), World()
    validator = cached(inner, world)
    with pytest.raises(NotRegistered):
        await validator.validate_service_method("ns", "S", "A")
    inner.known.add("A")
    world.generation += 1
    await validator.validate_service_method("ns", "S", "A")
    assert len(inner.questions) == 2


async def test_a_registration_while_the_question_is_out_drops_its_answer():
    inner, world = Asked("A"), World()

    async def meanwhile(namespace, service, method, *, time_left=None):
        world.generation += 1

    inner.validate_service_method = meanwhile
    validator = cached(inner, world)
    await validator.validate_service_method("ns", "S", "A")
    assert not validator.knows("ns", "S", "A")


async def test_that_the_registry_is_gone_is_never_believed():
    """VAL-008"""
    inner, world = Asked("A"), World()
    inner.broken = True
    validator = cached(inner, world)
    with pytest.raises(RegistryUnavailable):
        await validator.validate_service_method("ns", "S", "A")
    inner.broken = False
    await validator.validate_service_method("ns", "S", "A")
    assert len(inner.questions) == 2


async def test_answers_to_other_questions_are_not_mixed_up():
    inner, world = Asked("A"), World()
    validator = cached(inner, world)
    await validator.validate_service_method("ns", "S", "A")
    assert not validator.knows("other", "S", "A")
    assert not validator.knows("ns", "T", "A")
    assert not validator.knows("ns", "S", "B")


async def test_without_a_life_every_question_is_put():
    inner, world = Asked("A"), World()
    validator = cached(inner, world, seconds=0)
    for _ in range(3):
        await validator.validate_service_method("ns", "S", "A")
    assert len(inner.questions) == 3


async def test_answers_to_questions_of_any_length_fill_no_memory():
    """Names are what a caller likes: only answers to short questions are kept."""
    inner, world = Asked("A"), World()
    validator = cached(inner, world)
    longest = "n" * (1_000 - len("SA"))
    for namespace, asked in ((longest, 1), (longest + "n", 2)):
        inner.questions.clear()
        for _ in range(2):
            await validator.validate_service_method(namespace, "S", "A")
        assert len(inner.questions) == asked


async def test_answers_that_are_over_are_not_kept():
    """However many names callers make up: only what is asked in a life takes memory."""
    inner, world = Asked(), World()
    validator = cached(inner, world)
    for life in range(3):
        for number in range(9_000):
            with pytest.raises(NotRegistered):
                await validator.validate_service_method("ns", f"S{life}.{number}", "A")
        assert validator.kept <= 10_000
        world.now += 6
    for number in range(15_000):
        with pytest.raises(NotRegistered):
            await validator.validate_service_method("ns", f"S{number}", "A")
    # What still counts stays, also where it is much.
    inner.questions.clear()
    for number in range(15_000):
        with pytest.raises(NotRegistered):
            await validator.validate_service_method("ns", f"S{number}", "A")
    assert inner.questions == []


async def test_forgetting_drops_every_answer():
    inner, world = Asked("A"), World()
    validator = cached(inner, world)
    await validator.validate_service_method("ns", "S", "A")
    validator.forget()
    assert not validator.knows("ns", "S", "A")


class Answering(registry_pb2_grpc.CollectorRegistryServicer):
    """A registry that gives one answer to every question, and keeps the time it was given."""

    def __init__(self, answer: ValidateMethodResponse | grpc.StatusCode) -> None:
        self.answer = answer
        self.time_left: float | None = None

    async def ValidateMethod(self, request: ValidateMethodRequest, context):
        self.time_left = context.time_remaining()
        if isinstance(self.answer, grpc.StatusCode):
            await context.abort(self.answer, "as the test wants")
        return self.answer


async def ask(field, registry: Answering, **arguments) -> None:
    caller = field.caller(await field.registry(registry))
    validator = ChannelValidator(caller.channel, limit=timedelta(seconds=5))
    await validator.validate_service_method("ns", "S", "A", **arguments)


def answered(code: int, *, is_valid: bool, message: str = "") -> ValidateMethodResponse:
    return ValidateMethodResponse(status=Status(code=code), is_valid=is_valid, message=message)


async def test_a_valid_method_is_registered(field):
    await ask(field, Answering(answered(Status.OK, is_valid=True)))


@pytest.mark.parametrize(
    "answer",
    [
        answered(Status.NOT_FOUND, is_valid=False, message="no such method"),
        answered(Status.OK, is_valid=False, message="no such method"),
        answered(Status.HTTP_NOT_FOUND, is_valid=False, message="no such method"),
        answered(Status.NOT_FOUND, is_valid=True, message="no such method"),
    ],
)
async def test_an_invalid_method_is_not_registered(field, answer):
    with pytest.raises(NotRegistered, match="no such method"):
        await ask(field, Answering(answer))


async def test_a_registry_that_misses_by_a_grpc_error_is_understood(field):
    with pytest.raises(NotRegistered, match="as the test wants"):
        await ask(field, Answering(grpc.StatusCode.NOT_FOUND))


@pytest.mark.parametrize(
    "answer",
    [
        ValidateMethodResponse(is_valid=True),
        ValidateMethodResponse(),
        answered(Status.UNAVAILABLE, is_valid=False),
        answered(Status.INTERNAL, is_valid=True),
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
    ],
)
async def test_anything_else_is_no_answer(field, answer):
    """VAL-008"""
    with pytest.raises(RegistryUnavailable):
        await ask(field, Answering(answer))


async def test_the_question_inherits_the_callers_deadline(field):
    """LOOP-007"""
    registry = Answering(answered(Status.OK, is_valid=True))
    await ask(field, registry, time_left=timedelta(seconds=2))
    assert registry.time_left is not None
    assert 1 < registry.time_left < 3  # gRPC rounds it


async def test_the_question_is_bounded_without_a_deadline(field):
    registry = Answering(answered(Status.OK, is_valid=True))
    await ask(field, registry)
    assert registry.time_left is not None
    assert 4 < registry.time_left < 6
