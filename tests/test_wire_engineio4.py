"""Engine.IO 4 and Socket.IO 5 on the wire, literally: requests, errors, payloads, upgrade, heartbeats."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anywire
import pytest
from anywire.transports import polling
from http_tools import RawClient, masked, text
from server_tools import BASE, serving


async def handshake(client: RawClient) -> dict[str, Any]:
    answer = await client.request("GET", BASE + "polling")
    assert answer.status == 200 and answer.text[0] == "0"
    opened: dict[str, Any] = json.loads(answer.text[1:])
    return opened


async def connect_polling(client: RawClient) -> str:
    """A polling session that has joined "/"; its target, ready for more requests."""
    target = BASE + "polling&sid=" + (await handshake(client))["sid"]
    assert (await client.request("POST", target, b"40")).text == "ok"
    assert (await client.request("GET", target)).text.startswith('40{"sid":')
    return target


async def connect_websocket(client: RawClient) -> None:
    assert (await client.upgrade(BASE + "websocket")).status == 101
    assert (await client.frame())[1][:1] == b"0"
    client.send(text("40"))
    assert (await client.frame())[1].startswith(b'40{"sid":')


def test_the_handshake_says_exactly_five_things_and_times_in_milliseconds(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(ping_interval=0.3, ping_timeout=0.2, max_payload=1000) as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", BASE + "polling")
            opened = json.loads(answer.text[1:])
            assert opened.pop("sid")
            assert opened == {"upgrades": ["websocket"], "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1000}
            assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
            assert answer.headers["cache-control"] == "no-store" and answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers and "set-cookie" not in answer.headers

    run(main())


@pytest.mark.parametrize(
    ("method", "query", "status", "body"),
    [
        ("GET", "EIO=4", 400, {"code": 0, "message": "Transport unknown"}),
        ("GET", "EIO=4&transport=tcp", 400, {"code": 0, "message": "Transport unknown"}),
        ("GET", "EIO=4&transport=polling&sid=nobody", 400, {"code": 1, "message": "Session ID unknown"}),
        ("GET", "EIO=4&transport=polling&sid=__proto__", 400, {"code": 1, "message": "Session ID unknown"}),
        ("GET", "EIO=4&transport=polling&sid=%ff%fe%00", 400, {"code": 1, "message": "Session ID unknown"}),
        ("GET", "EIO=4&transport=polling&sid=" + "x" * 10_000, 400, {"code": 1, "message": "Session ID unknown"}),
        ("GET", "EIO=4&transport=polling&sid=a&sid=b", 400, {"code": 1, "message": "Session ID unknown"}),
        ("POST", "EIO=4&transport=polling", 400, {"code": 2, "message": "Bad handshake method"}),
        ("PUT", "EIO=4&transport=polling", 400, {"code": 2, "message": "Bad handshake method"}),
        ("GET", "EIO=4&transport=polling&j=alert(1)//", 400, {"code": 3, "message": "Bad request"}),
        ("GET", "EIO=4&transport=websocket", 400, {"code": 3, "message": "Bad request"}),
        ("GET", "EIO=5&transport=polling", 400, {"code": 5, "message": "Unsupported protocol version"}),
        ("GET", "transport=polling", 400, {"code": 5, "message": "Unsupported protocol version"}),
    ],
)
def test_a_request_that_gets_no_session_is_told_why(method: str, query: str, status: int, body: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request(method, "/socket.io/?" + query)
            assert (answer.status, json.loads(answer.body)) == (status, body)
            assert answer.headers["content-type"] == "application/json"
            assert not sio._hub.sessions

    run(main())


def test_a_refused_websocket_gets_the_bare_message_and_never_a_101(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.upgrade(BASE + "websocket&sid=nobody")
            assert (answer.status, answer.text, answer.headers["content-type"]) == (400, "Session ID unknown", "text/html")

    run(main())


def test_messages_of_one_payload_are_separated_by_record_separators_both_ways(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            sent = '42["echo","a"]\x1e421["echo","é",1]'.encode()
            assert (await client.request("POST", target, sent)).text == "ok"
            answer = await client.request("GET", target)
            assert answer.text == '42["echoed","a"]\x1e42["echoed","é",1]\x1e431["é",1]'

    run(main())


def test_binary_travels_as_base64_over_polling_and_as_frames_over_websocket(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            async with RawClient(sio.port) as client:
                target = await connect_polling(client)
                await client.request("POST", target, b'451-["echo",{"_placeholder":true,"num":0}]\x1ebAQIDBA==')
                answer = await client.request("GET", target)
                assert answer.text == '451-["echoed",{"_placeholder":true,"num":0}]\x1ebAQIDBA=='
            async with RawClient(sio.port) as client:
                await connect_websocket(client)
                client.send(text('451-["echo",{"_placeholder":true,"num":0}]') + masked(0x82, b"\x01\x02\x03\x04"))
                assert await client.frame() == (0x81, b'451-["echoed",{"_placeholder":true,"num":0}]')
                assert await client.frame() == (0x82, b"\x01\x02\x03\x04")

    run(main())


@pytest.mark.parametrize(
    "packets",
    [
        "",
        "4",
        "abc",
        "2",
        "5",
        '42["echo"]x',
        "42[]",
        "42{}",
        '42[{"toString":1}]',
        '42[null,"x"]',
        '42[true,"x"]',
        '42["connect"]',
        '42["disconnecting"]',
        '42["newListener"]',
        '42/nowhere,["echo"]',
        "40",
        '40["auth"]',
        '44{"message":"x"}',
        "47",
        '43["no id"]',
        '4212345678901234567["echo"]',
        '4511-["echo",{"_placeholder":true,"num":0}]',
        '452147483648-["echo"]',
        '45-["echo"]',
        '4501-["echo",{"_placeholder":true,"num":0}]',
        '450-["echo",{"_placeholder":true,"num":0}]',
        '451-["echo",{"_placeholder":true,"num":5}]\x1ebAQID',
        '451-["echo",{"_placeholder":true,"num":-1}]\x1ebAQID',
        '451-["echo",{"_placeholder":true,"num":"0"}]\x1ebAQID',
        '451-["echo",{"_placeholder":true,"num":0.5}]\x1ebAQID',
        '451-["echo",{"_placeholder":true,"num":true}]\x1ebAQID',
        '451-["echo"]\x1ebAQID',
        '451-["echo",{"_placeholder":true,"num":0}]\x1e42["echo"]',
        "bAQID",
        '451-["echo",{"_placeholder":true,"num":0}]\x1eb AQID',
        '451-["echo",{"_placeholder":true,"num":0}]\x1eb-_-_',
        '42["echo",NaN]',
        '42["echo",1e999]',
        '42["echo",' + "1" * 5000 + "]",
        '42["echo",' + "[" * 200 + "]" * 200 + "]",
        '42["echo",' + "[" * 100_000 + "]" * 100_000 + "]",
        "\x1e".join(["3"] * 10_001),
    ],
)
def test_what_breaks_the_protocol_is_answered_400_and_ends_the_session_and_nothing_else(packets: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as bystander, RawClient(sio.port) as client:
            await connect_websocket(bystander)
            target = await connect_polling(client)
            answer = await client.request("POST", target, packets.encode())
            assert answer.status == 400 and b"Traceback" not in answer.body
            assert (await client.request("GET", target)).status == 400
            bystander.send(text('421["echo","still here"]'))
            assert await bystander.frame() == (0x81, b'42["echoed","still here"]')
            assert len(sio._hub.sessions) == 1

    run(main())


def test_an_unknown_namespace_is_refused_and_the_connection_stays(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await connect_websocket(client)
            client.send(text("40/nowhere,"))
            assert await client.frame() == (0x81, b'44/nowhere,{"message":"Invalid namespace"}')
            client.send(text('420["echo"]'))
            assert await client.frame() == (0x81, b'42["echoed"]')
            assert await client.frame() == (0x81, b"430[]")

    run(main())


def test_an_unasked_pong_is_ignored(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await connect_websocket(client)
            client.send(text("3") * 50 + text('42["echo"]'))
            assert await client.frame() == (0x81, b'42["echoed"]')

    run(main())


def test_two_gets_at_once_end_the_session_and_both_are_answered(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as first, RawClient(sio.port) as second:
            target = await connect_polling(first)
            waiting = asyncio.ensure_future(first.request("GET", target))
            await asyncio.sleep(0.05)
            answer = await second.request("GET", target)
            assert (answer.status, json.loads(answer.body)) == (400, {"code": 3, "message": "Bad request"})
            assert ((await waiting).status, (await waiting).text) == (200, "1")
            assert not sio._hub.sessions

    run(main())


def test_a_poll_that_the_client_drops_ends_the_session(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as second:
            async with RawClient(sio.port) as first:
                target = await connect_polling(first)
                first.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                await asyncio.sleep(0.05)
            assert (await second.request("GET", target)).status == 400

    run(main())


def test_close_by_post_answers_the_waiting_poll_with_a_noop(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as first, RawClient(sio.port) as second:
            target = await connect_polling(first)
            waiting = asyncio.ensure_future(first.request("GET", target))
            await asyncio.sleep(0.05)
            assert (await second.request("POST", target, b"1")).text == "ok"
            assert (await waiting).text == "6"
            assert (await second.request("GET", target)).status == 400

    run(main())


def test_leaving_a_namespace_is_not_answered(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(ping_interval=0.3, ping_timeout=5.0) as sio, RawClient(sio.port) as client:
            await connect_websocket(client)
            client.send(text("41"))
            assert await client.frame() == (0x81, b"2")

    run(main())


def test_the_first_ping_comes_after_the_interval_and_silence_ends_the_session(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(ping_interval=0.3, ping_timeout=0.2) as sio, RawClient(sio.port) as client:
            target = BASE + "polling&sid=" + (await handshake(client))["sid"]
            assert (await client.request("GET", target)).text == "2"
            assert len(sio._hub.sessions) == 1
            await asyncio.sleep(0.4)
            assert (await client.request("POST", target, b"3")).status == 400

    run(main())


def test_a_session_that_answers_pings_lives_on(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(ping_interval=0.1, ping_timeout=0.5) as sio, RawClient(sio.port) as client:
            await connect_websocket(client)
            for _ in range(5):
                assert await client.frame() == (0x81, b"2")
                client.send(text("3"))
            assert len(sio._hub.sessions) == 1

    run(main())


def test_a_session_without_a_connect_is_closed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(connect_timeout=0.1) as sio, RawClient(sio.port) as client:
            assert (await client.upgrade(BASE + "websocket")).status == 101
            await client.frame()
            assert (await client.frame())[0] == 0x88

    run(main())


def test_an_upgrade_moves_the_session_without_losing_or_doubling_a_message(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as polls, RawClient(sio.port) as socket:
            target = await connect_polling(polls)
            sid = target.partition("sid=")[2]
            waiting = asyncio.ensure_future(polls.request("GET", target))
            await asyncio.sleep(0.02)
            assert (await socket.upgrade(BASE + "websocket&sid=" + sid)).status == 101
            socket.send(text("2probe"))
            assert await socket.frame() == (0x81, b"3probe")
            assert (await waiting).text == "6"
            await sio.emit("first", 1)
            await sio.emit("second", 2)
            # The client asks once more; what was said meanwhile comes with that poll, and what comes later waits for the socket.
            assert (await polls.request("GET", target)).text == '42["first",1]\x1e42["second",2]'
            await sio.emit("third", 3)
            socket.send(text("5"))
            assert await socket.frame() == (0x81, b'42["third",3]')
            late = await polls.request("GET", target)
            assert (late.status, json.loads(late.body)) == (400, {"code": 3, "message": "Bad request"})
            assert sio.transport(next(iter(sio._hub.namespaces["/"].sockets))) == "websocket"

    run(main())


def test_noops_go_on_while_a_client_keeps_polling_during_its_upgrade(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as polls, RawClient(sio.port) as socket:
            target = await connect_polling(polls)
            await socket.upgrade(BASE + "websocket&sid=" + target.partition("sid=")[2])
            socket.send(text("2probe"))
            assert await socket.frame() == (0x81, b"3probe")
            for _ in range(3):
                assert (await polls.request("GET", target)).text == "6"

    run(main())


@pytest.mark.parametrize("first", ["4hello", "5", "3probe", "2", '42["echo"]'])
def test_anything_but_a_probe_ends_the_new_carrier_alone(first: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as polls, RawClient(sio.port) as socket:
            target = await connect_polling(polls)
            await socket.upgrade(BASE + "websocket&sid=" + target.partition("sid=")[2])
            socket.send(text(first))
            assert (await socket.frame())[0] == 0x88
            assert (await polls.request("POST", target, b'42["echo"]')).text == "ok"
            assert (await polls.request("GET", target)).text == '42["echoed"]'

    run(main())


def test_an_upgrade_that_never_ends_is_given_up_and_polling_goes_on(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(upgrade_timeout=0.1) as sio, RawClient(sio.port) as polls, RawClient(sio.port) as socket:
            target = await connect_polling(polls)
            await socket.upgrade(BASE + "websocket&sid=" + target.partition("sid=")[2])
            assert (await socket.frame())[0] == 0x88
            await polls.request("POST", target, b'42["echo"]')
            assert (await polls.request("GET", target)).text == '42["echoed"]'

    run(main())


def test_a_second_upgrade_at_once_is_closed_and_the_first_is_unharmed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as polls, RawClient(sio.port) as first, RawClient(sio.port) as second:
            target = await connect_polling(polls)
            upgrade = BASE + "websocket&sid=" + target.partition("sid=")[2]
            assert (await first.upgrade(upgrade)).status == 101
            assert (await second.upgrade(upgrade)).status == 101
            assert (await second.frame())[0] == 0x88
            first.send(text("2probe"))
            assert await first.frame() == (0x81, b"3probe")

    run(main())


def test_a_body_over_the_limit_is_413_and_the_session_stays(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(max_payload=200) as sio:
            async with RawClient(sio.port) as client:
                target = await connect_polling(client)
            async with RawClient(sio.port) as client:
                answer = await client.request("POST", target, b"4" + b"x" * 300)
                assert (answer.status, answer.body) == (413, b"")
            async with RawClient(sio.port) as client:
                client.send(
                    f"POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n".encode() + b"x" * 300 + b"\r\n"
                )
                assert (await client.answer()).status == 413
            async with RawClient(sio.port) as client:
                assert (await client.request("POST", target, b'42["echo"]')).text == "ok"
                assert (await client.request("GET", target)).text == '42["echoed"]'

    run(main())


def test_a_binary_or_compressed_body_is_refused(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            answer = await client.request("POST", target, b"x", "Content-Encoding: gzip\r\n")
            assert answer.status == 415
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            answer = await client.request("POST", target, b"\x00\x01", "Content-Type: application/octet-stream\r\n")
            assert answer.status == 400
            assert (await client.request("GET", target)).status == 400

    run(main())


def test_other_methods_on_a_session_are_405(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            for method in ("PUT", "DELETE"):
                assert (await client.request(method, target)).status == 405

    run(main())


def test_a_large_answer_is_compressed_for_who_takes_it(run: Callable[..., Any]) -> None:
    import gzip

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await connect_polling(client)
            await sio.emit("big", "x" * 5000)
            answer = await client.request("GET", target, headers="Accept-Encoding: gzip, deflate\r\n")
            assert answer.headers["content-encoding"] == "gzip"
            assert gzip.decompress(answer.body).decode() == '42["big","' + "x" * 5000 + '"]'
            await sio.emit("big", "x" * 5000)
            assert "content-encoding" not in (await client.request("GET", target)).headers

    run(main())


def test_jsonp_answers_are_script_calls_that_no_payload_can_break_out_of(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", BASE + "polling&j=3")
            assert answer.headers["content-type"] == "text/javascript; charset=UTF-8"
            assert answer.text.startswith('___eio[3]("0{\\"sid\\":\\"') and answer.text.endswith('");')
            sid = json.loads(json.loads(answer.text[len("___eio[3](") : -2])[1:])["sid"]
            target = f"{BASE}polling&j=4&sid={sid}"
            assert (await client.request("POST", target, b"d=40")).text == "ok"
            await client.request("GET", target)
            # The client wrote a newline as \n, and a literal backslash-n as \\n.
            await client.request("POST", target, b"d=42%5B%22echo%22%2C%22a%5C%5Cnb+%2B%22%5D")
            await sio.emit("x", "</script><!--\u2028\"'&")
            answer = await client.request("GET", target)
            assert answer.text == (
                '___eio[4]("42[\\"echoed\\",\\"a\\\\nb +\\"]'
                '\\u001e42[\\"x\\",\\"\\u003c\\/script\\u003e\\u003c!--\\u2028\\\\\\"\'\\u0026\\"]");'
            )

    run(main())


def test_htmlfile_streams_padded_script_tags_and_takes_posts(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as stream, RawClient(sio.port) as posts:
            stream.send(f"GET {BASE}htmlfile&i=7 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            status, headers = await stream.head()
            assert status == 200 and headers["content-type"] == "text/html; charset=UTF-8" and "x-frame-options" not in headers
            preamble = await stream.chunk()
            assert len(preamble) >= 1024 and b"anywire_htmlfile[7]" in preamble
            opened = (await stream.chunk()).decode()
            assert opened.startswith('<script>_("0{') and opened.endswith('");</script>')
            sid = json.loads(json.loads(opened[len("<script>_(") : -len(");</script>")])[1:])["sid"]
            target = f"{BASE}htmlfile&sid={sid}"
            assert (await posts.request("POST", target, b"40")).text == "ok"
            assert (await stream.chunk()).startswith(b'<script>_("40{')
            await posts.request("POST", target, b'42["echo","</script><!--"]')
            assert await stream.chunk() == b'<script>_("42[\\"echoed\\",\\"\\u003c\\/script\\u003e\\u003c!--\\"]");</script>'

    run(main())


def test_what_a_dead_poll_could_not_take_goes_out_again_with_the_next(run: Callable[..., Any]) -> None:
    async def main() -> None:
        big = "x" * 8_000_000
        async with serving(compression=False, max_queue_bytes=2**26) as sio:
            async with RawClient(sio.port) as client:
                target = await connect_polling(client)
            await sio.emit("big", big)
            reader, writer = await asyncio.open_connection("127.0.0.1", sio.port, limit=1024)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await reader.read(100)
            writer.transport.abort()
            await asyncio.sleep(0.1)
            async with RawClient(sio.port) as client:
                assert (await client.request("GET", target)).text == f'42["big","{big}"]'

    run(main())


FIRST = BASE + "polling&aw=1"


def test_a_post_that_says_so_begins_a_session_and_is_answered_as_its_first_poll(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:

            @sio.event
            async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
                await sio.emit("welcome", auth, to=sid)

            answer = await client.request("POST", FIRST, b'40{"token":"x"}')
            opened, joined, welcome = answer.text.split("\x1e")
            assert answer.status == 200 and answer.headers["content-type"] == "text/plain; charset=UTF-8"
            sid = json.loads(opened[1:])["sid"]
            assert opened[0] == "0" and joined.startswith('40{"sid":') and welcome == '42["welcome",{"token":"x"}]'
            target = BASE + "polling&sid=" + sid
            assert (await client.request("POST", target, b'42["echo",1]')).text == "ok"

    run(main())


def test_a_first_post_does_not_wait_for_a_slow_connect_handler(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            admitted = asyncio.Event()

            @sio.event
            async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
                await admitted.wait()

            answer = await client.request("POST", FIRST, b"40")
            assert answer.text[0] == "0" and answer.text.endswith("}\x1e6")
            admitted.set()
            target = BASE + "polling&sid=" + json.loads(answer.text[1:-2])["sid"]
            assert (await client.request("GET", target)).text.startswith('40{"sid":')

    run(main())


@pytest.mark.parametrize(
    ("query", "body", "status", "answered"),
    [
        ("transport=polling&aw=1", b"hello", 400, b"unknown packet type"),
        ("transport=polling&aw=1", b'42["too soon"]', 400, b"event for a namespace that is not joined"),
        ("transport=polling&aw=1", b"\xff", 400, b"the body is not UTF-8"),
        ("transport=polling&aw=1", b"1", 400, b'{"code":3,"message":"Bad request"}'),
        ("transport=polling&aw=1&sid=nobody", b"40", 400, b'{"code":1,"message":"Session ID unknown"}'),
        ("transport=polling&j=0&aw=1", b"d=40", 400, b'{"code":2,"message":"Bad handshake method"}'),
        ("transport=htmlfile&aw=1", b"40", 400, b'{"code":2,"message":"Bad handshake method"}'),
    ],
)
def test_a_first_post_that_is_wrong_begins_nothing(
    query: str, body: bytes, status: int, answered: bytes, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("POST", "/socket.io/?EIO=4&" + query, body)
            assert (answer.status, answer.body) == (status, answered)
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("verdict", [None, "members only"])
def test_the_authorization_is_asked_about_a_first_post(verdict: str | None, later: bool, run: Callable[..., Any]) -> None:
    async def decide(environ: dict[str, Any]) -> str | None:
        await asyncio.sleep(0.02)
        return verdict

    async def main() -> None:
        async with serving(authorization=decide if later else lambda environ: verdict) as sio, RawClient(sio.port) as client:
            answer = await client.request("POST", FIRST, b"40")
            if verdict is None:
                assert answer.status == 200 and '\x1e40{"sid":' in answer.text
            else:
                assert (answer.status, answer.body) == (403, b'{"code":4,"message":"members only"}')
                assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize(("declared", "answered"), [(65_537, b"HTTP/1.1 413 Request Entity Too Large\r\n"), (20, b"")])
def test_a_first_post_too_big_or_never_finished_begins_nothing(declared: int, answered: bytes, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(body_timeout=0.1) as sio, RawClient(sio.port) as client:
            client.send(f"POST {FIRST} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {declared}\r\n\r\n40".encode())
            assert (await client.reader.readline()) == answered
            assert not sio._hub.sessions

    run(main())


def test_our_own_client_is_told_at_once_that_its_connect_has_arrived(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as own, RawClient(sio.port) as stock:
            admitted = asyncio.Event()

            @sio.event
            async def connect(sid: str, environ: dict[str, Any]) -> None:
                await admitted.wait()

            for client, query in ((own, "&aw=1"), (stock, "")):
                assert (await client.upgrade(BASE + "websocket" + query)).status == 101
                assert (await client.frame())[1][:1] == b"0"
                client.send(text("40"))
            assert await own.frame() == (0x81, b"6")
            admitted.set()
            assert (await own.frame())[1].startswith(b'40{"sid":')
            assert (await stock.frame())[1].startswith(b'40{"sid":')

    run(main())


def overheard(sio: anywire.Server) -> tuple[list[str], asyncio.Queue[str]]:
    """What clients say, and the reasons why they are gone, as they come."""
    heard: list[str] = []
    ended: asyncio.Queue[str] = asyncio.Queue()
    sio.on("say", lambda sid, text: heard.append(text))
    sio.on("disconnect", lambda sid, reason: ended.put_nowait(reason))
    return heard, ended


@pytest.mark.parametrize(("own", "told"), [(True, ["first", "last"]), (False, [])])
def test_the_last_words_of_our_own_client_may_come_beside_a_post_and_are_taken_after_it(
    own: bool, told: list[str], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as beacon:
            heard, ended = overheard(sio)
            target = await connect_polling(client) + ("&aw=1" if own else "")
            first = b'42["say","first"]'
            client.send(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(first)}\r\n\r\n".encode() + first[:5])
            await asyncio.sleep(0.05)
            beacon.send(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18\r\n\r\n".encode() + b'42["say","last"]\x1e1')
            if own:
                await asyncio.sleep(0.05)
                client.send(first[5:])
                assert (await client.answer()).text == (await beacon.answer()).text == "ok"
                assert await ended.get() == "client disconnect"
            else:
                assert (await beacon.answer()).status == 400
                assert await ended.get() == "transport error"
            assert heard == told

    run(main())


@pytest.mark.parametrize(("own", "told"), [(True, ["last"]), (False, [])])
def test_the_last_words_of_our_own_client_may_come_after_the_end_of_its_poll(
    own: bool, told: list[str], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser whose page goes ends the poll and sends the beacon, by two connections of which either may be the faster one."""
    monkeypatch.setattr(polling, "LAST_WORDS", 20)

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as beacon:
            heard, ended = overheard(sio)
            target = await connect_polling(client) + ("&aw=1" if own else "")
            client.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await asyncio.sleep(0.05)
            client.writer.transport.abort()
            await asyncio.sleep(0.2)
            answer = await beacon.request("POST", target, b'42["say","last"]\x1e1')
            assert await asyncio.wait_for(ended.get(), 5) == ("client disconnect" if own else "transport close")
            assert answer.status == (200 if own else 400)
            assert heard == told

    run(main())


