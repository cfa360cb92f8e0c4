"""Requests as they come from the network, literally, and the answer to each: sizes, framing, slowness, methods, hostile heads."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import anywire
import pytest
from anywire.transports.exchange import ExchangeRouter, TornadoExchange
from http_tools import UPGRADE, RawClient, text
from server_tools import BASE, TRANSPORTS, Peer, knock, serving
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

BAD_REQUEST = {"code": 3, "message": "Bad request"}


async def all_of(port: int, *pieces: bytes) -> bytes:
    """Everything that is answered to these bytes, until the server closes the connection."""
    async with RawClient(port) as client:
        for piece in pieces:
            client.send(piece)
        try:
            return await asyncio.wait_for(client.reader.read(), 10)
        except ConnectionResetError:
            return b""


async def parked(sio: anywire.Server, peer: Peer) -> None:
    """Wait until the peer's GET has arrived."""
    transport = sio._hub.sessions[peer.sid].transport
    while not transport or not transport.ready:
        await asyncio.sleep(0)


def post(target: str, *lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1") + body


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Content-Length: 2", "Transfer-Encoding: chunked"], id="H1 length and chunks"),
        pytest.param(["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], id="H2 chunked twice"),
        pytest.param(["Transfer-Encoding: xchunked"], id="H2 xchunked"),
        pytest.param(["Transfer-Encoding: \x0bchunked"], id="H2 vertical tab"),
        pytest.param(["Transfer-Encoding : chunked"], id="H2 blank before the colon"),
        pytest.param(["Transfer-Encoding: gzip, chunked"], id="H2 gzip and chunked"),
        pytest.param(["Content-Length: +2"], id="H3 plus"),
        pytest.param(["Content-Length: 0_2"], id="H3 underscore"),
        pytest.param(["Content-Length: -2"], id="H3 minus"),
        pytest.param(["Content-Length: 2, 3"], id="H3 two in one"),
        pytest.param(["Content-Length: 2", "Content-Length: 3"], id="H3 two"),
        pytest.param(["Content-Length: 2, 2"], id="H3 the same twice in one"),
        pytest.param(["Content-Length: 2", "Content-Length: 2"], id="H3 the same twice"),
        pytest.param(["Content-Length: 0x2"], id="H3 hexadecimal"),
        pytest.param(["Content-Length: 2 2"], id="H3 blank"),
        pytest.param(["Content-Length: \xb2"], id="H3 superscript"),
        pytest.param(["Content-Length:"], id="H3 nothing"),
        pytest.param(["Content-Length: " + "9" * 400], id="H3 400 digits"),
        pytest.param(["Host: y", "Content-Length: 2"], id="H6 two hosts"),
        pytest.param(["X: a\rb", "Content-Length: 2"], id="H6 bare CR"),
        pytest.param(["X: a\0b", "Content-Length: 2"], id="H6 NUL"),
        pytest.param(["X: a", " folded", "Content-Length: 2"], id="H6 folded"),
        pytest.param(["X", "Content-Length: 2"], id="H6 no colon"),
        pytest.param([": x", "Content-Length: 2"], id="H6 no name"),
    ],
)
def test_a_request_whose_end_is_in_doubt_is_400_and_its_connection_closed(lines: list[str], run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer:
            # What a careless server takes for a second request must never be run.
            smuggled = f"GET {BASE}polling HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            answered = await all_of(sio.port, post(peer.target, *lines, body=b"40" + smuggled))
            assert answered.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")) and answered.count(b"HTTP/1.1 ") == 1, answered
            assert b"Traceback" not in answered and list(sio._hub.sessions) == [peer.sid]
            await peer.connect()

    run(main())


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(b"0x2\r\n40\r\n0\r\n\r\n", id="hexadecimal with 0x"),
        pytest.param(b"+2\r\n40\r\n0\r\n\r\n", id="plus"),
        pytest.param(b"2;extension=1\r\n40\r\n0\r\n\r\n", id="extension"),
        pytest.param(b"2 \r\n40\r\n0\r\n\r\n", id="blank"),
        pytest.param(b"2\r\n40\r\n0\r\nX-Trailer: 1\r\n\r\n", id="trailer"),
        pytest.param(b"2\r\n40XX0\r\n\r\n", id="bad end of a chunk"),
        pytest.param(b"ffffffffffffffffffffffff\r\n40\r\n0\r\n\r\n", id="huge"),
        pytest.param(b"-2\r\n40\r\n0\r\n\r\n", id="negative"),
        pytest.param(b"zz\r\n40\r\n0\r\n\r\n", id="no number"),
        pytest.param(b"\r\n40\r\n0\r\n\r\n", id="no size"),
    ],
)
def test_wrong_chunks_are_400_or_413_and_the_connection_closed(chunks: bytes, run: Callable[..., Any]) -> None:
    """H4."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer:
            answered = await all_of(sio.port, post(peer.target, "Transfer-Encoding: chunked", body=chunks))
            assert answered == b"" or answered.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")), answered
            await peer.connect()

    run(main())


def test_chunks_of_any_size_make_one_body(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            await peer.connect()
            body = b'42["echo","h\xe2\x82\xac"]'
            chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i : i + 1]) for i in range(len(body)))
            for octet in post(peer.target, "Transfer-Encoding: chunked", body=chunks + b"0\r\n\r\n"):
                client.send(bytes((octet,)))
            assert (await client.answer()).text == "ok"
            assert await peer.receive() == '42["echoed","h€"]'

    run(main())


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", id="version"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 preface"),
        pytest.param(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", id="PROXY line"),
        pytest.param(b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", id="control byte in the target"),
        pytest.param(b"GET\r\n\r\n", id="one word"),
        pytest.param(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", id="TLS hello"),
        pytest.param(b"\xff\xfe\xfd\r\n\r\n", id="no text"),
    ],
)
def test_what_is_no_request_is_400_and_the_connection_closed(head: bytes, run: Callable[..., Any]) -> None:
    """H6."""

    async def main() -> None:
        async with serving() as sio:
            answered = await all_of(sio.port, head)
            assert answered == b"" or answered.startswith(b"HTTP/1.1 400 "), answered
            assert (await knock(sio.port, "polling")).status == 200

    run(main())


def test_a_target_with_another_host_in_it_reaches_nothing(run: Callable[..., Any]) -> None:
    """H7: the host that counts would be the target's (RFC 9112, 3.2.2); no client of ours writes it so."""

    async def main() -> None:
        async with serving(allowed_hosts=["127.0.0.1"]) as sio, RawClient(sio.port) as client:
            client.send(f"GET http://evil.example{BASE}polling HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert (await client.answer()).status in (404, 421)
            assert not sio._hub.sessions

    run(main())


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(run: Callable[..., Any]) -> None:
    """H8."""

    async def main() -> None:
        async with serving(max_payload=200) as sio, Peer(sio.port, "polling") as peer:
            await peer.connect()
            fits = '42["echo","' + "x" * (200 - 13) + '"]'
            await peer.send(fits)
            assert await peer.receive() == '42["echoed","' + "x" * 187 + '"]'
            for lines, body in (
                (["Content-Length: 201"], b"x" * 201),
                (["Content-Length: 99999999999"], b""),
                (["Transfer-Encoding: chunked"], b"c9\r\n" + b"x" * 201 + b"\r\n"),
                (["Transfer-Encoding: chunked"], b"64\r\n" + b"x" * 100 + b"\r\n65\r\n" + b"x" * 101 + b"\r\n"),
            ):
                answered = await all_of(sio.port, post(peer.target, *lines, body=body))
                assert answered.startswith(b"HTTP/1.1 413 ") and answered.endswith(b"\r\n\r\n"), answered
            await peer.send('42["echo","lives"]')
            assert await peer.receive() == '42["echoed","lives"]'

    run(main())


@pytest.mark.parametrize("transport", ["jsonp", "htmlfile"])
def test_the_limit_holds_on_every_transport_that_posts(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(max_payload=200) as sio, Peer(sio.port, transport) as peer:
            await peer.connect()
            answered = await all_of(sio.port, post(peer.target, "Content-Length: 201", body=b"x" * 201))
            assert answered.startswith(b"HTTP/1.1 413 ")
            await peer.send('42["echo","lives"]')
            assert await peer.receive() == '42["echoed","lives"]'

    run(main())


@pytest.mark.parametrize("head", [b"GET /socket.io/ HTTP/1.1\r\nHost: x\r\nX-Drip: ", b"", b"GET"])
def test_a_head_that_drips_is_cut_off_in_time(head: bytes, run: Callable[..., Any]) -> None:
    """H9."""

    async def main() -> None:
        begun = time.monotonic()
        async with serving(idle_timeout=0.3) as sio, RawClient(sio.port) as client:
            client.send(head)
            drip = asyncio.ensure_future(dripping(client))
            try:
                assert await asyncio.wait_for(client.reader.read(), 10) == b""
            except ConnectionResetError:
                pass
            finally:
                drip.cancel()
            assert 0.2 < time.monotonic() - begun < 5

    run(main())


async def dripping(client: RawClient) -> None:
    while True:
        await asyncio.sleep(0.05)
        client.send(b"a")


def test_a_parked_poll_and_an_open_socket_outlive_the_idle_time(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(idle_timeout=0.2, body_timeout=0.2) as sio, AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(Peer(sio.port, transport)) for transport in TRANSPORTS]
            for peer in peers:
                await peer.connect()
            waiting = [asyncio.ensure_future(peer.receive()) for peer in peers]
            await asyncio.sleep(0.6)
            await sio.emit("late")
            assert await asyncio.gather(*waiting) == ['42["late"]'] * 4

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_a_body_that_drips_is_cut_off_in_time_and_the_session_lives(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(body_timeout=0.3) as sio, Peer(sio.port, transport) as peer:
            await peer.connect()
            async with RawClient(sio.port) as client:
                client.send(post(peer.target, "Content-Length: 1000", body=b"42["))
                drip = asyncio.ensure_future(dripping(client))
                begun = time.monotonic()
                try:
                    answered = await asyncio.wait_for(client.reader.read(), 10)
                except ConnectionResetError:
                    answered = b""
                finally:
                    drip.cancel()
                assert not answered.startswith(b"HTTP/1.1 200") and 0.2 < time.monotonic() - begun < 5
            await peer.send('42["echo","lives"]')
            assert await peer.receive() == '42["echoed","lives"]'

    run(main())


def test_a_chunk_that_never_ends_is_cut_off_in_time(run: Callable[..., Any]) -> None:
    """H4: Tornado waits for the CRLF of a line that ended in LF."""

    async def main() -> None:
        async with serving(body_timeout=0.3) as sio, Peer(sio.port, "polling") as peer:
            answered = await all_of(sio.port, post(peer.target, "Transfer-Encoding: chunked", body=b"2\n40\n0\n\n"))
            assert not answered.startswith(b"HTTP/1.1 200")
            await peer.connect()

    run(main())


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET %s HTTP/1.1\nHost: x\n\n", id="every line"),
        pytest.param(b"GET %s HTTP/1.1\nHost: x\r\n\r\n", id="the first"),
        pytest.param(b"GET %s HTTP/1.1\r\nHost: x\n\r\n", id="one between"),
        pytest.param(b"GET %s HTTP/1.1\r\nHost: x\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n", id="one that a proxy takes for a part"),
        pytest.param(b"GET %s HTTP/1.1\r\nHost: x\r\n\n", id="the last"),
        pytest.param(b"\nGET %s HTTP/1.1\r\nHost: x\r\n\r\n", id="one before"),
    ],
)
def test_a_line_that_lf_alone_ends_is_400_and_the_connection_closed(head: bytes, run: Callable[..., Any]) -> None:
    """H5."""

    async def main() -> None:
        async with serving() as sio:
            answered = await all_of(sio.port, head % f"{BASE}polling".encode())
            assert answered == b"HTTP/1.1 400 Bad Request\r\n\r\n" and not sio._hub.sessions
            # An empty line between two requests is one that some clients send (RFC 9112, 2.2).
            async with RawClient(sio.port) as client:
                for _ in range(2):
                    client.send(f"\r\nGET {BASE}polling HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                    assert (await client.answer()).status == 200

    run(main())


@pytest.mark.parametrize("closing", ["Content-Length: 201", "Content-Encoding: gzip", "Connection: close"])
def test_what_follows_a_request_at_which_the_server_hangs_up_is_not_run(closing: str, run: Callable[..., Any]) -> None:
    """H8: a client or proxy sends again what was not answered."""

    async def main() -> None:
        async with serving(max_payload=200) as sio, Peer(sio.port, "polling") as peer:
            heard: list[Any] = []
            sio.on("late", lambda sid: heard.append(sid))
            await peer.connect()
            lines, body = ([closing], b"x" * 201) if "201" in closing else ([closing, "Content-Length: 1"], b"6")
            behind = post(peer.target, "Content-Length: 10", body=b'42["late"]') + f"GET {BASE}polling HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            answered = await all_of(sio.port, post(peer.target, *lines, body=body) + behind)
            assert answered.count(b"HTTP/1.1 ") == 1
            await peer.send('42["echo"]')
            assert await peer.receive() == '42["echoed"]'
            assert not heard and list(sio._hub.sessions) == [peer.sid]

    run(main())


def test_requests_in_one_segment_are_answered_one_after_the_other(run: Callable[..., Any]) -> None:
    """H10."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            await peer.connect()
            get = f"GET {peer.target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            body = b'42["echo",1]'
            client.send(post(peer.target, f"Content-Length: {len(body)}", body=body) + get + b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await client.answer()).text == "ok"
            assert (await client.answer()).text == '42["echoed",1]'
            assert (await client.answer()).status == 404

    run(main())


def test_a_request_behind_a_parked_poll_waits_for_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            await peer.connect()
            client.send(f"GET {peer.target} HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await peer.send('42["echo","parked"]')
            assert (await client.answer()).text == '42["echoed","parked"]'
            assert (await client.answer()).status == 404

    run(main())


def test_a_reset_behind_a_pipelined_request_is_found_out_by_the_heartbeat(run: Callable[..., Any]) -> None:
    """H10: with bytes unread, Tornado does not see the reset; the poll's end must be bounded."""

    async def main() -> None:
        gone = asyncio.Event()
        async with serving(ping_interval=0.2, ping_timeout=0.2) as sio:
            sio.on("disconnect", lambda sid, reason: gone.set())
            async with Peer(sio.port, "polling") as peer:
                await peer.connect()
                target = peer.target
                client = socket.create_connection(("127.0.0.1", sio.port))
                client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                while not sio._hub.sessions[peer.sid].transport.ready:  # type: ignore[union-attr]
                    await asyncio.sleep(0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                await asyncio.wait_for(gone.wait(), 5)
                assert not sio._hub.sessions

    run(main())


def test_too_many_header_lines_are_431_and_too_long_ones_close_the_connection(run: Callable[..., Any]) -> None:
    """H11."""

    async def main() -> None:
        async with serving() as sio:
            for count, status in ((98, 200), (101, 431), (5_000, 431)):
                lines = "".join(f"x{i}:\r\n" for i in range(count))
                async with RawClient(sio.port) as client:
                    client.send(f"GET {BASE}polling HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
                    try:
                        assert (await client.answer()).status == status
                    except (asyncio.IncompleteReadError, ConnectionResetError):
                        assert count == 5_000
            answered = await all_of(sio.port, f"GET {BASE}polling HTTP/1.1\r\nHost: x\r\nX: {'a' * 70_000}\r\n\r\n".encode())
            assert not answered.startswith(b"HTTP/1.1 200")

    run(main())


def test_thousands_of_arguments_are_refused(run: Callable[..., Any]) -> None:
    """H12."""

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            arguments = "&".join(f"a{i}=1" for i in range(2000))
            answer = await client.request("GET", BASE + "polling&" + arguments)
            assert answer.status == 400 and not sio._hub.sessions

    run(main())


def test_a_body_in_an_encoding_is_415_whatever_it_unpacks_to(run: Callable[..., Any]) -> None:
    """H13: nothing is inflated."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer:
            for encoding in ("gzip", "deflate", "br", "identity, gzip", "x"):
                answered = await all_of(sio.port, post(peer.target, f"Content-Encoding: {encoding}", "Content-Length: 2", body=b"40"))
                assert answered.startswith(b"HTTP/1.1 415 "), encoding
            await peer.connect()

    run(main())


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/plain;charset=UTF-8", 200),
        ("text/plain", 200),
        ("", 200),
        ("application/x-www-form-urlencoded", 200),
        ("multipart/form-data; boundary=x", 200),
        ("application/octet-stream", 400),
        ("Application/Octet-Stream; x=y", 400),
    ],
)
def test_a_text_payload_is_text_whatever_its_type_and_bytes_are_refused(kind: str, status: int, run: Callable[..., Any]) -> None:
    """H14: and no form is ever parsed."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            header = f"Content-Type: {kind}\r\n" if kind else ""
            answer = await client.request("POST", peer.target, b"40", header)
            assert answer.status == status
            assert (peer.sid in sio._hub.sessions) is (status == 200)

    run(main())


@pytest.mark.parametrize("body", [b"4\xff\xfe", b"\xc0\x80", b"4\xed\xa0\x80"])
def test_a_body_that_is_no_utf8_ends_the_session_and_the_poll_that_waits(body: bytes, run: Callable[..., Any]) -> None:
    """H15."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            await peer.connect()
            waiting = asyncio.ensure_future(peer.receive())
            await parked(sio, peer)
            assert (await client.request("POST", peer.target, body)).status == 400
            assert await waiting == "1"
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize(
    "packet",
    ["42\u0661[\"echo\"]", '45\u0661-["echo",{"_placeholder":true,"num":0}]\x1ebAQID', '42\u00b2["echo"]', "\u06634"],
)
def test_digits_of_other_scripts_are_no_digits(packet: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            await peer.connect()
            assert (await client.request("POST", peer.target, packet.encode())).status == 400
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("body", [b"", b"x=1", b"D=40", b"dd=40", b"d", b"40", b"d=%ff%fe", b"d=%zz"])
def test_a_form_without_its_field_ends_the_session(body: bytes, run: Callable[..., Any]) -> None:
    """H15."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "jsonp") as peer, RawClient(sio.port) as client:
            answer = await client.request("POST", peer.target, body, "Content-Type: application/x-www-form-urlencoded\r\n")
            assert answer.status == 400 and answer.body
            assert not sio._hub.sessions

    run(main())


def test_what_a_page_that_goes_sends_by_beacon_is_text_also_in_a_session_of_forms(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "jsonp") as peer, RawClient(sio.port) as client:
            heard: list[str] = []
            sio.on("say", lambda sid, text: heard.append(text))
            await peer.connect()
            answer = await client.request("POST", peer.target, b'42["say","d=bye+"]\x1e1', "Content-Type: text/plain;charset=UTF-8\r\n")
            assert (answer.status, answer.body) == (200, b"ok")
            assert heard == ["d=bye+"] and not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_two_posts_at_once_end_the_poll_or_stream_that_waits(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer, RawClient(sio.port) as slow, RawClient(sio.port) as second:
            await peer.connect()
            waiting = asyncio.ensure_future(peer.receive())
            await parked(sio, peer)
            slow.send(post(peer.target, "Content-Length: 100", body=b"42["))
            while not sio._hub.sessions[peer.sid].transport._reading:  # type: ignore[union-attr]
                await asyncio.sleep(0)
            assert (await second.request("POST", peer.target, b"3")).status == 400
            assert await waiting == "1"
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_a_post_that_a_proxy_sends_twice_is_taken_once(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer, RawClient(sio.port) as client:
            await peer.connect()
            bodies = [b"d=" + quote(text).encode() if transport == "jsonp" else text.encode() for text in ('42["echo",1]', '42["echo",2]')]
            # The client's own next POST has another t, whatever it says; and without one nothing is known of a POST.
            for query, body in [("&t=a", 0), ("&t=a", 0), ("&t=b", 0), ("&t=c", 1), ("&t=c", 1), ("&t=c", 1), ("", 1), ("", 1)]:
                answer = await client.request("POST", peer.target + query, bodies[body])
                assert (answer.status, answer.body) == (200, b"ok")
            assert [await peer.receive() for _ in range(5)] == [f'42["echoed",{number}]' for number in (1, 1, 2, 2, 2)]

    run(main())


def test_where_a_request_comes_from_is_said_by_trusted_proxies_alone(run: Callable[..., Any]) -> None:
    """H17."""
    forwarded = "X-Forwarded-For: 203.0.113.9\r\nX-Real-Ip: 203.0.113.8\r\nX-Forwarded-Proto: https\r\nForwarded: for=203.0.113.7\r\n"

    async def seen(headers: str, **settings: Any) -> tuple[str, str]:
        environs: list[dict[str, Any]] = []
        async with serving(authorization=lambda environ: environs.append(dict(environ)), **settings) as sio:
            assert (await knock(sio.port, "polling", headers)).status == 200
        return environs[0]["REMOTE_ADDR"], environs[0]["wsgi.url_scheme"]

    async def main() -> None:
        assert await seen(forwarded) == ("127.0.0.1", "http")
        assert await seen(forwarded, trusted_proxies=["10.0.0.0/8"]) == ("127.0.0.1", "http")
        assert await seen(forwarded, trusted_proxies=["127.0.0.0/8"]) == ("203.0.113.9", "https")
        # A client can write the header's beginning; each trusted hop appends the one that it has seen.
        spoofed = "X-Forwarded-For: 1.2.3.4, 203.0.113.9, 10.1.2.3\r\n"
        assert await seen(spoofed, trusted_proxies=["127.0.0.1", "10.0.0.0/8"]) == ("203.0.113.9", "http")
        assert await seen("", trusted_proxies=["127.0.0.1"]) == ("127.0.0.1", "http")

    run(main())


def test_no_answer_names_the_software_a_path_or_a_line_of_code(run: Callable[..., Any]) -> None:
    """H19."""

    def fails(environ: Any) -> bool:
        raise RuntimeError("/srv/secret.py")

    async def main() -> None:
        async with serving(authorization=fails) as sio:
            requests = [
                f"GET {BASE}polling HTTP/1.1\r\nHost: x\r\n\r\n",
                f"GET {BASE}tcp HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /socket.io/nowhere.js HTTP/1.1\r\nHost: x\r\n\r\n",
                f"BREW {BASE}polling HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET / HTTP/9.9\r\n\r\n",
            ]
            for request in requests:
                answered = await all_of(sio.port, request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
                assert answered.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
                for word in (b"tornado", b"anywire", b"python", b"secret", b".py", b"traceback", b"server:"):
                    assert word not in answered.lower(), (request, answered)

    run(main())


def test_what_clients_say_stays_on_one_line_of_the_log(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """H20."""

    async def main() -> None:
        caplog.set_level("DEBUG")
        async with serving() as sio:

            @sio.event
            def breaks(sid: str, *args: Any) -> None:
                raise RuntimeError("the handler fails")

            hostile = "\x1b[31mred\\r\\nforged line\x7f"
            name = json.dumps("\x1b[31m\r\nforged line" + "n" * 5000)
            async with Peer(sio.port, "polling", query="&user=%0d%0aforged%20line%1b", headers="User-Agent: forged%0aline\r\n") as peer:
                await peer.connect()
                await peer.send(f'42["breaks",{name}]')
                await peer.send(f"42[{name}]")
                await peer.send("40/" + "%0d%0aforged line\x1b" + ",")
            async with RawClient(sio.port) as client:
                await client.request("GET", BASE + "polling&sid=%0d%0aforged%20line%1b")
            async with RawClient(sio.port) as client:
                client.send(f"GET {BASE}{hostile} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                await client.reader.read(100)

    run(main())
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("anywire")]
    assert messages
    for message in messages:
        assert message.isprintable() and len(message) < 400, message


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_reason_of_the_application_cannot_split_the_answer(transport: str, run: Callable[..., Any]) -> None:
    """H21."""

    async def main() -> None:
        async with serving(authorization=lambda environ: "no\r\nX-Injected: 1\r\n\r\n<script>") as sio:
            answer = await knock(sio.port, transport)
            assert answer.status == 403 and "x-injected" not in answer.headers and b"X-Injected" in answer.body

    run(main())


def test_methods_that_nobody_needs_make_nothing_and_close_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            for method in ("HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW", "get", "Post"):
                answer = await client.request(method, BASE + "polling")
                assert answer.status == 400 and answer.body in (b"", b'{"code":2,"message":"Bad handshake method"}'), method
                answer = await client.request(method, peer.target)
                assert (answer.status, answer.headers["allow"]) == (405, "GET, POST"), method
            assert list(sio._hub.sessions) == [peer.sid]
            await peer.connect()

    run(main())


def test_a_head_request_is_answered_by_a_head_alone(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            get = await client.request("GET", BASE + "tcp")
            head = await client.request("HEAD", BASE + "tcp")
            assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
            # Nothing of a body is left on the connection.
            assert (await client.request("GET", BASE + "polling")).status == 200

    run(main())


def test_who_expects_a_100_gets_it_before_the_body_and_a_413_instead_of_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(max_payload=200) as sio, Peer(sio.port, "polling") as peer:
            async with RawClient(sio.port) as client:
                client.send(post(peer.target, "Expect: 100-continue", "Content-Length: 2"))
                assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
                client.send(b"40")
                assert (await client.answer()).text == "ok"
            async with RawClient(sio.port) as client:
                client.send(post(peer.target, "Expect: 100-continue", "Content-Length: 201"))
                assert (await client.answer()).status == 413

    run(main())


def test_an_old_proxy_that_speaks_1_0_polls_and_streams(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            answered = await all_of(sio.port, f"GET {BASE}polling HTTP/1.0\r\n\r\n".encode())
            head, _, body = answered.partition(b"\r\n\r\n")
            assert b"200 OK" in head and json.loads(body[1:])["sid"] in sio._hub.sessions
            async with RawClient(sio.port) as client, RawClient(sio.port) as posts:
                client.send(f"GET {BASE}htmlfile HTTP/1.0\r\nHost: x\r\n\r\n".encode())
                _, headers = await client.head()
                assert "transfer-encoding" not in headers and "content-length" not in headers
                opened = (await client.reader.readuntil(b'");</script>')).decode()
                sid = json.loads(json.loads(opened[opened.index('<script>_("') + 10 : -len(");</script>")])[1:])["sid"]
                assert (await posts.request("POST", f"{BASE}htmlfile&sid={sid}", b"40")).text == "ok"
                assert b"40{" in await client.reader.readuntil(b'");</script>')

    run(main())


def test_a_connection_is_kept_after_errors_that_leave_nothing_unread(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            for _ in range(3):
                assert (await client.request("GET", BASE + "polling&sid=nobody")).status == 400
                assert (await client.request("GET", "/nowhere")).status == 404
                assert (await client.request("OPTIONS", BASE + "polling")).status == 204
            assert (await client.request("GET", BASE + "polling")).status == 200

    run(main())


def test_a_handshake_with_a_body_is_never_taken_for_frames(run: Callable[..., Any]) -> None:
    async def main() -> None:
        heard = []
        async with serving() as sio:
            sio.on("smuggled", lambda sid: heard.append(sid))
            body = text("40") + text('42["smuggled"]')
            request = f"GET {BASE}websocket HTTP/1.1\r\nHost: x\r\n{UPGRADE}Content-Length: {len(body)}\r\n\r\n".encode()
            async with RawClient(sio.port) as client:
                client.send(request + body)
                status, _ = await client.head()
                assert status == 400
            for _ in range(20):
                await asyncio.sleep(0)
            assert not heard and not sio._hub.sessions

    run(main())


def test_frames_that_follow_a_handshake_in_the_same_segment_are_heard(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            client.send(f"GET {BASE}websocket HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode() + text("40") + text('42["echo","early"]'))
            assert (await client.head())[0] == 101
            assert (await client.frame())[1][:1] == b"0"
            assert (await client.frame())[1].startswith(b'40{"sid"')
            assert await client.frame() == (0x81, b'42["echoed","early"]')

    run(main())


def test_a_reset_at_any_byte_of_a_request_harms_nobody(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, AsyncExitStack() as stack:
            names = ("polling", "websocket", "polling")
            peer, other, victim = [await stack.enter_async_context(Peer(sio.port, name)) for name in names]
            await peer.connect()
            await other.connect()
            whole = post(victim.target, "Content-Length: 14", body=b'42["echo","x"]')
            handshake = f"GET {BASE}websocket HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode()
            for request in (whole[:-1], handshake):
                for size in range(1, len(request) + 1, 7):
                    client = socket.create_connection(("127.0.0.1", sio.port))
                    client.sendall(request[:size])
                    await asyncio.sleep(0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    await asyncio.sleep(0)
            for each in (peer, other):
                await each.send('42["echo","unharmed"]')
                assert await each.receive() == '42["echoed","unharmed"]'

    run(main())


@pytest.mark.parametrize(
    ("version", "lines", "said", "stays"),
    [
        ("HTTP/1.1", "", b"", True),
        ("HTTP/1.1", "Connection: close\r\n", b"Connection: close\r\n", False),
        ("HTTP/1.0", "Connection: keep-alive\r\n", b"Connection: Keep-Alive\r\n", True),
        ("HTTP/1.0", "", b"Connection: close\r\n", False),
    ],
)
def test_an_answers_head_literally_and_whether_the_connection_stays(
    version: str, lines: str, said: bytes, stays: bool, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            client.send(f"GET /nothing {version}\r\nHost: x\r\n{lines}\r\n".encode())
            head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nContent-Type: text/plain; charset=UTF-8\r\n" + said + b"\r\n"
            assert await client.reader.readexactly(len(head) + 9) == head + b"not found"
            if stays:
                client.send(f"HEAD /nothing {version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                assert await asyncio.wait_for(client.reader.read(), 10) == head.replace(said, b"", 1)[:-2] + b"Connection: close\r\n\r\n"
            else:
                assert await asyncio.wait_for(client.reader.read(), 10) == b""

    run(main())


def test_a_header_that_would_be_two_is_never_sent(run: Callable[..., Any]) -> None:
    def mislead(exchange: TornadoExchange) -> None:
        exchange.respond(200, b"body", headers=[("X-Name", "value\r\nSet-Cookie: stolen=1")])

    async def main() -> None:
        server = HTTPServer(ExchangeRouter(mislead))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        assert await all_of(sockets[0].getsockname()[1], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        server.stop()
        await server.close_all_connections()

    run(main())
