"""What `import collector_harness` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import collector_harness


def test_every_public_name_can_be_had_and_nothing_else_is_shown() -> None:
    for name in collector_harness.__all__:
        assert getattr(collector_harness, name) is not None
    assert dir(collector_harness) == sorted(collector_harness.__all__)


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import collector_harness, sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    assert not {"grpc", "pydantic", "yaml", "rich", "pytest", "collector_reference"} & set(loaded)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(collector_harness, "Topologie")
