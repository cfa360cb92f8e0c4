"""Engine.IO 3 and Socket.IO 4 on the wire, literally: requests, errors, payloads, namespaces, upgrade, heartbeats, whose session it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
from http_tools import RawClient, masked, text
from server_tools import listening, serving

BASE = "/socket.io/?EIO=3&transport="
ELSEWHERE = "https://elsewhere.example"
OCTETS = "Content-Type: application/octet-stream\r\n"


def counted(*packets: str) -> bytes:
    """A text payload."""
    return "".join(f"{len(packet.encode('utf-16-le')) // 2}:{packet}" for packet in packets).encode()


async def opening(client: RawClient, query: str = "", headers: str = "") -> tuple[str, str]:
    """Ask for a polling session; its target for more requests, and what was said after the open packet."""
    answer = await client.request("GET", BASE + "polling" + query, headers=headers)
    length, _, rest = answer.text.partition(":")
    opened = json.loads(rest[1 : int(length)])
    return f"{BASE}polling{query}&sid={opened['sid']}", rest[int(length) :]


async def connect_polling(client: RawClient, query: str = "", headers: str = "") -> str:
    target, more = await opening(client, query, headers)
    assert more == "2:40"
    return target


async def connect_websocket(client: RawClient, query: str = "") -> str:
    """The session's id."""
    assert (await client.upgrade(BASE + "websocket" + query)).status == 101
    first, opened = await client.frame()
    assert (first, opened[:1]) == (0x81, b"0")
    assert await client.frame() == (0x81, b"40")
    return str(json.loads(opened[1:])["sid"])


async def parked(sio: anywire.Server) -> None:
    """The only session's poll waits on the server."""
    (session,) = sio._hub.sessions.values()
    async with asyncio.timeout(5):
        while session.transport is None or not session.transport.ready:
            await asyncio.sleep(0)


# -- the handshake ------------------------------------------------------------------------------------------------------


