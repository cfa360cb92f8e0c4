"""Socket.IO 0.9 on the wire, literally: the handshake, the four transports, what keeps a session alive and what ends it."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable
from typing import Any

import anywire
import pytest
from http_tools import UPGRADE, RawClient, masked, text
from socketio09_tools import OFFER, get, handshake, poller, serving, websocket

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
            sio._requests.draining = True
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


# -- xhr-polling ------------------------------------------------------------------------------------------------------


def test_polls_carry_one_packet_bare_and_several_framed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as sender:
            target = await poller(client)
            answer = await sender.request("POST", target, "3:::hé😀".encode(), "Content-Type: text/plain;charset=UTF-8\r\n")
            assert (answer.status, answer.text, answer.headers["content-type"]) == (200, "1", "text/plain; charset=UTF-8")
            answer = await client.request("GET", target)
            assert answer.body == "3:::echo:hé😀".encode()
            assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
            # The lengths count UTF-16 units; XDomainRequest sends no type, and any is taken.
            body = '\ufffd6\ufffd3:::😀\ufffd13\ufffd3:1::with ack\ufffd5\ufffd3:::"'
            assert (await sender.request("POST", target, body.encode(), "Content-Type: application/octet-stream\r\n")).text == "1"
            answer = await client.request("GET", target)
            assert answer.text == '\ufffd11\ufffd3:::echo:😀\ufffd5\ufffd6:::1\ufffd17\ufffd3:::echo:with ack\ufffd10\ufffd3:::echo:"'
            assert (await sender.request("POST", target)).text == "1"

    run(main())


def test_the_older_of_two_polls_is_answered_and_the_newer_goes_on(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as old, RawClient(sio.port) as new, RawClient(sio.port) as sender:
            target = await poller(old)
            first = get(old, target)
            session = next(iter(sio._hub.sessions.values()))
            while not session.transport.ready:
                await asyncio.sleep(0.001)
            second = get(new, target)
            assert (await first).text == "8::"
            await sender.request("POST", target, b"3:::x")
            assert (await second).text == "3:::echo:x"

    run(main())


def test_an_idle_poll_ends_with_a_noop_and_the_session_stays_while_the_client_comes_back(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(polling_duration=0.1, close_timeout=1, ping_interval=0.1, ping_timeout=0.05) as sio:
            ended = asyncio.get_running_loop().create_future()
            sio.on("disconnect", lambda sid, reason: ended.set_result((reason, time.monotonic())))
            async with RawClient(sio.port) as client:
                target = await poller(client)
                for _ in range(6):
                    asked = time.monotonic()
                    assert (await client.request("GET", target)).text == "8::"
                reason, at = await asyncio.wait_for(ended, 5)
                # One poll, and the close timeout after it.
                assert reason == "ping timeout" and at - asked > 1.08
                assert (await client.request("GET", target)).text == "7:::1+0"

    run(main())


def test_a_poll_that_breaks_off_loses_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as sender:
            target = await poller(client)
            session = next(iter(sio._hub.sessions.values()))
            async with RawClient(sio.port) as broken:
                get(broken, target).cancel()
                broken.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                while not session.transport.ready:
                    await asyncio.sleep(0.001)
            while session.transport.ready:
                await asyncio.sleep(0.001)
            await sender.request("POST", target, b"3:::x")
            assert (await client.request("GET", target)).text == "3:::echo:x"

    run(main())


@pytest.mark.parametrize("form", ["/socket.io/1//{sid}/?disconnect=1", "/socket.io/1/xhr-polling/{sid}/?disconnect"])
def test_a_goodbye_by_url_ends_the_session_and_its_poll(form: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            ended: list[str] = []
            sio.on("disconnect", lambda sid, reason: ended.append(reason))
            target = await poller(client)
            sid = target.split("/")[-1].partition("?")[0]
            held = get(client, target)
            session = sio._hub.sessions[sid]
            while not session.transport.ready:
                await asyncio.sleep(0.001)
            answer = await other.request("GET", form.format(sid=sid))
            assert (answer.status, answer.body) == (200, b"")
            assert (await held).text == "0::"
            assert ended == ["client disconnect"]
            # Again, and for nobody: nothing to do. As an upgrade, which once ended a whole server: the same.
            assert (await other.request("GET", form.format(sid=sid))).status == 200
            assert (await other.request("GET", f"/socket.io/1/websocket/{sid}?disconnect=1", headers=UPGRADE)).status == 200

    run(main())


def test_a_packet_that_says_goodbye_ends_the_session_and_its_poll(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            target = await poller(client)
            held = get(client, target)
            while not next(iter(sio._hub.sessions.values())).transport.ready:
                await asyncio.sleep(0.001)
            assert (await other.request("POST", target, b"0::")).text == "1"
            assert (await held).text == "0::"
            assert not sio._hub.sessions

    run(main())


def test_an_unknown_session_is_told_on_every_transport_to_make_a_new_one(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            assert (await client.request("GET", "/socket.io/1/xhr-polling/NOSUCHSID?t=1")).text == "7:::1+0"
            assert (await client.request("GET", "/socket.io/1/jsonp-polling/NOSUCHSID?t=1&i=2")).text == 'io.j[2]("7:::1+0");'
            answer = await client.request("GET", "/socket.io/1/htmlfile/NOSUCHSID?t=1")
            assert answer.body[256:] == b'<script>_("7:::1+0");</script>'
            assert (await client.request("POST", "/socket.io/1/xhr-polling/NOSUCHSID?t=1", b"3:::x")).text == "1"
            assert (await client.request("GET", f"/socket.io/1/xhr-polling/{'x' * 5000}")).text == "7:::1+0"
        async with serving() as sio, RawClient(sio.port) as client:
            assert (await client.upgrade("/socket.io/1/websocket/NOSUCHSID")).status == 101
            assert await client.frame() == (0x81, b"7:::1+0")
            assert (await client.frame())[0] == 0x88

    run(main())


def test_an_id_of_another_protocol_is_refused(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sid = (await client.request("GET", "/socket.io/?EIO=4&transport=polling")).text.split('"')[3]
            assert (await client.request("GET", f"/socket.io/1/xhr-polling/{sid}")).status == 400
            sid = await handshake(client)
            assert (await client.request("GET", f"/socket.io/?EIO=4&transport=polling&sid={sid}")).status == 400

    run(main())


# -- jsonp-polling and htmlfile ---------------------------------------------------------------------------------------


def test_jsonp_polls_are_calls_and_posts_are_forms_with_a_json_string(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as sender:
            target = f"/socket.io/1/jsonp-polling/{await handshake(client)}?t=2"
            answer = await client.request("GET", target + "&i=1")
            assert (answer.text, answer.headers["content-type"]) == ('io.j[1]("1::");', "text/javascript; charset=UTF-8")
            assert "x-frame-options" not in answer.headers
            form = b"d=%223%3A%3A%3Ah%C3%A9llo+%5C%22q%5C%22+%5C%5C+%26+%3D+%2B%25%5Cn2nd%22"
            answer = await sender.request("POST", target + "&i=1", form, "Content-Type: application/x-www-form-urlencoded\r\n")
            assert (answer.status, answer.text) == (200, "1")
            # What is no number is slot 0, never code in the page.
            answer = await client.request("GET", target + "&i=alert(1)")
            assert answer.text == 'io.j[0]("3:::echo:héllo \\"q\\" \\\\ \\u0026 = +%\\n2nd");'
            await sender.request("POST", target, "d=%223:::\u2028</script>%22".encode())
            assert (await client.request("GET", target)).text == 'io.j[0]("3:::echo:\\u2028\\u003c\\/script\\u003e");'
            await sender.request("POST", target, 'd="\ufffd5\ufffd3:::a\ufffd5\ufffd3:::b"'.encode())
            assert (await client.request("GET", target)).text == 'io.j[0]("\ufffd10\ufffd3:::echo:a\ufffd10\ufffd3:::echo:b");'

    run(main())


def test_a_form_that_holds_no_json_string_ends_that_session_alone(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for body in (b"d=%7Bnot+json", b"d=%7B%7D", b"d=5", b"x=1"):
            async with serving() as sio, RawClient(sio.port) as client:
                target = f"/socket.io/1/jsonp-polling/{await handshake(client)}?t=2&i=1"
                await client.request("GET", target)
                assert (await client.request("POST", target, body)).status == 400
                assert (await client.request("GET", "/socket.io/1/?t=1")).status == 200

    run(main())


def test_jsonp_polls_that_idle_or_overlap_still_call(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(polling_duration=0.2) as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            target = f"/socket.io/1/jsonp-polling/{await handshake(client)}?t=2&i="
            await client.request("GET", target + "4")
            first = get(client, target + "4")
            while not next(iter(sio._hub.sessions.values())).transport.ready:
                await asyncio.sleep(0.001)
            second = get(other, target + "5")
            assert (await first).text == 'io.j[4]("8::");'
            assert (await second).text == 'io.j[5]("8::");'

    run(main())


def test_htmlfile_begins_with_256_bytes_and_says_goodbye(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as sender:
            target = f"/socket.io/1/htmlfile/{await handshake(sender)}?t=2"
            client.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{sio.port}\r\n\r\n".encode())
            status, headers = await client.head()
            assert (status, headers["transfer-encoding"], headers["content-type"].lower()) == (200, "chunked", "text/html; charset=utf-8")
            script = b"<html><body><script>var _ = function (msg) { parent.s._(msg, document); };</script>"
            assert await client.chunk() == script + b" " * 173
            assert await client.chunk() == b'<script>_("1::");</script>'
            assert (await sender.request("POST", target, b"3:::a</script>/b")).text == "1"
            assert await client.chunk() == b'<script>_("3:::echo:a\\u003c\\/script\\u003e\\/b");</script>'
            # The client makes "/" of every "\/" that it reads, so none may be in what it reads.
            await sender.request("POST", target, b"3:::a\\/b")
            said = await client.chunk()
            assert said == b'<script>_("4:::\\"echo:a\\\\\\\\\\\\u002fb\\"");</script>'
            await sender.request("POST", target, b"0::")
            assert await client.chunk() == b'<script>_("0::");</script>'
            assert await client.chunk() == b""

    run(main())


def test_the_end_of_an_htmlfile_stream_is_the_sessions(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            ended = asyncio.get_running_loop().create_future()
            sio.on("disconnect", lambda sid, reason: ended.set_result(reason))
            async with RawClient(sio.port) as client:
                target = f"/socket.io/1/htmlfile/{await handshake(client)}"
                client.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                await client.head()
                assert len(await client.chunk()) == 256
            assert await asyncio.wait_for(ended, 5) == "transport close"

    run(main())


# -- websocket --------------------------------------------------------------------------------------------------------


def test_acknowledgements_of_both_kinds(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            for said, heard in (
                (b"3:1::hello", [b"6:::1", b"3:::echo:hello"]),
                (b"3:2+::hello2", [b"3:::echo:hello2", b'6:::2+["got","hello2"]']),
                (b'5:3::{"name":"ev","args":[1,2]}', [b"6:::3"]),
                (b'5:4+::{"name":"ev","args":[1,"two\\nlines"]}', [b'6:::4+["A",{"b":"two\\nlines"}]']),
                ('5:5+::{"name":"ev","args":[1,"\u2028"]}'.encode(), [b'6:::5+["A",{"b":"\\u2028"}]']),
                (b'4:6+::{"a":1}', [b"3:::echo:{'a': 1}", b'6:::6+["got",{"a":1}]']),
                (b'5:7::{"name":"disconnect"}', [b"6:::7"]),
                (b'5:8+::{"name":"message","args":["x"]}', [b"3:::echo:x", b'6:::8+["got","x"]']),
                (b"3:9:/unknown:x", [b"6::/unknown:9"]),
                (b"3::", [b"3:::echo:"]),
            ):
                client.send(masked(0x81, said))
                assert [(await client.frame())[1] for _ in heard] == heard, said

    run(main())


def test_what_is_no_packet_is_passed_over(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            for said in (
                "", "x", "0", "2", "9::", "3", "33:::x", "-1:::x", "3:a::x", "4:::{bad", "5:::{bad", "5:::null", "5:::", "6:::x", "6:::999",
                "7:::1+0", "8::", "2::", "1::", "6:::constructor", '5:::{"args":[1]}', '5:::{"name":"newListener","args":["x"]}',
                '5:::{"name":"__proto__","args":[]}', "1::/__proto__", "0::/nowhere", "6::/nowhere:1",
                "\ufffd5\ufffd3:::a\ufffd5\ufffd3:::b",
            ):  # fmt: skip
                client.send(text(said))
            client.send(masked(0x82, b"\x01\x02\x03") + masked(0x89, b"hi") + text("3:::still alive"))
            assert await client.frame() == (0x8A, b"hi")
            assert await client.frame() == (0x81, b"3:::echo:still alive")

    run(main())


@pytest.mark.parametrize(
    "said",
    [
        "3::__proto__:x", '5:::{"name":"ev","args":"str"}', '5:::{"name":"ev","args":{"length":3}}', '5:::{"name":null}',
        "3:" + "9" * 17 + "::x", "1::/" + "n" * 200, "4:::" + "[" * 200 + "]" * 200,
    ],
)  # fmt: skip
def test_hostile_packets_end_their_session_and_nothing_else(said: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            target = await poller(other)
            await websocket(client)
            client.send(text(said))
            first, body = await client.frame()
            assert (first, body[:2]) == (0x88, b"\x03\xea")
            assert (await other.request("POST", target, said.encode())).status == 400
            assert not sio._hub.sessions
            assert (await other.request("GET", target)).text == "7:::1+0"

    run(main())


@pytest.mark.parametrize("size", [125, 126, 65_535, 65_536, 70_000])
def test_messages_of_any_size_come_whole(size: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            client.send(text("3:::" + "y" * (size - 9)))
            assert await client.frame() == (0x81, b"3:::echo:" + b"y" * (size - 9))

    run(main())


def test_heartbeats_go_to_streams_and_only_the_answered_ones_live(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(ping_interval=0.1, ping_timeout=0.8) as sio, RawClient(sio.port) as client:
            ended = asyncio.get_running_loop().create_future()
            sio.on("disconnect", lambda sid, reason: ended.set_result(reason))
            await websocket(client)
            for _ in range(4):
                assert await client.frame() == (0x81, b"2::")
                client.send(text("2::"))
            assert await client.frame() == (0x81, b"2::")
            # For a cause that passes the client is not told "0::", after which it would not come back.
            assert (await client.frame())[0] == 0x88
            assert await ended == "ping timeout"

    run(main())


# -- namespaces and rooms ---------------------------------------------------------------------------------------------


def test_namespaces_are_joined_left_and_joined_again(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            said: list[Any] = []
            sio.on("connect", lambda sid, environ: said.append("in"), namespace="/chat")
            sio.on("disconnect", lambda sid, reason: said.append(reason), namespace="/chat")
            sio.on("message", lambda sid, data: said.append(data), namespace="/chat")
            await websocket(client)
            client.send(text("3:1:/chat:before") + text("1::/chat") + text("1::/chat") + text("1::/chat:?x=1") + text("3:2+:/chat:after"))
            assert [(await client.frame())[1] for _ in range(3)] == [b"6::/chat:1", b"1::/chat", b"6::/chat:2"]
            assert said == ["in", "before", "after"]
            client.send(text("0::/chat") + text("3:3:/chat:away") + text("1::/chat"))
            assert [(await client.frame())[1] for _ in range(2)] == [b"6::/chat:3", b"1::/chat"]
            assert said == ["in", "before", "after", "client disconnect", "in", "away"]

    run(main())


def test_a_refused_namespace_hears_unauthorized_and_an_unknown_one_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sio.on("connect", lambda sid, environ: False, namespace="/chat")
            await websocket(client)
            client.send(text("3::/chat:early") + text("1::/nope") + text("3::/nope:x") + text("1::/chat") + text("3:1::end"))
            assert [(await client.frame())[1] for _ in range(2)] == [b"7::/chat:2", b"6:::1"]
            assert len(sio._hub.sessions) == 1

    run(main())


def test_events_for_namespaces_that_are_never_joined_are_not_kept_without_end(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sio.on("message", lambda sid, data: None, namespace="/chat")
            await websocket(client)
            client.send(text("3::/chat:x") * 101)
            assert (await client.frame())[0] == 0x88

    run(main())


def test_rooms_and_namespaces_of_one_name_are_different_things(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as a, RawClient(sio.port) as b:
            sio.on("x", lambda sid: None, namespace="/chat")
            sio.on("connect", lambda sid, environ: sio.enter_room(sid, "chat") and None)
            await websocket(a)
            del sio.handlers._named["/"].events["connect"]
            sio.handlers._forget_found()
            await websocket(b)
            b.send(text("1::/chat"))
            assert await b.frame() == (0x81, b"1::/chat")
            sio.emit("room", to="chat")
            sio.emit("namespace", namespace="/chat")
            sio.emit("end")
            assert [(await a.frame())[1] for _ in range(2)] == [b'5:::{"name":"room"}', b'5:::{"name":"end"}']
            assert [(await b.frame())[1] for _ in range(2)] == [b'5::/chat:{"name":"namespace"}', b'5:::{"name":"end"}']

    run(main())


def test_calls_transports_and_disconnecting_work_as_for_every_client(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            reasons: list[str] = []
            sio.on("disconnect", lambda sid, reason: reasons.append(reason))
            session = await websocket(client)
            target = await poller(other)
            assert session not in sids
            assert [sio.transport(sid) for sid in sids] == ["websocket", "polling"]
            asked = asyncio.ensure_future(sio.call("q", 1, to=sids[0]))
            assert await client.frame() == (0x81, b'5:1+::{"name":"q","args":[1]}')
            client.send(text('6:::1+["yes",1]'))
            assert await asked == ("yes", 1)
            for sid in sids:
                sio.disconnect(sid)
            assert await client.frame() == (0x81, b"0::")
            assert (await client.frame())[0] == 0x88
            # Between two polls: the next one tells it.
            assert (await other.request("GET", target)).text == "0::"
            assert reasons == ["server disconnect"] * 2
            assert not sio._hub.sessions

    run(main())


def test_a_server_that_goes_tells_its_clients_to_come_back(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            await websocket(client)
            target = await poller(other)
            held = get(other, target)
            session = list(sio._hub.sessions.values())[1]
            while not session.transport.ready:
                await asyncio.sleep(0.001)
            ending = asyncio.ensure_future(sio.shutdown(5))
            assert (await held).text == "7:::1+0"
            first, body = await client.frame()
            assert (first, body[:2]) == (0x88, b"\x03\xe9")
            client.send(masked(0x88, body[:2]))
            await ending

    run(main())


# -- falling back -----------------------------------------------------------------------------------------------------


def test_a_fallback_on_the_same_session_hears_everything_that_was_swallowed(run: Callable[..., Any]) -> None:
    """A proxy lets the WebSocket open and eats its frames: ten seconds later the client polls with the same id."""

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as swallowed, RawClient(sio.port) as client, RawClient(sio.port) as sender:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            sid = await handshake(client)
            assert (await swallowed.upgrade(f"/socket.io/1/websocket/{sid}")).status == 101
            assert await swallowed.frame() == (0x81, b"1::")
            sio.emit("lost", to=sids[0])
            assert await swallowed.frame() == (0x81, b'5:::{"name":"lost"}')
            target = f"/socket.io/1/xhr-polling/{sid}?t=2"
            assert (await client.request("GET", target)).text == '\ufffd3\ufffd1::\ufffd19\ufffd5:::{"name":"lost"}'
            assert sio.transport(sids[0]) == "polling" and len(sids) == 1
            # The end of the WebSocket would end the client's session, so it stays, and what comes from it counts for nothing.
            swallowed.send(text("3:::late"))
            assert (await sender.request("POST", target, b"3:::x")).text == "1"
            assert (await client.request("GET", target)).text == "3:::echo:x"
            swallowed.send(masked(0x88, b"\x03\xe8"))
            assert (await swallowed.frame())[0] == 0x88
            assert (await sender.request("POST", target, b"3:::y")).text == "1"
            assert (await client.request("GET", target)).text == "3:::echo:y"

    run(main())


def test_a_websocket_that_opens_late_does_not_steal_the_session(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as late, RawClient(sio.port) as client:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            target = await poller(client)
            await client.request("POST", target, b"3:::x")
            sid = target.split("/")[-1].partition("?")[0]
            assert (await late.upgrade(f"/socket.io/1/websocket/{sid}")).status == 101
            assert sio.transport(sids[0]) == "polling"
            sio.send("y", to=sids[0])
            assert (await client.request("GET", target)).text == "\ufffd10\ufffd3:::echo:x\ufffd5\ufffd3:::y"
            await client.request("POST", target, b"0::")
            # The first thing that it hears is the end.
            assert (await late.frame())[0] == 0x88

    run(main())


def test_one_session_does_not_hold_transports_without_end(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await poller(client)
            await client.request("POST", target, b"3:::x")
            sid = target.split("/")[-1].partition("?")[0]
            late = [RawClient(sio.port) for _ in range(3)]
            statuses = []
            for one in late:
                async with one:
                    statuses.append((await one.upgrade(f"/socket.io/1/websocket/{sid}")).status)
            assert statuses[0] == 101 and len(sio._hub.sessions[sid]._abandoned or ()) <= 4

    run(main())


# -- binary -----------------------------------------------------------------------------------------------------------


def test_bytes_are_base64_text_by_default(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            sio.emit("file", {"name": "x", "data": b"\x00\xff"})
            assert await client.frame() == (0x81, b'5:::{"name":"file","args":[{"name":"x","data":"AP8="}]}')
            sio.on("file", lambda sid: b"\x01")
            client.send(text('5:1+::{"name":"file"}'))
            assert await client.frame() == (0x81, b'6:::1+["AQ=="]')

    run(main())


def test_messages_with_bytes_can_be_dropped(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(binary_fallback="drop") as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            await websocket(client)
            client.send(text("3:1::x"))
            assert [(await client.frame())[1] for _ in range(2)] == [b"6:::1", b"3:::echo:x"]
            target = await poller(other)
            sio.emit("file", b"\x00")
            sio.emit("text", "x")
            assert await client.frame() == (0x81, b'5:::{"name":"text","args":["x"]}')
            assert (await other.request("GET", target)).text == '5:::{"name":"text","args":["x"]}'

    run(main())


def test_messages_with_bytes_can_be_refused_before_anyone_gets_them(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(binary_fallback="refuse") as sio, RawClient(sio.port) as client, RawClient(sio.port) as modern:
            assert (await modern.upgrade("/socket.io/?EIO=4&transport=websocket")).status == 101
            assert (await modern.frame())[1][:1] == b"0"
            modern.send(text("40"))
            assert (await modern.frame())[1][:2] == b"40"
            sio.emit("file", b"\x00")
            assert (await modern.frame(), await modern.frame()) == ((0x81, b'451-["file",{"_placeholder":true,"num":0}]'), (0x82, b"\x00"))
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            await websocket(client)
            for target in (None, sids[0]):
                with pytest.raises(anywire.PayloadError, match="binary_fallback"):
                    sio.emit("file", b"\x00", to=target)
            with pytest.raises(anywire.PayloadError, match="binary_fallback"):
                await sio.call("file", b"\x00", to=sids[0])
            sio.emit("text")
            assert await modern.frame() == (0x81, b'42["text"]')
            assert await client.frame() == (0x81, b'5:::{"name":"text"}')

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
