"""The guide's walk through the shop, from POST /users to POST /orders, on both databases."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any


def test_the_walk_answers_as_in_the_guide(shop: Any, each_database: Any, running: Any) -> None:
    async def walk() -> None:
        async with shop(each_database) as it:
            made = await it.http.post(
                "/users", json={"name": "John Doe", "email": "john@example.com"}
            )
            assert made.status_code == 201
            user = made.json()["user"]
            assert (user["name"], user["email"]) == ("John Doe", "john@example.com")

            answer = await it.order(user["id"])
            assert answer.status_code == 201
            content = json.loads(answer.text, parse_float=Decimal)
            created = content["order"].pop("createdAt")
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created)
            assert content == {
                "order": {
                    "id": 1,
                    "userId": user["id"],
                    "userName": "John Doe",
                    "userEmail": "john@example.com",
                    "items": [{"productName": "Laptop", "quantity": 1, "price": Decimal("999.99")}],
                    "totalAmount": Decimal("999.99"),
                    "status": "PENDING",
                },
                "message": "Order created successfully",
            }
            assert it.sql(1, "SELECT user_id, total_minor, status FROM orders") == [
                (user["id"], 99999, "PENDING")
            ]

    running(walk())


def test_what_was_made_is_found_again(shop: Any, running: Any) -> None:
    async def walk() -> None:
        async with shop() as it:
            user = await it.user()
            first, second = [(await it.order(user)).json()["order"] for _ in range(2)]
            assert (await it.http.get(f"/users/{user}")).json()["user"]["id"] == user
            assert (await it.http.get(f"/orders/{first['id']}")).json() == {"order": first}
            listed = await it.http.get("/orders", params={"userId": user})
            assert listed.json() == {"orders": [first, second]}
            after = await it.http.get(
                "/orders", params={"userId": user, "afterId": first["id"], "pageSize": 1}
            )
            assert after.json() == {"orders": [second]}

    running(walk())


def test_money_stays_exact_where_floats_would_not(shop: Any, running: Any) -> None:
    async def walk() -> None:
        async with shop() as it:
            user = await it.user()
            body = {
                "userId": user,
                "items": [
                    {"productName": "a", "quantity": 3, "price": "0.10"},
                    {"productName": "b", "quantity": 1, "price": "9007199254.99"},
                ],
            }
            answer = await it.http.post("/orders", json=body)
            assert '"totalAmount": 9007199255.29' in answer.text
            assert it.sql(1, "SELECT total_minor FROM orders") == [(900719925529,)]

    running(walk())


def test_health_asks_the_services(shop: Any, running: Any) -> None:
    async def walk() -> None:
        async with shop() as it:
            answer = await it.http.get("/health")
            assert (answer.status_code, answer.json()) == (
                200,
                {
                    "status": "ok",
                    "services": {"userService": "connected", "orderService": "connected"},
                },
            )

    running(walk())
