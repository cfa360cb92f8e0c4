"""Who gets in: the handshake's authorization, connect handlers, refusals, middleware, and what they are told of the request."""

from __future__ import annotations

import builtins
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import anywire
import pytest
import socketio
from api_tools import client, marks, serving, until
from server_tools import TRANSPORTS, Peer, contexts, knock
from tornado.web import create_signed_value

# -- the handshake's authorization --------------------------------------------------------------------------------------


def raising(error: Exception) -> Callable[[Any], Any]:
    def refuse(environ: Any) -> Any:
        # A fresh one: the traceback of one that outlives the test would hold the request.
        raise type(error)(*error.args)

    return refuse


@pytest.mark.parametrize(
    ("verdict", "status", "message"),
    [
        (lambda environ: None, 200, ""),
        (lambda environ: True, 200, ""),
        (lambda environ: False, 403, "Forbidden"),
        (lambda environ: "over quota", 403, "over quota"),
        (raising(anywire.ConnectionRefusedError("not you")), 403, "not you"),
        (raising(KeyError("user")), 500, ""),
    ],
    ids=["none", "true", "false", "text", "refusal", "fault"],
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_authorization_admits_or_refuses_with_403_and_its_reason(
    transport: str, asynchronous: bool, verdict: Any, status: int, message: str, run: Callable[..., Any]
) -> None:
    async def waits(environ: Any) -> Any:
        await sio.sleep(0.01)
        return verdict(environ)

    async def main() -> None:
        nonlocal sio
        async with serving(authorization=waits if asynchronous else verdict) as sio:
            answer = await knock(sio.port, transport)
            assert answer.status == (101 if transport == "websocket" and status == 200 else status)
            if message:
                expected = message if transport == "websocket" else f'{{"code":4,"message":"{message}"}}'
                assert expected in answer.text
            if status != 200:
                assert not sio._hub.sessions

    sio: Any = None
    run(main())


# -- what a connect handler says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "heard"),
    [
        (False, {"message": "Connection rejected by server"}),
        (anywire.ConnectionRefusedError(), {"message": "Connection rejected by server"}),
        (anywire.ConnectionRefusedError("no"), {"message": "no"}),
        (anywire.ConnectionRefusedError("no", {"code": 7}), {"message": "no", "data": {"code": 7}}),
        (anywire.ConnectionRefusedError("no", 1, 2), {"message": "no", "data": [1, 2]}),
        (builtins.ConnectionRefusedError(111, "Connect call failed ('10.0.0.7', 5432)"), {"message": "Connection refused by server"}),
        (KeyError("a fault"), {"message": "Connection rejected by server"}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
def test_a_refused_client_hears_the_message_and_data_and_has_left_no_trace(
    refusal: Any, heard: Any, asynchronous: bool, run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    gone: list[Any] = []

    async def main() -> None:
        async with serving() as sio:

            def decide(sid: str, environ: Any) -> Any:
                sio.enter_room(sid, "red")
                sio.emit("secret", to=sid)
                if isinstance(refusal, Exception):
                    raise type(refusal)(*refusal.args)
                return refusal

            async def decide_late(sid: str, environ: Any) -> Any:
                await sio.sleep(0.01)
                return decide(sid, environ)

            sio.on("connect", decide_late if asynchronous else decide)
            sio.on("disconnect", lambda sid, reason: gone.append(reason))
            async with Peer(sio.port, "websocket") as peer:
                assert json.loads((await peer.connect())[2:]) == heard
                assert await sio.fetch_sockets() == [] and await sio.fetch_sockets("red") == []
                assert not sio._hub.namespaces

    run(main())
    assert gone == []
    assert ("connect handler of / failed" in caplog.text) is isinstance(refusal, KeyError)


@pytest.mark.parametrize("data", [object(), b"bytes", {1, 2}, 2**70], ids=["object", "bytes", "set", "2**70"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
def test_a_refusal_whose_data_cannot_be_sent_is_told_without_it_and_its_session_goes_on(
    data: Any, asynchronous: bool, run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(marks) as sio:

            async def late(sid: str, environ: Any) -> None:
                await sio.sleep(0.01)
                raise anywire.ConnectionRefusedError("no", data)

            def at_once(sid: str, environ: Any) -> None:
                raise anywire.ConnectionRefusedError("no", data)

            sio.on("connect", late if asynchronous else at_once, namespace="/guarded")
            async with Peer(sio.port, "websocket") as peer:
                await peer.connect()
                await peer.send("40/guarded,")
                assert await peer.receive() == '44/guarded,{"message":"no"}'
                await peer.send('420["mark"]')
                assert await peer.receive() == "430[]"

    run(main())
    assert "the data of a refusal in /guarded cannot be sent" in caplog.text


@pytest.mark.parametrize("close", [False, True], ids=["namespace", "session"])
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
def test_a_connect_handler_that_disconnects_its_own_client_has_refused_it(close: bool, waits: bool, run: Callable[..., Any]) -> None:
    gone: list[Any] = []

    async def main() -> None:
        async with serving() as sio:

            @sio.event
            async def connect(sid: str, environ: Any) -> None:
                if waits:
                    await sio.sleep(0.01)
                await sio.emit("unheard", to=sid)
                await sio.disconnect(sid, close=close)
                await sio.emit("unheard", to=sid)

            sio.on("disconnect", lambda sid, reason: gone.append(reason))
            async with Peer(sio.port, "websocket") as peer:
                assert await peer.connect() == '44{"message":"Connection rejected by server"}'
                if close:
                    assert await peer.listening.frame() == (0x88, b"\x03\xe8server disconnect")
                await until(lambda: gone == ["server disconnect"])
                assert not sio._hub.namespaces

    run(main())


def test_what_a_connect_handler_sends_and_joins_follows_the_welcome(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:

            @sio.event
            async def connect(sid: str, environ: Any, auth: Any) -> None:
                await sio.emit("first", auth, to=sid)
                await sio.enter_room(sid, "red")
                await sio.sleep(0.01)
                await sio.emit("second", to="red")

            async with Peer(sio.port, "websocket") as peer:
                welcome = await peer.connect('{"token":1}')
                assert json.loads(welcome[2:]).keys() == {"sid"} and welcome.startswith("40")
                assert await peer.receive() == '42["first",{"token":1}]'
                assert await peer.receive() == '42["second"]'

    run(main())


def test_with_always_connect_the_welcome_comes_first_and_a_refusal_is_a_disconnect(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(always_connect=True) as sio:

            @sio.event
            async def connect(sid: str, environ: Any, auth: Any) -> Any:
                await sio.call("who are you", to=sid, timeout=5)
                return auth != {"bad": True}

            for auth, goes_on in (("", True), ('{"bad":true}', False)):
                async with Peer(sio.port, "websocket") as peer:
                    assert (await peer.connect(auth)).startswith('40{"sid":"')
                    question = await peer.receive()
                    assert question == '421["who are you"]'
                    await peer.send("431[]")
                    if goes_on:
                        await until(lambda: len(sio._hub.namespaces["/"].sockets) == 1)
                    else:
                        assert await peer.receive() == "41"

    run(main())


# -- middleware ---------------------------------------------------------------------------------------------------------


def test_middlewares_run_in_their_order_before_the_connect_handler_and_the_first_that_refuses_ends_it(run: Callable[..., Any]) -> None:
    steps: list[Any] = []

    def setup(sio: anywire.Server) -> None:
        @sio.use
        async def first(sid: str, environ: dict[str, Any], auth: Any) -> None:
            await sio.sleep(0)
            environ["user"] = (auth or {}).get("user")
            steps.append("first")

        @sio.use
        def second(sid: str, environ: dict[str, Any], auth: Any) -> Any:
            steps.append("second")
            if environ["user"] is None:
                raise anywire.ConnectionRefusedError("no user", {"field": "user"})
            return environ["user"] != "eve"

        @sio.use(namespace="/chat")
        def other(sid: str, environ: dict[str, Any], auth: Any) -> None:
            steps.append("chat")

        @sio.on("connect")
        def connect(sid: str, environ: dict[str, Any]) -> None:
            steps.append(environ["user"])

        @sio.event
        def who(sid: str) -> Any:
            return sio.get_environ(sid)["user"]

        sio.on("connect", lambda sid, environ: steps.append("in chat"), namespace="/chat")

    async def main() -> None:
        async with serving(setup) as sio:
            async with client(sio, auth={"user": "ann"}) as ann:
                assert steps == ["first", "second", "ann"] and await ann.call("who") == "ann"
            for auth, heard in (
                ({"user": "eve"}, {"message": "Connection rejected by server"}),
                ({}, {"message": "no user", "data": {"field": "user"}}),
            ):
                steps.clear()
                async with Peer(sio.port, "websocket") as peer:
                    assert json.loads((await peer.connect(json.dumps(auth)))[2:]) == heard
                    assert steps == ["first", "second"]
            steps.clear()
            async with client(sio, namespaces=["/chat"]):
                assert steps == ["chat", "in chat"]

    run(main())


# -- what is known of the request ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_the_environ_is_wsgis_with_the_true_peer_and_the_request_beside(
    transport: str, secure: bool, tmp_path: Path, run: Callable[..., Any]
) -> None:
    environs: list[dict[str, Any]] = []

    async def main() -> None:
        server_tls, client_tls = contexts(tmp_path) if secure else (None, None)
        sio = anywire.Server()
        sio.on("connect", lambda sid, environ: environs.append(environ))
        await sio.start()
        sio.listen(0, "127.0.0.1", ssl_options=server_tls)
        headers = "Cookie: a=1; b=two words\r\nX-Forwarded-For: 6.6.6.6\r\nX-Own: yes\r\n"
        # A script tag with cookies must show the page that it is in.
        headers += f"Referer: {'https' if secure else 'http'}://127.0.0.1:{sio.port}/page\r\n"
        async with Peer(sio.port, transport, client_tls, "&room=a%20b", headers) as peer:
            await peer.connect()
            peer_ports = {peer.listening.writer.get_extra_info("sockname")[1]}
        port = str(sio.port)
        await sio.shutdown(0)
        (environ,) = environs
        assert environ["REMOTE_ADDR"] == "127.0.0.1" and int(environ["REMOTE_PORT"]) in peer_ports
        assert (environ["wsgi.url_scheme"], environ["SERVER_PORT"]) == ("https" if secure else "http", port)
        assert (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("GET", "/socket.io/")
        assert "room=a%20b" in environ["QUERY_STRING"] and environ["HTTP_X_OWN"] == "yes" and environ["HTTP_COOKIE"] == "a=1; b=two words"
        request = environ["anywire.request"]
        assert request.argument("room") == "a b" and request.cookies == {"a": "1", "b": "two words"} and request.headers["X-Own"] == "yes"

    run(main())


def test_what_handlers_put_into_the_environ_is_there_again_at_once_and_later(run: Callable[..., Any]) -> None:
    """As in python-socketio. An environ that nobody changed or asked for is not kept: idle clients are many."""
    told: list[Any] = []

    def setup(sio: anywire.Server) -> None:
        @sio.event
        async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
            if auth:
                environ["user"] = auth["user"]
                told.append(sio.get_environ(sid)["user"])
                await sio.sleep(0)
                sio.get_environ(sid)["role"] = "guest"

        @sio.event
        def rename(sid: str, name: str) -> None:
            sio.get_environ(sid)["user"] = name

        @sio.event
        def who(sid: str) -> Any:
            environ = sio.get_environ(sid)
            return [environ["REQUEST_METHOD"], environ.get("user"), environ.get("role")]

    async def main() -> None:
        async with serving(setup) as sio:
            async with client(sio, auth={"user": "ann"}) as ann:
                assert told == ["ann"] and await ann.call("who") == ["GET", "ann", "guest"]
                await ann.call("rename", "anna")
                assert await ann.call("who") == ["GET", "anna", "guest"]
            async with client(sio) as idle:
                assert sio._hub.get(idle.id, "/").environ is None
                await idle.call("rename", "eve")
                assert await idle.call("who") == ["GET", "eve", None]

    run(main())


# -- cookie and session, token over TLS ---------------------------------------------------------------------------------

SECRET = "of the tornado application"


def test_a_cookie_that_tornado_signed_names_the_user_and_no_other_does(run: Callable[..., Any]) -> None:
    def setup(sio: anywire.Server) -> None:
        @sio.event
        async def connect(sid: str, environ: Any) -> Any:
            user = sio.signed_cookie(environ, "user")
            await sio.save_session(sid, {"user": user})
            return user is not None

        @sio.event
        async def whoami(sid: str) -> Any:
            return (await sio.get_session(sid))["user"]

    good = create_signed_value(SECRET, "user", "änn").decode()
    old = create_signed_value(SECRET, "user", "ann", clock=lambda: 1.0).decode()
    bad = [good[:-1] + ("0" if good[-1] != "0" else "1"), create_signed_value("other", "user", "ann").decode(), old, "ann", ""]

    async def main() -> None:
        async with serving(setup, cookie_secret=SECRET) as sio:
            async with client(sio, headers={"Cookie": f'other=1; user="{good}"'}) as ann:
                assert await ann.call("whoami") == "änn"
            for value in bad:
                async with Peer(sio.port, "polling", headers=f"Cookie: user={value}\r\n") as peer:
                    assert (await peer.connect()).startswith("44")
            async with Peer(sio.port, "polling") as peer:
                assert (await peer.connect()).startswith("44")
        async with serving() as sio:
            with pytest.raises(anywire.ConfigError, match=r"signed_cookie\(\) needs the setting cookie_secret"):
                sio.signed_cookie({}, "user")

    run(main())


@pytest.mark.parametrize("way", ["auth", "query", "header"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_an_access_token_comes_over_tls_in_auth_query_or_header(
    way: str, transport: str, tmp_path: Path, run: Callable[..., Any]
) -> None:
    def setup(sio: anywire.Server) -> None:
        marks(sio)

        @sio.event
        async def connect(sid: str, environ: Any, auth: Any) -> None:
            request = environ["anywire.request"]
            token = (auth or {}).get("token") or request.argument("token") or request.headers.get("X-Token")
            if token != "good" or not request.secure:
                raise anywire.ConnectionRefusedError("bad token")

    async def attempt(port: int, tls: ssl.SSLContext, token: str) -> Any:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
            made = socketio.AsyncClient(reconnection=False, http_session=http)
            refusals: list[Any] = []
            made.on("connect_error", refusals.append)
            url = f"https://127.0.0.1:{port}" + (f"?token={token}" if way == "query" else "")
            headers = {"X-Token": token} if way == "header" else {}
            try:
                await made.connect(url, headers, {"token": token} if way == "auth" else None, [transport])
            except socketio.exceptions.ConnectionError:
                return refusals
            await made.call("mark")
            await made.disconnect()
            return None

    async def main() -> None:
        server_tls, client_tls = contexts(tmp_path)
        sio = anywire.Server()
        setup(sio)
        await sio.start()
        sio.listen(0, "127.0.0.1", ssl_options=server_tls)
        assert await attempt(sio.port, client_tls, "good") is None
        assert await attempt(sio.port, client_tls, "bad") == [{"message": "bad token"}]
        await sio.shutdown(0)

    run(main())


# -- the end of a server ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_clients_of_a_server_that_shuts_down_come_back_to_the_next_by_themselves(transport: str, run: Callable[..., Any]) -> None:
    reasons: list[str] = []

    async def main() -> None:
        made = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1, randomization_factor=0)
        joined: list[str] = []
        made.on("connect", lambda: joined.append(str(made.get_sid())))
        port, first = 0, ""
        for turn in range(2):
            sio = anywire.Server()
            sio.on("disconnect", lambda sid, reason: reasons.append(reason))
            await sio.start()
            sio.listen(port, "127.0.0.1")
            port = sio.port
            if turn == 0:
                await made.connect(f"http://127.0.0.1:{port}", transports=[transport])
                first = joined[0]
            await until(lambda turn=turn: len(joined) == turn + 1 and made.connected)  # type: ignore[misc]
            if turn == 1:
                assert joined[1] != first
                await made.disconnect()
            await sio.shutdown(1)

    run(main())
    assert reasons[0] == "server shutting down"
