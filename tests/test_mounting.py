"""In a user's own Tornado application, and by ``listen()``, with and without TLS: all transports, large messages, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anywire
import pytest
import tornado
from anywire.transports.exchange import TornadoExchange
from http_tools import UPGRADE, RawClient, text
from redis_tools import free_port
from server_tools import BASE, TRANSPORTS, Peer, contexts, knock, serving
from tornado import http1connection, httputil, iostream
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.routing import HostMatches, Router
from tornado.web import Application, RequestHandler, stream_request_body


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("hello")

    def post(self) -> None:
        self.write(self.get_argument("name"))


@stream_request_body
class Upload(RequestHandler):
    """A handler that reads its body as it comes."""

    def prepare(self) -> None:
        self.size = 0

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def put(self) -> None:
        self.write(str(self.size))


def echoing(**settings: Any) -> anywire.Server:
    sio = anywire.Server(**settings)
    sio.on("echo", lambda sid, *args: args)
    return sio


def application(sio: anywire.Server) -> Application:
    return Application([(r"/hello", Hello), (r"/socket\.io/.*", sio.router), (r"/upload", Upload)])


@asynccontextmanager
async def mounted(tls: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[tuple[anywire.Server, int]]:
    """The server among a user's handlers, on a server and a socket that are the user's own."""
    sio = echoing(**settings)
    await sio.start()
    server = HTTPServer(application(sio), ssl_options=tls)
    (listening,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([listening])
    try:
        yield sio, listening.getsockname()[1]
    finally:
        await sio.shutdown(0)
        server.stop()
        await server.close_all_connections()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return contexts(tmp_path_factory.mktemp("tls"))


SECURITY = pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])


@SECURITY
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_transport_works_beside_the_users_handlers(transport: str, secure: bool, tls: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, client = tls if secure else (None, None)
        async with mounted(server) as (sio, port):
            schemes = []
            sio.on("connect", lambda sid, environ: schemes.append(environ["wsgi.url_scheme"]))
            async with Peer(port, transport, client) as peer, RawClient(port, client) as http:
                await peer.connect()
                for size in (1, 70_000, 900_000):
                    await peer.send(f'420["echo","{"x" * size}"]')
                    assert await peer.receive() == f'430["{"x" * size}"]'
                    assert (await http.request("GET", "/hello")).text == "hello"
                assert schemes == ["https" if secure else "http"]

    run(main())


def test_the_users_handlers_keep_their_ways_on_the_same_connection(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with mounted() as (_, port), RawClient(port) as client:
            form = "Content-Type: application/x-www-form-urlencoded\r\n"
            for _ in range(3):
                assert (await client.request("GET", BASE + "polling")).status == 200
                assert (await client.request("POST", "/hello", b"name=ann", form)).text == "ann"
                assert (await client.request("PUT", "/upload", b"x" * 300_000)).text == "300000"
                assert (await client.request("GET", "/socket.io/?EIO=4&transport=polling&sid=nobody")).status == 400
                assert (await client.request("GET", "/other")).status == 404
                assert (await client.request("GET", "/socket.io/anywire.js")).status == 200

    run(main())


def test_another_path_and_two_servers_in_one_application(run: Callable[..., Any]) -> None:
    async def main() -> None:
        chat, news = echoing(path="/live/chat"), echoing(path="news")
        await chat.start()
        await news.start()
        server = chat.listen(0, "127.0.0.1", Application([(r"/live/chat/.*", chat.router), (r"/news/.*", news.router)]))
        async with RawClient(chat.port) as client:
            for path, sio, other in (("/live/chat/", chat, news), ("/news/", news, chat)):
                answer = await client.request("GET", f"{path}?EIO=4&transport=polling")
                assert answer.status == 200 and len(sio._hub.sessions) == 1
                sid = next(iter(sio._hub.sessions))
                assert sid not in other._hub.sessions
                foreign = "/news/" if sio is chat else "/live/chat/"
                assert (await client.request("GET", f"{foreign}?EIO=4&transport=polling&sid={sid}")).status == 400
            assert (await client.request("GET", BASE + "polling")).status == 404
        assert server is not None
        await chat.shutdown(0)
        await news.shutdown(0)

    run(main())


def test_a_running_application_takes_the_server_by_attach(run: Callable[..., Any]) -> None:
    async def main() -> None:
        sio, app = echoing(), Application([(r"/hello", Hello)])
        sio.attach(app)
        with pytest.raises(anywire.ConfigError, match=r"the server answers on /socket.io/; give Server\(path='/other/'\)"):
            sio.attach(app, "other")
        await sio.start()
        sio.listen(0, "127.0.0.1", app)
        async with Peer(sio.port, "websocket") as peer, RawClient(sio.port) as client:
            await peer.connect()
            assert (await client.request("GET", "/hello")).text == "hello"
        await sio.shutdown(0)

    run(main())


def test_an_application_without_the_route_is_refused_and_so_is_what_is_none(run: Callable[..., Any]) -> None:
    class Choosing(Router):
        """Where it leads is its own matter."""

        def find_handler(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> Any:
            return None

    async def main() -> None:
        sio, other = echoing(), echoing()
        for app in ("app", [(r"/socket\.io/.*", sio.router)]):
            with pytest.raises(anywire.ConfigError, match=r"app must be a tornado\.web\.Application, not (str|list)"):
                sio.listen(0, "127.0.0.1", app)
        for app in (Application(), Application([(r"/hello", Hello), (r"/socket\.io/.*", other.router)])):
            with pytest.raises(anywire.ConfigError, match=r"no route to this server; give it \(r'/socket\\.io/\.\*', sio.router\)"):
                sio.listen(0, "127.0.0.1", app)
        nested = Application([(HostMatches("127.*"), [(r"/socket\.io/.*", sio.router)])])
        hosted = Application()
        hosted.add_handlers(r"127.*", [(r"/socket\.io/.*", sio.router)])
        for app in (nested, hosted, Application([(r"/.*", Choosing())])):
            sio.listen(0, "127.0.0.1", app)
        await sio.shutdown(0)

    run(main())


def test_what_tornado_takes_for_the_end_of_a_line_is_its_own_affair_on_a_server_of_its_own(run: Callable[..., Any]) -> None:
    """H5: Tornado up to 6.6 takes LF alone, and then for every line of the head alike; ``listen()`` takes it nowhere."""

    async def ask(port: int) -> int:
        async with RawClient(port) as client:
            client.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\nHost: x\nX: a\nSec-Fetch-Site: cross-site\n\n")
            return (await client.head())[0]

    async def main() -> None:
        async with mounted() as (sio, port):
            # The last line counts as a header: a cross-site request is refused, and not taken for one without.
            assert await ask(port) == (403 if tornado.version_info < (6, 7) else 400)
            sio.listen(0, "127.0.0.1", application(sio))
            assert await ask(sio.port) == 400

    run(main())


def test_a_mistake_in_listen_is_said_at_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        sio = anywire.Server()
        for port in ("8000", None, 80.0, True):
            with pytest.raises(anywire.ConfigError, match="port must be a number, not "):
                sio.listen(port)  # type: ignore[arg-type]
        with pytest.raises(anywire.ConfigError, match=r"ssl_options must be a dictionary or an .*SSLContext, not str"):
            sio.listen(0, "127.0.0.1", ssl_options="cert.pem")  # type: ignore[arg-type]
        await sio.shutdown(0)

    run(main())


def test_a_port_is_known_after_listen_and_one_that_is_taken_is_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        sio = echoing()
        with pytest.raises(RuntimeError, match=r"listen\(\) was not called yet"):
            _ = sio.port
        await sio.start()
        first = sio.listen(0, "127.0.0.1")
        with warnings.catch_warnings():
            # Tornado leaves the socket that it could not bind to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            with pytest.raises(OSError, match="in use"):
                sio.listen(sio.port, "127.0.0.1")
            gc.collect()
        second = sio.listen(0, "127.0.0.1")
        assert first is not second and len(set(sio._ports)) == 2
        for port in sio._ports:
            assert (await knock(port, "polling")).status == 200
        await sio.shutdown(0)
        with pytest.raises(RuntimeError):
            _ = sio.port

    run(main())


def test_a_server_can_listen_in_the_clear_and_by_tls_at_once(tls: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, client = tls
        async with serving() as sio:
            sio.listen(0, "127.0.0.1", ssl_options=server)
            async with Peer(sio._ports[0], "websocket") as plain, Peer(sio._ports[1], "websocket", client) as secret:
                await plain.connect()
                await secret.connect()
                await sio.emit("both")
                assert await plain.receive() == await secret.receive() == '42["both"]'

    run(main())


def test_tls_options_may_be_the_names_of_files(tmp_path: Path, run: Callable[..., Any]) -> None:
    async def main() -> None:
        _, client = contexts(tmp_path)
        sio = echoing()
        await sio.start()
        sio.listen(0, "127.0.0.1", ssl_options={"certfile": str(tmp_path / "cert.pem"), "keyfile": str(tmp_path / "key.pem")})
        async with Peer(sio.port, "websocket", client) as peer:
            await peer.connect()
        await sio.shutdown(0)

    run(main())


def test_who_speaks_plainly_to_tls_or_does_not_trust_it_harms_nobody(tls: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, client = tls
        async with serving(server) as sio, Peer(sio.port, "websocket", client) as peer:
            await peer.connect()
            async with RawClient(sio.port) as plain:
                plain.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                try:
                    await asyncio.wait_for(plain.reader.read(), 10)
                except ConnectionResetError:
                    pass
            untrusting = ssl.create_default_context()
            with pytest.raises(ssl.SSLError):
                await RawClient(sio.port, untrusting).__aenter__()
            await peer.send('42["echo",1]')
            assert await peer.receive() == '42["echoed",1]'

    run(main())


@SECURITY
def test_another_libraries_websocket_client_gets_every_size_whole(secure: bool, tls: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, client = tls if secure else (None, True)
        url = "wss" if secure else "ws"
        async with mounted(server) as (_, port), aiohttp.ClientSession() as http:
            socket = await http.ws_connect(f"{url}://127.0.0.1:{port}{BASE}websocket", ssl=client, max_msg_size=0)
            async with socket:
                assert (await socket.receive_str())[0] == "0"
                await socket.send_str("40")
                assert (await socket.receive_str()).startswith("40{")
                for size in (0, 125, 126, 16_384, 65_535, 65_536, 900_000):
                    await socket.send_str(f'421["echo","{"é" * (size // 2)}"]')
                    assert await socket.receive_str() == f'431["{"é" * (size // 2)}"]'
                await socket.send_str('451-2["echo",{"_placeholder":true,"num":0}]')
                await socket.send_bytes(bytes(range(256)) * 2000)
                assert await socket.receive_str() == '461-2[{"_placeholder":true,"num":0}]'
                assert await socket.receive_bytes() == bytes(range(256)) * 2000
                await socket.ping(b"are you there")
                await socket.close()
                assert socket.close_code == 1000

    run(main())


@SECURITY
def test_frames_cut_anywhere_arrive_whole(secure: bool, tls: Any, run: Callable[..., Any]) -> None:
    """A TLS record, a segment and a frame end where they like; several may come in one."""

    async def main() -> None:
        server, client = tls if secure else (None, None)
        async with mounted(server) as (_, port), Peer(port, "websocket", client) as peer:
            await peer.connect()
            frames = b"".join(text(f'42{i}["echo",{i}]') for i in range(10)) + text(f'4210["echo","{"y" * 70_000}"]')
            for size in (1, 3, 16_384, len(frames)):
                data = frames[:200] if size < 10 else frames
                for start in range(0, len(data), size):
                    peer.listening.send(data[start : start + size])
                    await peer.listening.writer.drain()
                if size < 10:
                    peer.listening.send(frames[200:])
                for i in range(10):
                    assert await peer.receive() == f"43{i}[{i}]"
                assert await peer.receive() == f'4310["{"y" * 70_000}"]'

    run(main())


@SECURITY
def test_a_client_that_reads_late_gets_everything_in_order_and_the_server_keeps_a_bounded_part_of_it(
    secure: bool, tls: Any, run: Callable[..., Any]
) -> None:
    """What the socket does not take waits in the outbox, up to its limit; then it is the socket's backlog that is bounded."""

    async def main() -> None:
        server, client = tls if secure else (None, None)
        async with mounted(server, max_queue_bytes=2**26, max_socket_backlog=65_536) as (sio, port):
            peer, other = Peer(port, "websocket", client), Peer(port, "websocket", client)
            async with peer, other:
                await peer.connect()
                await other.connect()
                public = next(iter(sio._hub.namespaces["/"].sockets))
                block = "z" * 100_000
                for number in range(300):
                    await sio.emit("block", (number, block), to=public)
                session = sio._hub.sessions[peer.sid]
                assert not session.transport.ready and session.transport._wire.backlog <= 65_536 + 2 * 100_100  # type: ignore[union-attr]
                assert len(session.outbox) > 10
                # Meanwhile others are served.
                await other.send('421["echo"]')
                assert await other.receive() == "431[]"
                for number in range(300):
                    assert await peer.receive() == f'42["block",{number},"{block}"]'
                assert not len(session.outbox)

    run(main())


