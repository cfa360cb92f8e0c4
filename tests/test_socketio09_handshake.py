"""Socket.IO 0.9, literally: the handshake, who is refused and how, and the file that pages load."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import anywire
import pytest
from http_tools import RawClient, text
from socketio09_tools import OFFER, handshake, serving, websocket

# -- the handshake ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "target"), [("GET", "/socket.io/1/?t=17"), ("GET", "/socket.io/1"), ("POST", "/socket.io/1/?t=1")])
def test_the_handshake_is_an_id_two_times_and_the_transports(method: str, target: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request(method, target)
            sid, _, rest = answer.text.partition(":")
            assert (answer.status, rest) == (200, "60:60:" + OFFER)
            assert answer.headers["content-type"] == "text/plain"
            assert len(sid) == 31 and sid.replace("-", "").replace("_", "").isalnum()
            assert "access-control-allow-origin" not in answer.headers

    run(main())


def test_both_times_are_numbers_that_heartbeats_and_polls_come_well_within(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for settings, said in (
            ({"close_timeout": 0.5, "ping_interval": 0.2, "polling_duration": 0.1}, "0.5"),
            ({"close_timeout": 1, "ping_interval": 40}, "60"),
            ({"close_timeout": 1, "ping_interval": 1, "polling_duration": 3}, "4.5"),
        ):
            async with serving(**settings) as sio, RawClient(sio.port) as client:
                assert (await client.request("GET", "/socket.io/1/")).text.split(":")[1:3] == [said, said]

    run(main())


def test_transports_that_are_switched_off_are_not_offered_and_not_served(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(transports=["xhr-polling", "websocket"]) as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", "/socket.io/1/")
            assert answer.text.endswith(":xhr-polling,websocket")
            sid = answer.text.split(":")[0]
            assert (await client.request("GET", f"/socket.io/1/htmlfile/{sid}")).status == 400
            assert (await client.request("GET", f"/socket.io/1/nonsense/{sid}")).status == 400

    run(main())


def test_a_handshake_by_script_is_a_call_and_only_numbers_are_callbacks(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", "/socket.io/1/?t=1&jsonp=12")
            assert answer.headers["content-type"] == "application/javascript"
            assert answer.text.startswith('io.j[12]("') and answer.text.endswith(f':60:60:{OFFER}");')
            answer = await client.request("GET", "/socket.io/1/?t=1&jsonp=alert")
            assert answer.headers["content-type"] == "text/plain" and answer.text.endswith(f":60:60:{OFFER}")

    run(main())


def test_other_versions_and_longer_paths_are_refused(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", "/socket.io/2/?t=1")
            assert (answer.status, answer.text) == (500, "Protocol version not supported.")
            assert (await client.request("GET", "/socket.io/1/xhr-polling")).status == 400
            assert (await client.request("GET", "/socket.io/one/")).status == 404
            assert (await client.request("OPTIONS", "/socket.io/1/?t=1", headers="Origin: http://127.0.0.1\r\n")).status == 204
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("target", ["/socket.io", "/socket.io/", "/socket.io/1/xhr-polling/abc/def"])
def test_addresses_that_name_nothing_are_welcomed(target: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", target)
            assert (answer.status, answer.text) == (200, "Welcome to socket.io.")

    run(main())


def test_a_message_has_a_plain_id_which_clients_acknowledge_by_themselves(run: Callable[..., Any]) -> None:
    """Their message handlers never had a callback; an event's handler has, and only with "+"."""

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            sid = next(iter(sio._hub.namespaces["/"].sockets))
            for name, data, said in (
                ("message", "x", b"3:1::x"), ("message", "", b"3:2:"), ("message", {"a": 1}, b'4:3::{"a":1}'),
                ("message", "a\\/b", b'4:4::"a\\\\\\u002fb"'), ("x", "y", b'5:5+::{"name":"x","args":["y"]}'),
            ):  # fmt: skip
                asked = asyncio.ensure_future(sio.call(name, data, to=sid))
                assert await client.frame() == (0x81, said)
                client.send(text(f"6:::{said[2:3].decode()}"))
                assert await asked is None

    run(main())