@pytest.mark.parametrize("back", [True, False])
def test_our_own_client_whose_poll_has_ended_has_a_moment_to_come_back(
    back: bool, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Firefox asks again for what a poll waited for whose connection was killed."""
    monkeypatch.setattr(polling, "LAST_WORDS", 2)

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as again:
            _, ended = overheard(sio)
            target = await connect_polling(client) + "&aw=1"
            client.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await asyncio.sleep(0.05)
            client.writer.transport.abort()
            await asyncio.sleep(0.05)
            await sio.emit("news", 1)
            assert ended.empty()
            if back:
                assert (await again.request("GET", target)).text == '42["news",1]'
                await asyncio.sleep(2.2)
                assert ended.empty()
            else:
                assert await asyncio.wait_for(ended.get(), 5) == "transport close"

    run(main())


def test_last_words_are_taken_although_their_connection_goes_before_their_turn(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as beacon:
            heard: asyncio.Queue[str] = asyncio.Queue()
            sio.on("say", lambda sid, text: heard.put_nowait(text))
            target = await connect_polling(client) + "&aw=1"
            first = b'42["say","first"]'
            client.send(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(first)}\r\n\r\n".encode() + first[:5])
            await asyncio.sleep(0.05)
            beacon.send(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\n\r\n".encode() + b'42["say","last"]')
            await asyncio.sleep(0.05)
            beacon.writer.transport.abort()
            await asyncio.sleep(0.05)
            client.send(first[5:])
            assert [await asyncio.wait_for(heard.get(), 5) for _ in range(2)] == ["first", "last"]

    run(main())
