"""HTTP services are asked and judged; redirects, huge bodies and silence are bounded."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import parse_scenario

LET_GO = threading.Event()


class _Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        """Says nothing."""

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/moved":
            self._answer(302, b"", location="/orders", set_cookie="a=b")
        elif parts.path == "/loop":
            self._answer(302, b"", location="/loop")
        elif parts.path == "/huge":
            self._answer(200, b"x" * 9_000_000)
        elif parts.path == "/deep":
            self._answer(200, b"[" * 100_000)
        elif parts.path == "/silent":
            LET_GO.wait(10)
            self._answer(204, b"")
        else:
            seen = {
                "query": parse_qs(parts.query),
                "headers": {key.lower(): value for key, value in self.headers.items()},
            }
            self._answer(200, json.dumps(seen).encode(), x_one="1")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers["content-type"] == "application/json":
            answer = {"id": 7, **json.loads(body)}
            self._answer(201, json.dumps(answer).encode(), location="/orders/7")
        else:
            self._answer(415, body[::-1], content_type="text/plain")


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Orders)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    LET_GO.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _text(address: str, steps: str) -> str:
    return (
        "version: 1\nscenario: t\ntopology: {nodes: {hub: {}}}\n"
        f"services: {{shop: {{address: '{address}', protocol: http, ready: {{port: true}}}}}}\n"
        f"steps:\n{steps}"
    )


def test_a_service_is_asked_with_everything_that_a_request_has(run_all: Any, address: str) -> None:
    ran = run_all(
        _text(
            address,
            f"""\
  - http: POST /orders
    via: shop
    input: {{sku: A1, count: 2}}
    expect:
      status: 201
      json: {{id: {{$type: integer}}, sku: A1}}
      headers: {{location: /orders/7}}
    save: {{id: json.id}}
  - http: {{method: GET, path: "/orders/${{id}}", query: {{full: "yes", q: "a&b"}}}}
    headers: {{accept: application/json, X-Tenant: "t${{id}}"}}
    expect:
      json:
        query: {{full: ["yes"], q: ["a&b"]}}
        headers: {{x-tenant: t7, accept: application/json}}
      headers: {{x-one: "1"}}
      text: {{$regex: x-tenant}}
      seconds: {{$lt: 5s}}
  - http: POST /orders
    via: "http://{address}"
    headers: {{content-type: text/plain}}
    input: {{$base64: YWJj}}
    expect: {{status: 415, text: cba, json: null}}
""",
        )
    )
    assert ran.passed()
    assert [(call.node, call.rpc, call.status) for call in ran.calls[:2]] == [
        ("shop", "POST /orders", "OK"),
        ("shop", "GET /orders/7", "OK"),
    ]


def test_redirects_are_answers_unless_they_are_followed_and_no_cookie_is_kept(
    run_all: Any, address: str
) -> None:
    ran = run_all(
        _text(
            address,
            """\
  - http: GET /moved
    expect: {status: 302, headers: {location: /orders}}
  - http: GET /moved
    follow: true
    expect: {status: 200}
  - http: GET /orders
    expect: {json: {headers: {cookie: {$absent: true}}}}
  - http: GET /loop
    follow: true
    expect: {error: {$regex: TooManyRedirects}}
""",
        )
    )
    assert ran.passed()


def test_what_a_hostile_service_answers_is_bounded(run_all: Any, address: str) -> None:
    ran = run_all(
        _text(
            address,
            """\
  - http: GET /huge
    expect: {status: 200, error: {$regex: larger than}, json: null, text: {$len: 8388608}}
  - http: GET /deep
    expect: {status: 200, json: null, text: {$len: 100000}}
  - http: GET /silent
    deadline: 100ms
    expect: {status: null, error: no answer within 0.1s, seconds: {$lt: 2s}}
  - http: GET /
    via: "http://127.0.0.1:9"
    expect: {error: {$regex: ConnectError}}
