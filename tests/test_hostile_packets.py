"""Packets that break Engine.IO 4 or Socket.IO 5, literally, on every transport: their session ends and no other. And what only looks so."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from api_tools import until
from http_tools import RawClient, masked, text
from server_tools import BASE, TRANSPORTS, Peer, serving

PLACE = '{"_placeholder":true,"num":0}'
#: After a CONNECT.
WRONG: dict[str, tuple[str | bytes, ...]] = {
    "nothing": ("",),
    "message without a packet": ("4",),
    "unknown Engine.IO type": ("7",),
    "words": ("abc",),
    "ping from the client": ("2",),
    "open from the client": ("0{}",),
    "upgrade on a carrier that was not probed": ("5",),
    "noop with data": ("6x",),
    "close with data": ("1x",),
    "unknown Socket.IO type": ("47",),
    "P1 event for a namespace that is not joined": ('42/nowhere,["echo"]',),
    "P1 acknowledgement for a namespace that is not joined": ("43/nowhere,1[]",),
    "P1 second CONNECT": ("40",),
    "P1 CONNECT with an array": ('40/x,["auth"]',),
    "P1 CONNECT with a text": ('40/x,"auth"',),
    "P1 CONNECT_ERROR": ('44{"message":"x"}',),
    "P2 no name": ("42[]",),
    "P2 no array": ("42{}",),
    "P2 a text": ('42"echo"',),
    "P2 nothing": ("42",),
    "P2 name is an object": ('42[{"toString":1}]',),
    "P2 name is an array": ('42[["echo"]]',),
    "P2 name is null": ('42[null,"x"]',),
    "P2 name is true": ('42[true,"x"]',),
    **{
        f"P2 reserved {name}": (f'42["{name}"]',)
        for name in ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
    },
    "P2 reserved with an acknowledgement": ('4212["connect"]',),
    "P2 reserved with attachments": (f'451-["disconnect",{PLACE}]', b"\x01"),
    "rubbish behind JSON": ('42["echo"]x',),
    "P7 eleven attachments": (f'4511-["echo",{PLACE}]',),
    "P7 2^31 attachments": ('452147483648-["echo"]',),
    "P7 attachments 1e3": ('451e3-["echo"]',),
    "P7 attachments -1": ('45-1-["echo"]',),
    "P7 attachments 01": (f'4501-["echo",{PLACE}]',),
    "P7 no number of attachments": ('45-["echo"]',),
    "P7 attachments of a plain event": (f'421-["echo",{PLACE}]',),
    "P7 a binary event without a count": ('45["echo"]',),
    "P8 number 5 of 1": ('451-["echo",{"_placeholder":true,"num":5}]', b"\x01"),
    "P8 number 1 of 1": ('451-["echo",{"_placeholder":true,"num":1}]', b"\x01"),
    "P8 number -1": ('451-["echo",{"_placeholder":true,"num":-1}]', b"\x01"),
    "P8 number as text": ('451-["echo",{"_placeholder":true,"num":"0"}]', b"\x01"),
    "P8 number splice": ('451-["echo",{"_placeholder":true,"num":"splice"}]', b"\x01"),
    "P8 number 0.5": ('451-["echo",{"_placeholder":true,"num":0.5}]', b"\x01"),
    "P8 number true": ('451-["echo",{"_placeholder":true,"num":true}]', b"\x01"),
    "P8 number is an array": ('451-["echo",{"_placeholder":true,"num":[0]}]', b"\x01"),
    "P8 no number": ('451-["echo",{"_placeholder":true}]', b"\x01"),
    "P9 unused attachment": ('451-["echo"]', b"\x01"),
    "P9 a placeholder of none": (f'450-["echo",{PLACE}]',),
    "P10 text while an attachment is due": (f'451-["echo",{PLACE}]', '42["echo"]'),
    "P10 disconnect while an attachment is due": (f'451-["echo",{PLACE}]', "41"),
    "P11 binary when none is due": (b"\x01",),
    "P11 base64 with a blank": (f'451-["echo",{PLACE}]', "b AQ="),
    "P11 base64 of the URL alphabet": (f'451-["echo",{PLACE}]', "b-_-_"),
    "P11 base64 cut short": (f'451-["echo",{PLACE}]', "bAQ"),
    "P12 acknowledgement id of 17 digits": ('4212345678901234567["echo"]',),
    "P12 acknowledgement without an id": ('43["no id"]',),
    "P12 acknowledgement of no array": ('431{"0":1}',),
    "P13 depth 101": ('42["echo",' + "[" * 100 + "]" * 100 + "]",),
    "P13 depth 100000": ('42["echo",' + "[" * 100_000 + "]" * 100_000 + "]",),
    "P13 depth of objects": ('42["echo",' + '{"a":' * 5000 + "1" + "}" * 5000 + "]",),
    "P14 5000 digits": ('42["echo",' + "1" * 5000 + "]",),
    "P15 NaN": ('42["echo",NaN]',),
    "P15 Infinity": ('42["echo",-Infinity]',),
    "P15 1e999": ('42["echo",1e999]',),
    "a name of a namespace that is too long": ("40/" + "x" * 128 + ",",),
}


async def hostile(peer: Peer, packets: tuple[str | bytes, ...]) -> int:
    """Say it, and give the status or the close code that answers it."""
    if peer.transport == "websocket":
        for packet in packets:
            peer.listening.send(text(packet) if isinstance(packet, str) else masked(0x82, packet))
        while (frame := await peer.listening.frame())[0] == 0x81:
            pass
        return int.from_bytes(frame[1][:2], "big")
    payload = "\x1e".join(packet if isinstance(packet, str) else "bAQ==" for packet in packets)
    body = "d=" + quote(payload, safe="") if peer.transport == "jsonp" else payload
    return (await peer.speaking.request("POST", peer.target, body.encode())).status


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_breaks_the_protocol_ends_its_session_and_nothing_else(transport: str, name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        ends: list[str] = []
        async with serving() as sio, Peer(sio.port, "websocket") as bystander, Peer(sio.port, transport) as peer:
            sio.on("disconnect", lambda sid, reason: ends.append(reason))
            await bystander.connect()
            await peer.connect()
            assert await hostile(peer, WRONG[name]) == (1002 if transport == "websocket" else 400)
            assert ends == ["parse error"] and list(sio._hub.sessions) == [bystander.sid]
            assert len(sio._env.wheel) == 1  # type: ignore[union-attr]
            await bystander.send('42["echo","still here"]')
            assert await bystander.receive() == '42["echoed","still here"]'

    run(main())


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param(('42["echo"]',), id="P1 event"),
        pytest.param(('420["echo"]',), id="event with an acknowledgement"),
        pytest.param(("430[]",), id="acknowledgement"),
        pytest.param((f'451-["echo",{PLACE}]',), id="P10 the head of a binary event (CVE-2026-48804)"),
        pytest.param((f'461-0["x",{PLACE}]',), id="P10 the head of a binary acknowledgement"),
        pytest.param((b"\x01",), id="P10 binary"),
        pytest.param(('44{"message":"x"}',), id="CONNECT_ERROR"),
    ],
)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_who_does_not_begin_with_a_connect_is_closed_at_once(
    transport: str, packets: tuple[str | bytes, ...], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer:
            assert await hostile(peer, packets) == (1002 if transport == "websocket" else 400)
            assert not sio._hub.sessions and not len(sio._env.wheel)  # type: ignore[union-attr]

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_only_looks_wrong_is_heard(transport: str, run: Callable[..., Any]) -> None:
    """Numbers as names, names that were dangerous (CVE-2024-38355), keys that are in JavaScript, large numbers, doubled keys."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer:
            heard: list[Any] = []
            sio.on("*", lambda name, sid, *args: heard.append((name, *args)))
            await peer.connect()
            for packet in (
                '42["error","x"]',
                "42[5]",
                '42["__proto__",{"__proto__":{"a":1},"constructor":2}]',
                '42["on_connect"]',
                '42["trigger_event"]',
                '42["",1]',
                '42["big",9007199254740993]',
                '42["twice",{"a":1,"a":2}]',
                '42["\\u0000\\u2028</script>"]',
                f'451-["same",{PLACE},{PLACE}]\x1ebAQ==' if transport != "websocket" else '42["same"]',
            ):
                await peer.send(packet)
            while len(heard) < 10:
                await asyncio.sleep(0)
            assert heard[:9] == [
                ("error", "x"),
                ("5",),
                ("__proto__", {"__proto__": {"a": 1}, "constructor": 2}),
                ("on_connect",),
                ("trigger_event",),
                ("", 1),
                ("big", 9007199254740993),
                ("twice", {"a": 2}),
                ("\x00\u2028</script>",),
            ]
            assert heard[9] == (("same", b"\x01", b"\x01") if transport != "websocket" else ("same",))

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_acknowledgements_that_nobody_waits_for_are_ignored(transport: str, run: Callable[..., Any]) -> None:
    """P12: of an unknown id, a second time, and by another client than the one that was asked."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as asked, Peer(sio.port, transport) as other:
            sid = json.loads((await asked.connect())[2:])["sid"]
            await other.connect()
            waiting = asyncio.ensure_future(sio.call("question", to=sid))
            assert await asked.receive() == '421["question"]'
            for wrong in ('431["stolen"]', '439999999999999999["unknown"]', "430[]"):
                await other.send(wrong)
            await asked.send('432["unknown"]')
            await asked.send('42["echo"]')
            assert await asked.receive() == '42["echoed"]'
            assert not waiting.done() and sio.counters.acks_ignored == 4
            for answer in ('431["answer"]', '431["again"]'):
                await asked.send(answer)
            assert await waiting == "answer"
            assert sio.counters.acks_ignored == 5
            for peer in (asked, other):
                await peer.send('42["echo"]')
                assert await peer.receive() == '42["echoed"]'

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_namespaces_that_one_client_may_try_and_join_are_counted(transport: str, run: Callable[..., Any]) -> None:
    """P5, P6."""

    async def main() -> None:
        async with serving(max_namespaces=3) as sio:
            sio.on("x", lambda sid: None, namespace="/a")
            sio.on("x", lambda sid: None, namespace="/b")
            sio.on("x", lambda sid: None, namespace="/c")
            async with Peer(sio.port, transport) as guesser:
                await guesser.connect()
                for number in range(64):
                    await guesser.send(f"40/{number},")
                    assert await guesser.receive() == f'44/{number},{{"message":"Invalid namespace"}}'
                assert await hostile(guesser, ("40/64,",)) in (400, 1002)
            async with Peer(sio.port, transport) as joiner:
                await joiner.connect()
                for name in ("/a", "/b"):
                    await joiner.send(f"40{name},")
                    assert (await joiner.receive()).startswith(f'40{name},{{"sid":')
                assert await hostile(joiner, ("40/c,",)) in (400, 1002)
            while sio._hub.sessions:
                await asyncio.sleep(0)

    run(main())


def test_a_session_waits_for_attachments_no_longer_than_for_a_heartbeat(run: Callable[..., Any]) -> None:
    """P10 on real sockets; what was kept is freed when the client leaves."""

    async def main() -> None:
        ends: list[str] = []
        async with serving(ping_timeout=0.2) as sio, Peer(sio.port, "websocket") as peer, Peer(sio.port, "polling") as poll:
            sio.on("disconnect", lambda sid, reason: ends.append(reason))
            for one in (peer, poll):
                await one.connect()
                await one.send(f'451-["echo",{PLACE}]')
            assert (await peer.listening.frame())[1][:2] == (1002).to_bytes(2, "big")
            while sio._hub.sessions:
                await asyncio.sleep(0.01)
            assert ends == ["parse error"] * 2

    run(main())


@pytest.mark.parametrize("size", [10, 300_000])
def test_attachments_follow_their_packet_whatever_is_said_beside_it(size: int, run: Callable[..., Any]) -> None:
    """Also through a full socket, where the rest waits for room, and by polls."""

    async def main() -> None:
        async with serving(max_queue_bytes=100_000_000) as sio:
            for transport in ("websocket", "polling"):
                async with Peer(sio.port, transport) as peer:
                    sid = json.loads((await peer.connect())[2:])["sid"]

                    async def talk(word: str, to: str = sid) -> None:
                        for number in range(10):
                            await sio.emit(word, (number, bytes([number]) * size, {"x": b"\xff"}), to=to)
                            await sio.emit("plain", number, to=to)
                            await asyncio.sleep(0)

                    talking = asyncio.gather(talk("one"), talk("two"))
                    await check_groups(peer, 40)
                    await talking

    async def check_groups(peer: Peer, events: int) -> None:
        """Each binary event's two attachments come right behind it."""
        counts = {"one": 0, "two": 0, "plain": 0}
        for _ in range(events):
            head = await one_packet(peer)
            assert isinstance(head, str)
            if head.startswith("42"):
                counts["plain"] += 1
                continue
            word, number = json.loads(head[4:])[:2]
            assert head.startswith("452-") and number == counts[word]
            counts[word] += 1
            first, second = await one_packet(peer), await one_packet(peer)
            assert first == (bytes([number]) * size) and second == b"\xff"
        assert counts == {"one": 10, "two": 10, "plain": 20}

    async def one_packet(peer: Peer) -> str | bytes:
        if peer.transport == "websocket":
            first, payload = await peer.listening.frame()
            return payload.decode() if first == 0x81 else payload
        packet = await peer.receive()
        return packet if packet[0] != "b" else base64.b64decode(packet[1:])

    run(main())


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(b"\xff\xff\xff\xff", id="CVE-2022-21676 reserved bits"),
        pytest.param(masked(0xC1, b"2probe"), id="reserved bit 1"),
        pytest.param(b"\x81\x062probe", id="no mask"),
        pytest.param(masked(0x81, b"2\xff"), id="no UTF-8"),
        pytest.param(masked(0x82, b"2probe"), id="binary"),
        pytest.param(masked(0x81, b'40{"a":1}'), id="CONNECT"),
        pytest.param(masked(0x88, b"\x03"), id="half a close"),
        pytest.param(masked(0x89, b"") * 300, id="pings"),
        pytest.param(text("2probe") + text("2probe") + text("4") + text("5"), id="data before the upgrade"),
        pytest.param(text("2probe") + masked(0xF1, b"5"), id="a bad frame behind the probe"),
    ],
)
def test_whatever_comes_on_a_new_carrier_ends_that_alone(frames: bytes, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            await peer.connect()
            assert (await client.upgrade(f"{BASE}websocket&sid={peer.sid}")).status == 101
            await until(lambda: sio._hub.sessions[peer.sid].probe is not None)
            # It answers no close, and is let go in time.
            carrier: Any = sio._hub.sessions[peer.sid].probe.transport  # type: ignore[union-attr]
            carrier._options = dataclasses.replace(carrier._options, close_timeout=0.3)
            client.send(frames)
            while (await client.frame())[0] != -1:
                pass
            await peer.send('42["echo"]')
            while (heard := await peer.receive()) == "6":
                pass
            assert heard == '42["echoed"]' and sio._hub.sessions[peer.sid].probe is None

    run(main())
