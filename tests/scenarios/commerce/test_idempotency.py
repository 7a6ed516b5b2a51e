"""An order with a key is made once, however often and however many at once it is sent."""

from __future__ import annotations

import asyncio
from typing import Any


def test_a_repeated_request_answers_the_same_order(
    shop: Any, each_database: Any, running: Any
) -> None:
    async def repeat() -> None:
        async with shop(each_database) as it:
            user = await it.user()
            first, second = [await it.order(user, "k") for _ in range(2)]
            assert first.json() == second.json()
            assert second.headers["idempotent-replayed"] == "true"
            assert it.orders() == 1

    running(repeat())


def test_twenty_at_once_make_one_order(shop: Any, each_database: Any, running: Any) -> None:
    async def repeat() -> None:
        async with shop(each_database) as it:
            user = await it.user()
            answers = await asyncio.gather(*(it.order(user, "k") for _ in range(20)))
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.json()["order"]["id"] for answer in answers}) == 1
            assert it.orders() == 1
            assert it.sql(1, "SELECT count(*) FROM order_items") == [(1,)]

    running(repeat())


def test_the_key_of_another_request_is_a_conflict(shop: Any, running: Any) -> None:
    async def repeat() -> None:
        async with shop() as it:
            user = await it.user()
            await it.order(user, "k")
            answer = await it.order(user, "k", price="1.00")
            assert answer.status_code == 409
            assert answer.json() == {"error": "the idempotency key was used for another request"}
            assert it.orders() == 1

    running(repeat())


def test_another_user_may_have_the_same_key(shop: Any, running: Any) -> None:
    async def repeat() -> None:
        async with shop() as it:
            users = [await it.user(f"{name}@example.com") for name in ("a", "b")]
            answers = [await it.order(user, "k") for user in users]
            assert [answer.json()["order"]["userId"] for answer in answers] == users
            assert it.orders() == 2

    running(repeat())


def test_an_email_belongs_to_one_user(shop: Any, each_database: Any, running: Any) -> None:
    async def repeat() -> None:
        async with shop(each_database) as it:
            body = {"name": "John Doe", "email": "John@Example.com"}
            key = {"idempotency-key": "k"}
            answers = await asyncio.gather(
                *(it.http.post("/users", json=body, headers=key) for _ in range(5))
            )
            assert {answer.status_code for answer in answers} == {201}
            other = await it.http.post("/users", json={**body, "name": "Jane"})
            assert other.status_code == 409
            assert other.json() == {"error": "a user with this email exists"}
            assert it.sql(0, "SELECT count(*) FROM users") == [(1,)]

    running(repeat())