def test_the_handshake_says_four_things_and_that_the_root_is_joined_in_one_answer(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(ping_interval=0.3, ping_timeout=0.2) as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", BASE + "polling&b64=1")
            (sid,) = sio._hub.sessions
            opened = f'0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200}}'
            assert answer.text == f"{len(opened)}:{opened}2:40"
            assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
            assert "set-cookie" not in answer.headers

    run(main())


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("GET", "EIO=3", {"code": 0, "message": "Transport unknown"}),
        ("GET", "EIO=3&transport=flashsocket", {"code": 0, "message": "Transport unknown"}),
        ("GET", "EIO=3&transport=polling&sid=nobody", {"code": 1, "message": "Session ID unknown"}),
        ("POST", "EIO=3&transport=polling", {"code": 2, "message": "Bad handshake method"}),
        ("GET", "EIO=3&transport=websocket", {"code": 3, "message": "Bad request"}),
        ("GET", "EIO=3&transport=polling&j=x", {"code": 3, "message": "Bad request"}),
        ("GET", "EIO=2&transport=polling", {"code": 5, "message": "Unsupported protocol version"}),
        ("GET", "EIO=5&transport=polling", {"code": 5, "message": "Unsupported protocol version"}),
        ("GET", "EIO=33&transport=polling", {"code": 5, "message": "Unsupported protocol version"}),
        ("GET", "EIO=&transport=polling", {"code": 5, "message": "Unsupported protocol version"}),
        ("GET", "EIO=three&transport=websocket", {"code": 5, "message": "Unsupported protocol version"}),
        ("GET", "transport=polling", {"code": 5, "message": "Unsupported protocol version"}),
    ],
)
def test_a_request_that_gets_no_session_is_told_why(method: str, query: str, body: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request(method, "/socket.io/?" + query)
            assert (answer.status, json.loads(answer.body)) == (400, body)
            assert not sio._hub.sessions

    run(main())


def test_a_session_of_one_revision_is_not_served_to_the_other(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            target = await connect_polling(client)
            answer = await other.request("POST", target.replace("EIO=3", "EIO=4"), b'42["echo"]')
            assert (answer.status, json.loads(answer.body)) == (400, {"code": 3, "message": "Bad request"})
            assert (await client.request("POST", target, counted('42["echo"]'))).text == "ok"

    run(main())


# -- payloads -----------------------------------------------------------------------------------------------------------


def test_packets_have_their_lengths_in_utf_16_units_and_what_is_said_is_ascii(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            sent = '16:42["echo","😀€"]15:421["echo","é"]'.encode()
            assert (await client.request("POST", target, sent, "Content-Type: text/plain;charset=UTF-8\r\n")).text == "ok"
            answer = await client.request("GET", target)
            assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
            assert answer.body == rb'33:42["echoed","\ud83d\ude00\u20ac"]21:42["echoed","\u00e9"]13:431["\u00e9"]'
            await sio.emit("one", "é")
            assert (await client.request("GET", target)).body == rb'18:42["one","\u00e9"]'

    run(main())


def test_what_a_client_of_1_encodes_twice_is_read_as_it_was_meant_unless_that_is_switched_off(run: Callable[..., Any]) -> None:
    async def main() -> None:
        sent = '16:42["echo","â\u0082¬"]'.encode()
        for settings, heard in (({}, rb"\u20ac"), ({"double_utf8": False}, rb"\u00e2\u0082\u00ac")):
            async with serving(**settings) as sio, RawClient(sio.port) as client:
                target = await connect_polling(client)
                assert (await client.request("POST", target, sent)).text == "ok"
                body = b'42["echoed","' + heard + b'"]'
                assert (await client.request("GET", target)).body == b"%d:%s" % (len(body), body)

    run(main())


def test_half_a_character_in_json_is_read_as_its_replacement(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            await client.request("POST", target, rb'25:42["echo","\ud800\u00e9"]')
            assert (await client.request("GET", target)).body == rb'27:42["echoed","\ufffd\u00e9"]'

    run(main())


def test_over_websocket_text_is_utf_8_and_read_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await connect_websocket(client)
            client.send(text('42["echo","Ã©€"]'))
            assert await client.frame() == (0x81, '42["echoed","Ã©€"]'.encode())

    run(main())


def test_binary_comes_as_octets_both_ways_when_any_packet_has_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            head = b'451-["echo","\xc3\xa9",{"_placeholder":true,"num":0}]'
            sent = b"\x00\x04\x07\xff" + head + b"\x01\x05\xff\x04\x01\x02\x03\x04"
            assert len(head) == 47
            assert (await client.request("POST", target, sent, OCTETS)).text == "ok"
            await sio.emit("after", 1)
            answer = await client.request("GET", target)
            assert answer.headers["content-type"] == "application/octet-stream"
            head = rb'451-["echoed","\u00e9",{"_placeholder":true,"num":0}]'
            length = bytes(map(int, str(len(head))))
            assert answer.body == (
                b"\x00" + length + b"\xff" + head + b"\x01\x05\xff\x04\x01\x02\x03\x04" + b'\x00\x01\x03\xff42["after",1]'
            )

    run(main())


def test_binary_comes_as_base64_to_who_asked_for_that(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client, "&b64=1")
            sent = b'42:451-["echo",{"_placeholder":true,"num":0}]10:b4AQIDBA=='
            assert (await client.request("POST", target, sent)).text == "ok"
            answer = await client.request("GET", target)
            assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
            assert answer.body == b'44:451-["echoed",{"_placeholder":true,"num":0}]10:b4AQIDBA=='

    run(main())


@pytest.mark.parametrize(("query", "frame"), [("", (0x82, b"\x04\x01\x02")), ("&b64=1", (0x81, b"b4AQI="))])
def test_binary_over_websocket_has_its_type_in_front(query: str, frame: tuple[int, bytes], run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await connect_websocket(client, query)
            client.send(text('451-["echo",{"_placeholder":true,"num":0}]') + masked(0x82, b"\x04\x01\x02"))
            assert await client.frame() == (0x81, b'451-["echoed",{"_placeholder":true,"num":0}]')
            assert await client.frame() == frame

    run(main())


def test_a_poller_that_takes_base64_only_gets_plain_binary_from_its_websocket(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as polls, RawClient(sio.port) as socket:
            # As socket.io-client 2.5.0 under Node: XMLHttpRequest there has no binary, WebSocket has.
            target = await connect_polling(polls, "&b64=1")
            await socket.upgrade(BASE + "websocket&sid=" + target.partition("sid=")[2])
            socket.send(text("2probe") + text("5"))
            assert await socket.frame() == (0x81, b"3probe")
            await sio.emit("raw", b"\x01")
            assert await socket.frame() == (0x81, b'451-["raw",{"_placeholder":true,"num":0}]')
            assert await socket.frame() == (0x82, b"\x04\x01")

    run(main())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"4",
        b'42["echo"]',
        counted("abc"),
        counted("3"),
        counted("5"),
        counted("40"),
        counted("40/nowhere,[]"),
        counted('44"no"'),
        counted('44/chat,"no"'),
        counted('42["connect"]'),
        counted('42[{"toString":1}]'),
        counted('42/nowhere,["echo"]'),
        counted("47"),
        counted('451-["echo",{"_placeholder":true,"num":0}]', '42["echo"]'),
        counted('451-["echo",{"_placeholder":true,"num":1}]', "b4AQID"),
        counted('451-["echo",{"_placeholder":true,"num":0}]', "b4A"),
        counted("b4AQID"),
        counted('42["echo",' + "[" * 200 + "]" * 200 + "]"),
        b"9" * 400,
        b"1:2" * 10_001,
        b"\xff\xfe",
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
def test_what_breaks_the_protocol_is_answered_400_and_ends_the_session_and_nothing_else(body: bytes, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as bystander, RawClient(sio.port) as client:
            await connect_websocket(bystander)
            target = await connect_polling(client)
            answer = await client.request("POST", target, body)
            assert answer.status == 400 and b"Traceback" not in answer.body
            assert (await client.request("GET", target)).status == 400
            bystander.send(text('421["echo","still here"]'))
            assert await bystander.frame() == (0x81, b'42["echoed","still here"]')
            assert len(sio._hub.sessions) == 1

    run(main())


@pytest.mark.parametrize(
    "frame",
    [masked(0x82, b""), masked(0x82, b"\x01"), masked(0x82, b"\x04\x01"), text(""), text("9"), text("b1AA=="), text("3")],
)
def test_a_frame_that_breaks_the_protocol_ends_the_websocket(frame: bytes, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await connect_websocket(client)
            client.send(frame)
            first, payload = await client.frame()
            assert (first, payload[:2]) == (0x88, (1002).to_bytes(2, "big"))

    run(main())


# -- polls --------------------------------------------------------------------------------------------------------------


def test_two_gets_at_once_end_the_session_and_both_are_answered(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as first, RawClient(sio.port) as second:
            target = await connect_polling(first)
            waiting = asyncio.ensure_future(first.request("GET", target))
            await parked(sio)
            assert (await second.request("GET", target)).status == 400
            assert ((await waiting).status, (await waiting).text) == (200, "1:1")
            assert not sio._hub.sessions

    run(main())


def test_close_by_post_answers_the_waiting_poll_with_a_noop(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as first, RawClient(sio.port) as second:
            target = await connect_polling(first)
            waiting = asyncio.ensure_future(first.request("GET", target))
            await parked(sio)
            assert (await second.request("POST", target, b"1:1")).text == "ok"
            assert (await waiting).text == "1:6"
            assert not sio._hub.sessions

    run(main())


def test_a_client_that_is_sent_away_hears_so_before_its_session_ends(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as polls, RawClient(sio.port) as socket:
            target = await connect_polling(polls)
            await connect_websocket(socket)
            await sio.disconnect_sockets(close=True)
            assert (await polls.request("GET", target)).text == "2:41"
            assert (await polls.request("GET", target)).status == 400
            assert await socket.frame() == (0x81, b"41")
            assert (await socket.frame())[0] == 0x88
            assert not sio._hub.sessions

    run(main())


def test_jsonp_answers_are_script_calls_and_the_form_is_unescaped_before_lengths_are_counted(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", BASE + "polling&j=3&b64=1")
            assert answer.headers["content-type"] == "text/javascript; charset=UTF-8"
            assert answer.text.startswith("___eio[3](") and answer.text.endswith('2:40");')
            (sid,) = sio._hub.sessions
            target = f"{BASE}polling&j=3&b64=1&sid={sid}"
            # The string a, newline, b, backslash, n: JSON says "a\nb\\n", and the client writes each \n of that as \\n.
            await client.request("POST", target, b"d=21%3A42%5B%22echo%22%2C%22a%5C%5Cnb%5C%5C%5Cn+%22%5D")
            assert (await client.request("GET", target)).text == '___eio[3]("23:42[\\"echoed\\",\\"a\\\\nb\\\\\\\\n \\"]");'
            await client.request("POST", target, "d=15:42[%22echo%22,%22€ü%22]".encode())
            assert (await client.request("GET", target)).text == '___eio[3]("27:42[\\"echoed\\",\\"\\\\u20ac\\\\u00fc\\"]");'
            await sio.emit("x", "</script>\u2028")
            assert (await client.request("GET", target)).text == '___eio[3]("25:42[\\"x\\",\\"\\u003c\\/script\\u003e\\\\u2028\\"]");'
            await sio.emit("raw", b"\x01\x02")
            assert (await client.request("GET", target)).text == (
                '___eio[3]("41:451-[\\"raw\\",{\\"_placeholder\\":true,\\"num\\":0}]6:b4AQI=");'
            )

    run(main())


def test_htmlfile_is_open_to_this_revision_too(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as stream, RawClient(sio.port) as posts:
            stream.send(f"GET {BASE}htmlfile HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert (await stream.head())[0] == 200
            await stream.chunk()
            assert (await stream.chunk()).startswith(b'<script>_("0{')
            assert await stream.chunk() == b'<script>_("40");</script>'
            (sid,) = sio._hub.sessions
            sent = counted('451-["echo","é",{"_placeholder":true,"num":0}]', "b4AQI=")
            assert (await posts.request("POST", f"{BASE}htmlfile&sid={sid}", sent)).text == "ok"
            assert await stream.chunk() == (
                '<script>_("451-[\\"echoed\\",\\"é\\",{\\"_placeholder\\":true,\\"num\\":0}]");</script><script>_("b4AQI=");</script>'.encode()
            )

    run(main())


# -- namespaces ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def chatting(**settings: Any) -> AsyncIterator[anywire.Server]:
    async with serving(**settings) as sio:

        @sio.on("connect", namespace="/chat")
        async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
            request = environ["anywire.request"]
            if request.argument("token") == "bad":
                raise anywire.ConnectionRefusedError("wrong token")
            if request.argument("token") == "worse":
                raise anywire.ConnectionRefusedError("wrong token", {"code": 7})
            await sio.emit("welcome", (sid, auth, request.arguments.get("token"), environ["QUERY_STRING"]), to=sid, namespace="/chat")

        yield sio


def test_a_namespace_is_joined_with_its_query_and_the_ids_are_those_that_the_client_makes(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with chatting() as sio, RawClient(sio.port) as client:
            sid = await connect_websocket(client, "&token=url")
            client.send(text("40/chat?token=it%2C&x=1,"))
            assert await client.frame() == (0x81, b"40/chat,")
            query = "EIO=3&transport=websocket&token=url&token=it%2C&x=1"
            said = ["welcome", f"/chat#{sid}", {"token": "it,", "x": "1"}, ["url", "it,"], query]
            payload = (await client.frame())[1]
            assert payload[:8] == b"42/chat," and json.loads(payload[8:]) == said
            assert sio.rooms(sid) and sio.rooms(f"/chat#{sid}", namespace="/chat")
            await sio.emit("root", 1, to=sid)
            await sio.emit("there", 2, to=f"/chat#{sid}", namespace="/chat")
            assert await client.frame() == (0x81, b'42["root",1]')
            assert await client.frame() == (0x81, b'42/chat,["there",2]')
            assert sio.get_environ(f"/chat#{sid}", namespace="/chat")["QUERY_STRING"] == query
            assert sio.transport(sid) == sio.transport(f"/chat#{sid}", namespace="/chat") == "websocket"

    run(main())


def test_without_a_query_of_its_own_a_namespace_has_the_handshakes_and_no_auth(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with chatting() as sio, RawClient(sio.port) as client:
            sid = await connect_websocket(client, "&token=url")
            client.send(text("40/chat"))
            assert await client.frame() == (0x81, b"40/chat,")
            assert json.loads((await client.frame())[1][8:])[1:4] == [f"/chat#{sid}", None, ["url"]]

    run(main())


@pytest.mark.parametrize(
    ("join", "answer"),
    [
        ("40/chat?token=bad,", b'44/chat,"wrong token"'),
        ("40/chat?token=worse", b'44/chat,{"code":7}'),
        ("40/nowhere", b'44/nowhere,"Invalid namespace"'),
        ("40/nowhere?x=y,", b'44/nowhere,"Invalid namespace"'),
    ],
)
def test_a_refusal_is_told_by_its_data_or_its_message_and_the_connection_stays(join: str, answer: bytes, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with chatting() as sio, RawClient(sio.port) as client:
            await connect_websocket(client)
            client.send(text(join))
            assert await client.frame() == (0x81, answer)
            client.send(text('420["echo"]'))
            assert await client.frame() == (0x81, b'42["echoed"]')
            assert await client.frame() == (0x81, b"430[]")

    run(main())


def test_a_refusal_of_the_root_comes_with_the_handshake(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(connect_timeout=0.3) as sio, RawClient(sio.port) as client, RawClient(sio.port) as socket:

            @sio.event
            def connect(sid: str, environ: dict[str, Any]) -> None:
                raise anywire.ConnectionRefusedError("nicht für dich")

            target, more = await opening(client)
            assert more == r'23:44"nicht f\u00fcr dich"'
            # Said before it may have heard so: of no effect.
            assert (await client.request("POST", target, counted('42["echo"]'))).status == 200
            await socket.upgrade(BASE + "websocket")
            assert (await socket.frame())[1][:1] == b"0"
            assert await socket.frame() == (0x81, '44"nicht für dich"'.encode())
            # Nobody who is in no namespace stays, though it pings.
            socket.send(text("2"))
            assert await socket.frame() == (0x81, b"3")
            assert (await socket.frame())[0] == 0x88

    run(main())


def test_leaving_is_not_answered_and_the_root_can_be_joined_again(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with chatting() as sio, RawClient(sio.port) as client:
            sid = await connect_websocket(client)
            client.send(text("40/chat") + text("41"))
            assert await client.frame() == (0x81, b"40/chat,")
            assert json.loads((await client.frame())[1][8:])[1] == f"/chat#{sid}"
            client.send(text("40"))
            assert await client.frame() == (0x81, b"40")
            assert sio.rooms(sid)

    run(main())


# -- heartbeats and upgrade ---------------------------------------------------------------------------------------------


def test_each_ping_is_answered_with_its_data_and_the_server_never_pings(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(ping_interval=0.1, ping_timeout=5) as sio, RawClient(sio.port) as socket, RawClient(sio.port) as polls:
            await connect_websocket(socket)
            for data in (b"", b"probe", "é€".encode()):
                socket.send(masked(0x81, b"2" + data))
                assert await socket.frame() == (0x81, b"3" + data)
            target = await connect_polling(polls)
            for sent, heard in ((b"1:2", b"1:3"), (b"6:2probe", b"6:3probe"), ("2:2é".encode(), b"\x00\x03\xff3\xc3\xa9")):
                assert (await polls.request("POST", target, sent)).text == "ok"
                assert (await polls.request("GET", target)).body == heard

    run(main())


def test_silence_ends_the_session_after_interval_and_timeout(run: Callable[..., Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with serving(ping_interval=0.6, ping_timeout=0.4) as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            began = loop.time()
            assert (await client.request("GET", target)).text == "1:1"
            assert loop.time() - began > 0.9
            assert (await client.request("GET", target)).status == 400

    run(main())


def test_after_interval_and_timeout_there_is_no_slack(run: Callable[..., Any]) -> None:
    """As the public suites of Engine.IO 3 and 4 ask, which wait to the millisecond."""

    async def late(port: int) -> None:
        async with RawClient(port) as client:
            target = await connect_polling(client)
            await asyncio.sleep(0.2)
            assert (await client.request("POST", target, b"1:2")).status == 400

    async def main() -> None:
        async with serving(ping_interval=0.1, ping_timeout=0.1) as sio:
            await asyncio.gather(*(late(sio.port) for _ in range(20)))

    run(main())


def test_an_upgrade_moves_the_session_without_losing_or_doubling_a_message(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as polls, RawClient(sio.port) as socket:
            target = await connect_polling(polls)
            sid = target.partition("sid=")[2]
            waiting = asyncio.ensure_future(polls.request("GET", target))
            await parked(sio)
            assert (await socket.upgrade(BASE + "websocket&sid=" + sid)).status == 101
            socket.send(text("2probe"))
            assert await socket.frame() == (0x81, b"3probe")
            assert (await waiting).text == "1:6"
            await sio.emit("first", 1)
            await sio.emit("second", b"\x02")
            answer = await polls.request("GET", target)
            assert answer.body == (
                b'\x00\x01\x03\xff42["first",1]\x00\x04\x04\xff451-["second",{"_placeholder":true,"num":0}]\x01\x02\xff\x04\x02'
            )
            await sio.emit("third", "é")
            socket.send(text("5"))
            assert await socket.frame() == (0x81, '42["third","é"]'.encode())
            assert (await polls.request("GET", target)).status == 400
            assert sio.transport(sid) == "websocket"

    run(main())


# -- whose session it is ------------------------------------------------------------------------------------------------


def forwarded(address: str) -> str:
    return f"X-Forwarded-For: {address}\r\n"


@pytest.mark.parametrize(
    ("owner", "asker", "served"),
    [
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.200", True),
        ("198.51.100.7", "198.51.101.7", False),
        ("198.51.100.7", "2001:db8:1:2::1", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("198.51.100.7", "::ffff:198.51.100.9", True),
    ],
)
def test_who_knows_a_pollers_id_is_served_only_in_its_network(owner: str, asker: str, served: bool, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(trusted_proxies=["127.0.0.1"]) as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            target = await connect_polling(client, headers=forwarded(owner))
            async with RawClient(sio.port) as poster:
                answer = await poster.request("POST", target, counted('42["echo"]'), forwarded(asker))
            assert answer.status == (200 if served else 400)
            if not served:
                assert json.loads(answer.body) == {"code": 1, "message": "Session ID unknown"}
                assert (await other.request("GET", target, headers=forwarded(asker))).status == 400
                upgrade = await other.upgrade(BASE + "websocket&sid=" + target.partition("sid=")[2], forwarded(asker))
                assert (upgrade.status, upgrade.text) == (400, "Session ID unknown")
            # The owner has noticed nothing.
            assert (await client.request("POST", target, counted('42["echo","me"]'), forwarded(owner))).text == "ok"
            assert '42["echoed","me"]' in (await client.request("GET", target, headers=forwarded(owner))).text

    run(main())


def test_the_check_of_the_network_can_be_switched_off(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(trusted_proxies=["127.0.0.1"], bind_network=False) as sio, RawClient(sio.port) as client:
            target = await connect_polling(client, headers=forwarded("198.51.100.7"))
            assert (await client.request("POST", target, counted('42["echo"]'), forwarded("203.0.113.1"))).text == "ok"

    run(main())


def test_who_knows_the_id_of_a_session_on_a_websocket_can_do_nothing_with_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sid = await connect_websocket(client)
            for transport in ("polling", "websocket", "htmlfile", "polling&j=0"):
                target = f"{BASE}{transport}&sid={sid}"
                async with RawClient(sio.port) as other:
                    assert (await other.request("GET", target)).status == 400
                    answer = await other.upgrade(target)
                    assert answer.status == (101 if transport == "websocket" else 400)
                    if transport == "websocket":
                        other.send(text('42["echo","forged"]'))
                        assert (await other.frame())[0] == 0x88
                async with RawClient(sio.port) as other:
                    assert (await other.request("POST", target, counted('42["echo","forged"]'))).status == 400
            client.send(text('42["echo","mine"]'))
            assert await client.frame() == (0x81, b'42["echoed","mine"]')

    run(main())


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
@pytest.mark.parametrize("settings", [{"origins": "*"}, {"origins": [ELSEWHERE], "credentials": False}], ids=["anyone", "a list"])
def test_without_credentials_these_clients_are_allowed_those_that_they_insist_on(
    method: str, settings: dict[str, Any], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving(**settings) as sio, RawClient(sio.port) as client:
            elsewhere = f"Origin: {ELSEWHERE}\r\nAccess-Control-Request-Method: POST\r\n"
            answer = await client.request(method, BASE + "polling", headers=elsewhere)
            assert answer.headers["access-control-allow-origin"] == ELSEWHERE
            assert answer.headers["access-control-allow-credentials"] == "true" and answer.headers["vary"] == "Origin"
            answer = await client.request(method, BASE.replace("3", "4") + "polling", headers=elsewhere)
            assert answer.headers["access-control-allow-origin"] == ("*" if settings["origins"] == "*" else ELSEWHERE)
            assert "access-control-allow-credentials" not in answer.headers

    run(main())


@pytest.mark.parametrize(("origin", "cookie"), [(ELSEWHERE, None), ("null", None), ("http://127.0.0.1:{port}", "a=b")])
def test_but_a_page_elsewhere_brings_no_cookies_with_that(origin: str, cookie: str | None, run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen: list[Any] = []
        async with serving(origins="*") as sio, RawClient(sio.port) as polls, RawClient(sio.port) as socket:

            @sio.event
            def connect(sid: str, environ: dict[str, Any]) -> None:
                seen.append(environ.get("HTTP_COOKIE"))

            headers = f"Origin: {origin.format(port=sio.port)}\r\nCookie: a=b\r\n"
            await opening(polls, headers=headers)
            assert (await socket.upgrade(BASE + "websocket", headers)).status == 101
            assert seen == [cookie, cookie]

    run(main())


# -- bare ---------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def engine() -> AsyncIterator[tuple[anywire.EngineServer, list[Any]]]:
    server = anywire.EngineServer()
    happened: list[Any] = []
    server.on("connect", lambda sid, environ: happened.append(("connect", environ["QUERY_STRING"])))
    server.on("disconnect", lambda sid, reason: happened.append(("disconnect", reason)))

    @server.on("message")
    def message(sid: str, data: str | bytes) -> None:
        server.send(sid, data)

    async with listening(server):
        yield server, happened


def test_a_bare_session_carries_text_and_bytes_by_polls(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with engine() as (server, happened), RawClient(server.port) as client:
            answer = await client.request("GET", "/engine.io/?EIO=3&transport=polling")
            (sid,) = server._hub.sessions
            assert answer.text == f'{77 + len(sid)}:0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}}'
            target = f"/engine.io/?EIO=3&transport=polling&sid={sid}"
            # The example of Engine.IO 3's protocol, both ways.
            assert (await client.request("POST", target, b"6:4hello10:b4AQIDBA==")).text == "ok"
            answer = await client.request("GET", target)
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.body == b"\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04"
            assert (await client.request("POST", target, answer.body, OCTETS)).text == "ok"
            assert (await client.request("GET", target)).body == answer.body
            # Text beyond ASCII goes as octets, in which 1.x and 2.x agree.
            await client.request("POST", target, "3:4😀".encode())
            answer = await client.request("GET", target)
            assert answer.body == b"\x00\x05\xff4\xf0\x9f\x98\x80" and answer.headers["content-type"] == "application/octet-stream"
            assert (await client.request("POST", target, b"1:1")).text == "ok"
            assert happened == [("connect", "EIO=3&transport=polling"), ("disconnect", "client disconnect")]

    run(main())


def test_a_bare_session_with_base64_and_one_on_a_websocket(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with engine() as (server, _), RawClient(server.port) as client, RawClient(server.port) as socket:
            await client.request("GET", "/engine.io/?EIO=3&transport=polling&b64=1")
            (sid,) = server._hub.sessions
            target = f"/engine.io/?EIO=3&transport=polling&b64=1&sid={sid}"
            await client.request("POST", target, "3:4é€6:b4AQI=".encode())
            assert (await client.request("GET", target)).body == "3:4é€6:b4AQI=".encode()
            assert (await socket.upgrade("/engine.io/?EIO=3&transport=websocket")).status == 101
            assert (await socket.frame())[1][:1] == b"0"
            socket.send(masked(0x82, b"\x04\x01\x02") + text("4é") + text("b4AQI=") + text("2"))
            assert [await socket.frame() for _ in range(4)] == [
                (0x82, b"\x04\x01\x02"),
                (0x81, "4é".encode()),
                (0x82, b"\x04\x01\x02"),
                (0x81, b"3"),
            ]

    run(main())


def test_half_a_character_is_refused_before_it_is_sent(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with engine() as (server, _), RawClient(server.port) as socket:
            await socket.upgrade("/engine.io/?EIO=3&transport=websocket")
            (sid,) = server._hub.sessions
            with pytest.raises(anywire.PayloadError, match="half a character"):
                server.send(sid, "x\ud800")

    run(main())
