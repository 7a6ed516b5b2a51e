"""Makes a virtual environment from hashed requirements, unless it is already complete.

``environment.py FOLDER REQUIREMENTS [--project]``. Needs nothing but the Python that
runs it, and reads as far back as Python 3.6, so that an old one gets a sentence
instead of a syntax error. What an environment was made of is kept in it as a
digest: a second run compares and installs nothing.
"""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
OLDEST = (3, 11)
COMPLETE = ".complete"


def main() -> int:
    """Returns 0 once the environment is complete, and 3 when this machine lacks something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("requirements")
    parser.add_argument(
        "--project", action="store_true", help="install the project too, as editable"
    )
    options = parser.parse_args()
    os.chdir(ROOT)
    lack = what_is_lacking()
    if lack:
        print(lack, file=sys.stderr)
        return 3
    digest = digest_of(options)
    # Two makes at once must not install into one folder. This file is the lock, because
    # an environment that is made anew loses what is in it.
    with open(os.path.join(ROOT, "scripts", "environment.py")) as lock:  # noqa: PTH118, PTH123
        fcntl.flock(lock, fcntl.LOCK_EX)
        if read(os.path.join(options.folder, COMPLETE)) == digest:  # noqa: PTH118
            return 0
        print(f"setting up {options.folder} from {options.requirements}", flush=True)
        install(options)
        with open(os.path.join(options.folder, COMPLETE), "w") as file:  # noqa: PTH118, PTH123
            file.write(digest)
    return 0


def what_is_lacking() -> str:
    """Returns a sentence that says what this machine lacks and what to do, or nothing."""
    if sys.version_info < OLDEST:
        return (
            "Python {}.{} or newer is needed, and {} is {}.{}.\n"
            "Name another one, such as: make PYTHON=python3.12".format(
                OLDEST[0], OLDEST[1], sys.executable, *sys.version_info[:2]
            )
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        return (
            f"{sys.executable} cannot make virtual environments: {error}.\n"
            "On Debian and Ubuntu: apt-get install python3-venv"
        )
    return ""


def digest_of(options: argparse.Namespace) -> str:
    """Returns what the environment depends on: the interpreter, the place and the pins."""
    parts = [sys.version, sys.base_prefix, os.path.abspath(options.folder)]  # noqa: PTH100
    parts += [read(options.requirements)]
    if options.project:
        parts += [read("pyproject.toml")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def install(options: argparse.Namespace) -> None:
    """Makes the environment anew, or brings the one that is there up to date."""
    python = os.path.join(options.folder, "bin", "python")  # noqa: PTH118
    made_with = read(os.path.join(options.folder, "pyvenv.cfg"))  # noqa: PTH118
    same = "version = {}.{}.{}".format(*sys.version_info[:3]) in made_with
    run([sys.executable, "-m", "venv", *([] if same else ["--clear"]), options.folder])
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    run([*pip, "--require-hashes", "--requirement", options.requirements])
    if options.project:
        run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."])


def run(command: "list[str]") -> None:
    """Runs a command; ends this program with its status if it fails."""
    status = subprocess.call(command, stdin=subprocess.DEVNULL)
    if status:
        print("failed: " + " ".join(command), file=sys.stderr)
        sys.exit(status)


def read(path: str) -> str:
    """Returns a file's text, or nothing where there is no such file."""
    try:
        with open(path) as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
