"""Checks that every public name of both packages is annotated, by `pyright --verifytypes`.

pyright needs Node.js. Where there is none this says so and ends well: the check is for
those who change the interface, and CI has Node.js.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("collector_reference", "collector_harness")
UNJUDGED = (
    # Generated: one type for the contexts of both kinds of server.
    "collector_reference.wire.",
    # They take services whose base is generated; the facade does not lead to them.
    "collector_reference.own_services.attach",
    "collector_reference.wiring.Wiring.__init__",
    # Aliases that pydantic reads at run time and pyright takes for values.
    "collector_harness.scenario.model.",
)


def main() -> int:
    """Returns 0 when every public name has a known type, else 1."""
    if shutil.which("node") is None:
        print("public types were not checked: pyright needs Node.js, and there is no `node` here")
        return 0
    return max([check(package) for package in PACKAGES])


def check(package: str) -> int:
    """Prints each public name of the package whose type is not known; returns 0 or 1."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--outputjson", "--ignoreexternal"),
            *("--verifytypes", package),
        ],
        # pyright asks the first `python` on the path where packages are.
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        completeness = json.loads(done.stdout)["typeCompleteness"]
    except (ValueError, KeyError):
        print(done.stdout + done.stderr)
        return 1
    found = [
        (symbol["name"], message["message"])
        for symbol in completeness["symbols"]
        if symbol["isExported"] and not (symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
        for message in symbol["diagnostics"]
        if message["severity"] == "error"
        and not any(prefix in f"{symbol['name']} {message['message']}" for prefix in UNJUDGED)
    ]
    for name, message in found:
        print(f"{name}: {message}")
    counts = completeness["exportedSymbolCounts"]
    print(f"{package}: {counts['withKnownType']} public names with a known type")
    return 1 if found or not counts["withKnownType"] else 0


if __name__ == "__main__":
    sys.exit(main())
