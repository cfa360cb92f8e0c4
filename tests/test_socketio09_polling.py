"""Socket.IO 0.9, literally: its transports over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from http_tools import UPGRADE, RawClient
from socketio09_tools import get, handshake, poller, serving

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
