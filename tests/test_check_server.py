"""What the page at <path>check asks of its server: its files, the probes, and an echo out of the application's sight."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywire
import pytest
from http_tools import RawClient
from server_tools import TRANSPORTS, Peer, serving

PAGE = Path(__file__).parent.parent / "server/check_page"
FILES = {
    "check": "text/html; charset=utf-8",
    "check.css": "text/css; charset=utf-8",
    "check-facts.js": "application/javascript; charset=utf-8",
    "check-words.js": "application/javascript; charset=utf-8",
    "check-run.js": "application/javascript; charset=utf-8",
    "check-page.js": "application/javascript; charset=utf-8",
}


def test_without_the_setting_there_is_no_page_no_probe_and_no_echo(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            for tail in (*FILES, "check.json", "check.stream"):
                assert (await client.request("GET", f"/socket.io/{tail}")).status in (400, 404), tail
            async with Peer(sio.port, "polling") as peer:
                await peer.send("40/anywire-check,")
                assert await peer.receive() == '44/anywire-check,{"message":"Invalid namespace"}'

    run(main())


@pytest.mark.parametrize("tail", FILES)
def test_each_file_of_the_page_comes_with_its_type_an_etag_gzip_and_a_strict_policy(tail: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(check_page=True) as sio, RawClient(sio.port) as client:
            plain = await client.request("GET", f"/socket.io/{tail}")
            assert (plain.status, plain.headers["content-type"]) == (200, FILES[tail])
            if tail != "check-facts.js":
                source = {"check": "check.html"}.get(tail, tail)
                assert plain.body == (PAGE / source).read_bytes()
            packed = await client.request("GET", f"/socket.io/{tail}", headers="Accept-Encoding: gzip\r\n")
            assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body
            old = "Accept-Encoding: gzip\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)\r\n"
            assert (await client.request("GET", f"/socket.io/{tail}", headers=old)).body == plain.body
            again = await client.request("GET", f"/socket.io/{tail}", headers=f"If-None-Match: {plain.headers['etag']}\r\n")
            assert (again.status, again.body) == (304, b"")
            assert plain.headers["content-security-policy"] == (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ws: wss:; frame-src 'self'; "
                "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
            )
            assert plain.headers["x-frame-options"] == "SAMEORIGIN" and plain.headers["referrer-policy"] == "same-origin"
            assert plain.headers["cross-origin-resource-policy"] == "same-origin"
            assert (await client.request("POST", f"/socket.io/{tail}")).status == 405

    run(main())


def test_no_other_name_and_no_path_reaches_a_file(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(check_page=True) as sio, RawClient(sio.port) as client:
            for tail in ("check.html", "check/", "../check.py", "check%2ecss", "check_page/check.css", "check-other.js"):
                assert (await client.request("GET", f"/socket.io/{tail}")).status in (400, 404), tail

    run(main())


def test_the_facts_tell_the_page_what_the_settings_leave_out(run: Callable[..., Any]) -> None:
    async def main() -> None:
        settings: dict[str, Any] = {"path": "/live", "transports": ["polling"], "allow_upgrades": False}
        async with serving(check_page=True, **settings) as sio, RawClient(sio.port) as client:
            text = (await client.request("GET", "/live/check-facts.js")).text
            facts = json.loads(text.removeprefix("var anywireFacts = ").removesuffix(";\n"))
            assert re.fullmatch(r"\d+\.\d+\.\d+.*", facts.pop("version"))
            assert facts == {
                "path": "/live/", "namespace": "/anywire-check", "transports": ["polling"], "upgrades": False, "oneProcess": True
            }  # fmt: skip

    run(main())


def test_the_page_brings_its_client_also_where_the_client_is_not_served(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(check_page=True, serve_client=False) as sio, RawClient(sio.port) as client:
            assert (await client.request("GET", "/socket.io/anywire.min.js")).status == 200
            for tail in ("anywire.js", "socket.io.js", "socket.io.min.js"):
                assert (await client.request("GET", f"/socket.io/{tail}")).status in (400, 404), tail
        async with serving(serve_client=False) as sio, RawClient(sio.port) as client:
            assert (await client.request("GET", "/socket.io/anywire.min.js")).status in (400, 404)

    run(main())


def test_a_bare_server_has_no_page_and_refuses_the_setting(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(anywire.ConfigError, match=r"^check_page is for anywire\.Server: the page speaks Socket\.IO$"):
        anywire.EngineServer(check_page=True)

    async def main() -> None:
        monkeypatch.setenv("ANYWIRE_CHECK_PAGE", "1")
        server = anywire.EngineServer()
        await server.start()
        server.listen(0, "127.0.0.1")
        async with RawClient(server.port) as client:
            for tail in ("check", "check.json", "anywire.min.js"):
                assert (await client.request("GET", f"/engine.io/{tail}")).status in (400, 404), tail
        await server.shutdown(0)

    run(main())


def test_the_probe_tells_a_browser_what_the_server_sees_of_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(check_page=True, trusted_proxies=["127.0.0.1"]) as sio, RawClient(sio.port) as client:
            headers = "Via: 1.1 squid\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
            answer = await client.request("GET", "/socket.io/check.json", headers=headers)
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["cache-control"] == "no-store, no-transform"
            seen = json.loads(answer.body)
            assert seen.pop("time") > 1.6e12
            assert seen == {
                "address": "192.0.2.7", "secure": True, "http": "HTTP/1.1", "host": f"127.0.0.1:{sio.port}",
                "proxy": {"Via": "1.1 squid", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}, "handshakes": [],
            }  # fmt: skip
            assert (await client.request("POST", "/socket.io/check.json")).status == 405

    run(main())


def test_the_probe_tells_which_handshakes_of_a_check_have_arrived_and_why_one_was_refused(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(check_page=True, transports=["websocket", "polling"]) as sio, RawClient(sio.port) as client:
            base = "/socket.io/?EIO=4&check=abcdef123&transport="
            assert (await client.request("GET", base + "polling")).status == 200
            assert (await client.request("GET", base + "websocket", headers="Origin: http://elsewhere.example\r\n")).status == 403
            assert (await client.request("GET", base + "htmlfile")).status == 400
            await client.request("GET", "/socket.io/?EIO=4&transport=polling&check=other9876")
            async with Peer(sio.port, "websocket", query="&check=abcdef123"):
                notes = json.loads((await client.request("GET", "/socket.io/check.json?check=abcdef123")).body)["handshakes"]
            assert notes == [
                {"transport": "polling", "method": "GET", "upgrade": False, "refusal": ""},
                {"transport": "websocket", "method": "GET", "upgrade": False, "refusal": "Origin not allowed"},
                {"transport": "htmlfile", "method": "GET", "upgrade": False, "refusal": "Transport unknown"},
                {"transport": "websocket", "method": "GET", "upgrade": True, "refusal": ""},
            ]

    run(main())


def test_what_is_noted_of_checks_is_bounded(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(check_page=True) as sio, RawClient(sio.port) as client:
            for _ in range(20):
                await client.request("GET", "/socket.io/?EIO=4&transport=polling&check=first0000")
            notes = json.loads((await client.request("GET", "/socket.io/check.json?check=first0000")).body)["handshakes"]
            assert len(notes) == 16
            for number in range(500):
                await client.request("PUT", f"/socket.io/?EIO=4&transport=polling&check=later{number:04}")
            assert json.loads((await client.request("GET", "/socket.io/check.json?check=first0000")).body)["handshakes"] == []
            notes = json.loads((await client.request("GET", "/socket.io/check.json?check=later0499")).body)["handshakes"]
            assert notes == [{"transport": "polling", "method": "PUT", "upgrade": False, "refusal": "Bad handshake method"}]

    run(main())


def test_the_streamed_answer_comes_in_two_parts_and_ends_when_its_reader_goes(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(check_page=True) as sio:
            async with RawClient(sio.port) as client:
                client.send(f"GET /socket.io/check.stream HTTP/1.1\r\nHost: 127.0.0.1:{sio.port}\r\n\r\n".encode())
                status, headers = await client.head()
                assert (status, headers["content-type"], headers["x-accel-buffering"]) == (200, "text/html; charset=utf-8", "no")
                loop = asyncio.get_running_loop()
                assert await client.chunk() == b"one" + b" " * 2045
                first = loop.time()
                assert await client.chunk() == b"two"
                assert loop.time() - first > 0.5
                assert await client.chunk() == b""
            async with RawClient(sio.port) as client:
                client.send(f"GET /socket.io/check.stream HTTP/1.1\r\nHost: 127.0.0.1:{sio.port}\r\n\r\n".encode())
                await client.head()

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_echo_answers_out_of_the_applications_sight(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen: list[Any] = []
        async with serving(check_page=True) as sio:

            @sio.on("*", namespace="*")
            def anything(event: str, namespace: str, sid: str, *args: Any) -> None:
                seen.append((event, namespace))

            @sio.on("connect", namespace="*")
            def connect(namespace: str, sid: str, environ: Any) -> bool:
                seen.append(("connect", namespace))
                return False

            @sio.on("disconnect", namespace=lambda namespace: True)
            def disconnect(namespace: str, sid: str) -> None:
                seen.append(("disconnect", namespace))

            sio.use(lambda sid, environ, auth: seen.append("middleware") or False, namespace="*")
            sio.use_event(lambda sid, event, args: seen.append("event middleware"), namespace="*")
            async with Peer(sio.port, transport) as peer:
                await peer.send("40/anywire-check,")
                assert (await peer.receive()).startswith('40/anywire-check,{"sid":"')
                await peer.send('42/anywire-check,7["echo",1,"two"]')
                assert await peer.receive() == '43/anywire-check,7[1,"two"]'
                await peer.send('42/anywire-check,8["other",1]\x1e41/anywire-check,' if transport != "websocket" else "41/anywire-check,")
            assert await sio.fetch_sockets() == []
            assert seen == []

    run(main())


def test_an_application_cannot_take_the_namespace_of_the_check_by_mistake() -> None:
    sio = anywire.Server(check_page=True)
    for register in (
        lambda: sio.on("echo", lambda sid: None, namespace="/anywire-check"),
        lambda: sio.register_namespace(anywire.Namespace("/anywire-check")),
    ):
        with pytest.raises(anywire.ConfigError, match=r"^namespace '/anywire-check' is the server's own; choose another name$"):
            register()
    anywire.Server().on("echo", lambda sid: None, namespace="/anywire-check")
