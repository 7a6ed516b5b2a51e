"""What the tests of both sample systems use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Documented = Callable[[str, Callable[[], str], int], int]
"""`documented(url, token, examples)`: see the fixture."""


@pytest.fixture
def documented() -> Documented:
    """Sends made-up requests to every operation that the OpenAPI at a URL tells of, each with a
    fresh bearer token, and looks whether the answers are as documented; returns how many there
    are.
    """
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    def check(url: str, token: Callable[[], str], examples: int) -> int:
        operations = [
            found.ok()
            for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations()
        ]
        for operation in operations:

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def answers(case: Any) -> None:
                case.call_and_validate(
                    headers={"authorization": f"Bearer {token()}"},
                    checks=[
                        not_a_server_error,
                        checks.status_code_conformance,
                        checks.content_type_conformance,
                        checks.response_schema_conformance,
                    ],
                )

            answers()
        return len(operations)

    return check