def test_the_query_of_a_namespace_reaches_its_connect_handler(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            seen: list[str] = []
            sio.on("connect", lambda sid, environ: seen.append(environ["QUERY_STRING"]), namespace="/chat")
            await websocket(client)
            client.send(text("1::/chat:?room=5"))
            assert await client.frame() == (0x81, b"1::/chat")
            assert seen[0].split("&")[-1] == "room=5"

    run(main())


def test_pages_elsewhere_get_the_headers_that_the_clients_credentials_need(run: Callable[..., Any]) -> None:
    async def main() -> None:
        headers = "Origin: http://example.com\r\nCookie: user=ann\r\n"
        seen: list[Any] = []
        for origins, cookie in (("http://example.com", "user=ann"), ("*", None)):
            settings = {"origins": origins, "authorization": lambda environ: seen.append(environ.get("HTTP_COOKIE"))}
            async with serving(**settings) as sio, RawClient(sio.port) as client:
                answer = await client.request("GET", "/socket.io/1/", headers=headers)
                assert answer.headers["access-control-allow-origin"] == "http://example.com"
                assert answer.headers["access-control-allow-credentials"] == "true"
                # What any page may ask for in a user's name counts as asked by nobody.
                assert seen.pop() == cookie
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", "/socket.io/1/", headers=headers)
            assert (answer.status, answer.text) == (403, "handshake bad origin")
            answer = await client.request("GET", "/socket.io/1/?jsonp=1", headers="Referer: http://example.com/\r\n")
            assert (answer.status, answer.text) == (200, 'io.j[1](new Error("handshake bad origin"));')

    run(main())


def test_a_client_on_node_names_its_host_as_origin_without_a_scheme(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sid = await handshake(client)
            upgrade = await client.upgrade(f"/socket.io/1/websocket/{sid}", f"Origin: 127.0.0.1:{sio.port}\r\n")
            assert upgrade.status == 101
        async with serving() as sio, RawClient(sio.port) as client:
            sid = await handshake(client)
            assert (await client.upgrade(f"/socket.io/1/websocket/{sid}", "Origin: example.com:80\r\n")).status == 403

    run(main())


def test_refusals_stop_a_client_for_good_only_when_they_are_final(run: Callable[..., Any]) -> None:
    """After 403 the client of 0.9.16 never connects again; after anything else it may."""

    async def fail() -> bool:
        raise RuntimeError

    def raising(environ: Any) -> bool:
        raise RuntimeError

    async def main() -> None:
        for verdict, status, said in (
            (lambda environ: False, 403, "handshake unauthorized"),
            (lambda environ: 'token "x" expired', 401, 'token "x" expired'),
            (raising, 500, "handshake error"),
            (lambda environ: fail(), 500, "handshake error"),
        ):
            async with serving(authorization=verdict) as sio, RawClient(sio.port) as client:
                answer = await client.request("GET", "/socket.io/1/?t=1")
                assert (answer.status, answer.text) == (status, said)
                answer = await client.request("GET", "/socket.io/1/?t=1&jsonp=3")
                said = said.replace('"', '\\"')
                assert (answer.status, answer.text) == (200, f'io.j[3](new Error("{said}"));')
                assert not sio._hub.sessions

    run(main())


def test_a_connect_handler_that_refuses_is_heard_in_the_handshake(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            ended: list[str] = []
            sio.on("disconnect", lambda sid, reason: ended.append(reason))

            @sio.event
            async def connect(sid: str, environ: dict[str, Any]) -> bool:
                await asyncio.sleep(0)
                if "why" in environ["QUERY_STRING"]:
                    raise anywire.ConnectionRefusedError("no room")
                return "ok" in environ["QUERY_STRING"]

            answer = await client.request("GET", "/socket.io/1/?why=1")
            assert (answer.status, answer.text) == (401, "no room")
            answer = await client.request("GET", "/socket.io/1/?t=1")
            assert (answer.status, answer.text) == (401, "Connection rejected by server")
            assert not sio._hub.sessions and not sio._hub.namespaces and ended == []
            assert (await client.request("GET", "/socket.io/1/?ok=1")).status == 200

    run(main())


def test_a_server_that_shuts_down_refuses_with_503_which_clients_survive(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sio._requests.admission.draining = True
            answer = await client.request("GET", "/socket.io/1/?t=1")
            assert (answer.status, answer.text) == (503, "server shutting down")
            answer = await client.request("GET", "/socket.io/1/?t=1&jsonp=0")
            assert (answer.status, answer.text) == (200, 'io.j[0](new Error("server shutting down"));')

    run(main())


def test_one_of_too_many_is_refused_for_now(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(max_sessions_per_address=1) as sio, RawClient(sio.port) as client:
            sid = await handshake(client)
            answer = await client.request("GET", "/socket.io/1/?t=1")
            assert (answer.status, answer.text, answer.headers["retry-after"]) == (429, "Too many sessions", "10")
            answer = await client.request("GET", "/socket.io/1/?t=1&jsonp=2")
            assert (answer.status, answer.text) == (200, 'io.j[2](new Error("Too many sessions"));')
            await client.request("GET", f"/socket.io/1//{sid}/?disconnect=1")
            await handshake(client)

    run(main())


def test_a_session_that_nobody_comes_for_ends(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(close_timeout=0.2) as sio, RawClient(sio.port) as client:
            ended = asyncio.get_running_loop().create_future()
            sio.on("disconnect", lambda sid, reason: ended.set_result(reason))
            await handshake(client)
            assert len(sio._hub.sessions) == 1
            assert await asyncio.wait_for(ended, 5) == "connect timeout"
            assert not sio._hub.sessions

    run(main())


# -- the client's file ------------------------------------------------------------------------------------------------


def test_our_client_is_served_at_every_url_that_pages_of_the_time_ask_for(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            full = (await client.request("GET", "/socket.io/anywire.js")).body
            small = (await client.request("GET", "/socket.io/anywire.min.js")).body
            for variant in ("", ".v0.9", ".v0.9.16", "+websocket+htmlfile", "+xhr-polling.v0.9.16"):
                name = "socket.io" + variant
                answer = await client.request("GET", f"/socket.io/{name}.js")
                assert answer.body == full and answer.headers["content-type"].startswith("application/javascript"), name
                answer = await client.request("GET", f"/socket.io/{name}.min.js")
                assert answer.body == small, name
                # Their servers let versioned files be kept for ten years; ours changes under the same name, and is asked for again.
                assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
                condition = f"If-None-Match: {answer.headers['etag']}\r\n"
                again = await client.request("GET", f"/socket.io/{name}.min.js", headers=condition)
                assert (again.status, again.body) == (304, b"")
            zipped = await client.request("GET", "/socket.io/socket.io.v0.9.16.js", headers="Accept-Encoding: gzip\r\n")
            assert gzip.decompress(zipped.body) == full and zipped.headers["vary"] == "Accept-Encoding"
            head = await client.request("HEAD", "/socket.io/socket.io.v0.9.16.js")
            assert (head.status, head.headers["content-length"]) == (200, str(len(full)))
            for name in ("socket.io+nope.js", "socket.io.v../../setup.js", "socket.io.vx.js", "xsocket.io.js", "%2e%2e/setup.cfg"):
                assert (await client.request("GET", f"/socket.io/{name}")).status in (400, 404), name

    run(main())