""",
        )
    )
    assert ran.passed()


@pytest.mark.parametrize(
    ("step", "mismatches"),
    [
        ("http: GET /moved", [("status", "< 300", "302")]),
        (
            'http: GET /\n    via: "http://127.0.0.1:9"',
            [("error", "null", '"ConnectError'), ("status", "< 300", "null")],
        ),
        (
            "http: GET /\n    expect: {json: {query: {a: [b]}}}",
            [("json.query.a", '["b"]', "nothing")],
        ),
    ],
)
def test_what_is_not_as_expected_is_told(
    run_all: Any, address: str, step: str, mismatches: list[tuple[str, str, str]]
) -> None:
    failure = run_all(_text(address, f"  - {step}\n")).failure
    told = {each.path: each for each in failure.mismatches}
    for path, expected, actual in mismatches:
        assert told[path].expected == expected
        assert told[path].actual.startswith(actual)


def test_a_service_that_comes_later_is_waited_for(run_all: Any, address: str) -> None:
    begin = time.monotonic()
    steps = (
        '  - {http: GET /, via: "http://127.0.0.1:9", eventually: {within: 200ms, backoff: 20ms}}\n'
    )
    failure = run_all(_text(address, steps)).failure
    assert "tries within 0.2s" in failure.message
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{http: get /, via: shop}", "'get /' is not a request"),
        ("{http: GET /, via: shpo}", "there is no node 'shpo'"),
        ("{http: GET /, via: shop, expect: {body: 1}}", "unknown key 'body'"),
        ("{http: GET /, via: shop, expect: {status: 200}, save: {a: jsn.id}}", "has no 'jsn'"),
    ],
)
def test_a_wrong_request_is_refused_when_the_file_is_read(step: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(_text("127.0.0.1:1", f"  - {step}\n"))
    assert told in str(caught.value)


def test_a_node_does_not_speak_http(run_all: Any, address: str) -> None:
    failure = run_all(_text(address, "  - {http: GET /, via: hub}\n")).failure
    assert "'hub' is a node, which does not speak HTTP" in failure.message


def test_many_requests_at_once_do_not_make_each_other_late(run_all: Any, address: str) -> None:
    steps = """\
  - parallel: 100
    http: GET /
    via: shop
    deadline: 2s
    expect: {all: {status: 200}}
"""
    assert run_all(_text(address, steps)).passed()


_CERTIFIED = """\
import http.server, json, os, ssl, sys

class Told(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass

    def do_GET(self):
        body = json.dumps({"shared": os.environ["SHARED"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.environ["TLS_CERT"], os.environ["TLS_KEY"])
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Told)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


def test_certificates_of_the_harness_are_trusted_and_databases_can_be_shared(
    run_all: Any, tmp_path: Path
) -> None:
    program = tmp_path / "certified.py"
    program.write_text(_CERTIFIED)
    start = f'command: ["{{executable}}", "{program}", "${{port}}"], protocol: http'
    ran = run_all(
        f"""\
version: 1
scenario: t
topology: {{nodes: {{hub: {{}}}}}}
services:
  keeper: {{{start}, tls: true, database: "sqlite:kept.db", environment: {{SHARED: none}}}}
  reader: {{{start}, tls: true, environment: {{SHARED: "${{service.keeper.database_url}}"}}}}
steps:
  - http: GET /
    via: reader
    expect: {{status: 200, json: {{shared: "${{service.keeper.database_url}}"}}}}
"""
    )
    assert ran.passed()


def test_a_database_that_a_service_has_not_is_told() -> None:
    with pytest.raises(InvalidInput, match="a node has no 'database_url'"):
        parse_scenario(
            """\
version: 1
scenario: t
topology: {nodes: {hub: {}}}
services:
  reader: {command: nothing, environment: {SHARED: "${node.hub.database_url}"}}
steps: [{http: GET /, via: reader}]
"""
        )
