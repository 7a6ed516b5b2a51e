"""The REST front does what its OpenAPI says, for requests that schemathesis makes up."""

from __future__ import annotations

from typing import Any

import pytest

OPERATIONS = 10


def test_it_answers_as_documented(front: Any) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    with front() as it:
        it.post("/register", json={"email": "a@b.example", "password": "correct horse battery"})
        tokens = it.post(
            "/login", json={"email": "a@b.example", "password": "correct horse battery"}
        ).json()
        schema = schemathesis.openapi.from_url(f"{it.base_url}/openapi.json")
        seen = 0
        for result in schema.get_all_operations():
            operation = result.ok()
            seen += 1

            @settings(
                max_examples=12,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def answers(case: Any) -> None:
                case.call_and_validate(
                    headers={"authorization": f"Bearer {tokens['accessToken']}"},
                    checks=[
                        not_a_server_error,
                        checks.status_code_conformance,
                        checks.content_type_conformance,
                        checks.response_schema_conformance,
                    ],
                )

            answers()
        assert seen == OPERATIONS