@SECURITY
def test_a_client_that_sends_without_reading_is_slowed_down_and_served_when_it_reads(
    secure: bool, tls: Any, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        server, client = tls if secure else (None, None)
        async with mounted(server, max_queue_bytes=2**27, max_queue_messages=10_000) as (_, port), Peer(port, "websocket", client) as peer:
            await peer.connect()
            block = "w" * 200_000

            async def speak() -> None:
                for number in range(30):
                    await peer.send(f'42{number}["echo","{block}"]')

            speaking = asyncio.ensure_future(speak())
            for number in range(30):
                assert await peer.receive() == f'43{number}["{block}"]'
            await speaking

    run(main())


@SECURITY
def test_a_tls_or_plain_peer_that_ends_by_a_close_frame_or_by_nothing_ends_its_session(
    secure: bool, tls: Any, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        server, client = tls if secure else (None, None)
        async with mounted(server) as (sio, port):
            reasons: asyncio.Queue[str] = asyncio.Queue()
            sio.on("disconnect", lambda sid, reason: reasons.put_nowait(reason))
            for end in ("frame", "end", "abort"):
                async with Peer(port, "websocket", client) as peer:
                    await peer.connect()
                    if end == "frame":
                        peer.listening.send(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
                        assert await peer.listening.frame() == (0x88, b"\x03\xe8")
                    elif end == "end":
                        peer.listening.writer.close()
                    else:
                        peer.listening.writer.transport.abort()
                    assert await asyncio.wait_for(reasons.get(), 5) == "transport close"
            assert not sio._hub.sessions

    run(main())


#: Of which nothing may be left once a WebSocket is up: 15,000 sessions would keep 15,000 of each.
ENGINE = (
    http1connection.HTTP1Connection,
    http1connection.HTTP1ServerConnection,
    httputil.HTTPServerRequest,
    httputil.HTTPHeaders,
    iostream.IOStream,
    TornadoExchange,
)


@SECURITY
def test_nothing_of_the_http_engine_is_left_once_a_websocket_is_up(secure: bool, tls: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, client = tls if secure else (None, None)
        async with mounted(server) as (sio, port):
            peers = [Peer(port, "websocket", client) for _ in range(10)]
            for peer in peers:
                await peer.__aenter__()
                await peer.connect()
            gc.collect()
            left = [type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, ENGINE)]
            assert left == [], left
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            assert not [task for task in tasks if "wait_for" not in repr(task) and "main" not in repr(task)], tasks
            assert len(sio._hub.sessions) == 10
            for peer in peers:
                await peer.send('420["echo"]')
                assert await peer.receive() == "430[]"
                await peer.__aexit__()

    run(main())


@SECURITY
def test_a_poll_between_two_requests_keeps_no_request(secure: bool, tls: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, client = tls if secure else (None, None)
        async with mounted(server) as (sio, port):
            async with Peer(port, "polling", client) as peer:
                await peer.connect()
            async with Peer(port, "jsonp", client) as peer:
                await peer.connect()
            for _ in range(50):
                await asyncio.sleep(0.01)
                gc.collect()
                left = [type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, ENGINE)]
                if not left:
                    break
            assert left == [], left
            assert len(sio._hub.sessions) == 2

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_tornados_own_forwarding_option_does_not_move_a_client(transport: str, run: Callable[..., Any]) -> None:
    """``xheaders=True`` believes anyone; ``trusted_proxies`` is what counts here."""

    async def main() -> None:
        sio = echoing()
        addresses: list[str] = []
        sio.on("connect", lambda sid, environ: addresses.append(environ["REMOTE_ADDR"]))
        await sio.start()
        server = HTTPServer(application(sio), xheaders=True)
        (listening,) = bind_sockets(0, "127.0.0.1")
        server.add_sockets([listening])
        spoofed = "X-Real-Ip: 203.0.113.5\r\nX-Forwarded-For: 203.0.113.6\r\n"
        async with Peer(listening.getsockname()[1], transport, headers=spoofed) as peer:
            await peer.connect()
        assert addresses == ["127.0.0.1"]
        await sio.shutdown(0)
        server.stop()
        await server.close_all_connections()

    run(main())


def test_a_shutdown_ends_what_it_listened_on_and_a_new_start_serves_again(run: Callable[..., Any]) -> None:
    async def main() -> None:
        sio = echoing()
        for _ in range(2):
            await sio.start()
            sio.listen(0, "127.0.0.1")
            port = sio.port
            async with Peer(port, "websocket") as socket, Peer(port, "polling") as poll:
                await socket.connect()
                await poll.connect()
                waiting = asyncio.ensure_future(poll.receive())
                await asyncio.sleep(0.05)
                await sio.shutdown(1)
                assert await socket.listening.frame() == (0x88, b"\x03\xe9server shutting down")
                assert await waiting == "1"
            with pytest.raises(OSError):
                await RawClient(port).__aenter__()
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("target", ["/socket.io/1/xhr-polling/", "/socket.io/1/websocket/", BASE + "polling&sid="])
def test_where_the_application_goes_on_after_a_shutdown_no_request_brings_the_server_back_to_life(
    target: str, run: Callable[..., Any]
) -> None:
    def joined() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("anywire-")]

    async def main() -> None:
        store = f"redis://127.0.0.1:{free_port()}/0"
        async with mounted(store=store, handshake_rate=1000.0) as (sio, port), RawClient(port) as raw:
            assert joined()
            await sio.shutdown(0)
            answer = await raw.request("GET", target + "a" * 31, headers=UPGRADE if "websocket" in target else "")
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert "server shutting down" in answer.text and not joined()
            await sio.start()
            async with Peer(port, "websocket") as peer:
                assert (await peer.connect())[:2] == "40"

    run(main())
