"""Whatever a request holds, what reads it gives values or the one error that it documents, and never takes long."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest
from anywire.server.config import Config
from anywire.server.errors import HandshakeRefused, ProtocolError
from anywire.server.handshake import Handshake
from anywire.server.origins import OriginPolicy
from anywire.server.protocols.base import Limits
from anywire.server.protocols.engineio import read_query
from anywire.server.protocols.engineio4 import EngineIO4
from anywire.server.protocols.registry import PROTOCOLS, locate
from anywire.server.static import StaticFiles
from anywire.transports.base import Exchange, Refused, TransportOptions
from anywire.transports.exchange import TornadoExchange
from anywire.transports.jsonp import JsonpPolling
from anywire.transports.polling import Polling
from anywire.transports.websocket import _accept, _agree
from http_tools import UPGRADE
from hypothesis import example, given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

EIO4 = EngineIO4()
OPTIONS = TransportOptions(EngineIO4.profile)


class Asked:
    """What readers of a request look at."""

    wants_upgrade = Exchange.wants_upgrade

    def __init__(self, headers: dict[str, str] | None = None, query: str = "", path: str = "/socket.io/", secure: bool = False) -> None:
        self.method, self.path, self.query, self.secure = "GET", path, query, secure
        self.peer = ("127.0.0.1", 1)
        self.headers: Any = HTTPHeaders()
        for name, value in (headers or {}).items():
            self.headers[name] = value
        self.extra_headers: list[tuple[str, str]] = []
        self.on_close: Any = None


#: What Tornado lets through in a header: no CR, LF or NUL, decoded as Latin-1.
octets = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=60)


def pieces(*words: str) -> st.SearchStrategy[str]:
    """Texts of these words in any order, with anything between them."""
    return st.lists(st.one_of(st.sampled_from(words), octets.map(lambda text: text[:3])), max_size=8).map("".join)


# -- bodies -------------------------------------------------------------------------------------------------------------


@given(
    st.one_of(
        st.binary(max_size=80), st.lists(st.sampled_from([b"d=", b"&", b"%", b"%22", b"+", b"42[", b"\xff", b"%ff", b"x=1"])).map(b"".join)
    )
)
def test_any_form_is_a_payload_or_refused(body: bytes) -> None:
    carrier = JsonpPolling(Asked(), None, OPTIONS)  # type: ignore[arg-type]
    try:
        payload = carrier._decode(Asked(), body)  # type: ignore[arg-type]
        assert isinstance(payload, str)
        packets = EIO4.decoder(Limits()).payload(EIO4.script_body(payload))
    except Refused as refused:
        assert refused.status == 400 and len(refused.body) < 100
    else:
        assert isinstance(packets, list)


@given(st.text(max_size=60), st.text(max_size=10))
def test_a_form_gives_back_what_a_client_put_in_whatever_stands_beside_it(payload: str, other: str) -> None:
    carrier = JsonpPolling(Asked(), None, OPTIONS)  # type: ignore[arg-type]
    payload, other = payload.encode(errors="replace").decode(), other.encode(errors="replace").decode()
    body = f"{quote_plus('x' + other)}=1&d={quote_plus(payload)}&{quote_plus('y' + other)}".encode()
    assert carrier._decode(Asked(), body) == payload  # type: ignore[arg-type]


@given(st.binary(max_size=60), st.one_of(octets, st.sampled_from(["application/octet-stream", "text/plain; charset=utf-8", ";"])))
def test_any_body_of_any_type_is_text_or_bytes_or_refused(body: bytes, kind: str) -> None:
    carrier = Polling(Asked(), None, OPTIONS)  # type: ignore[arg-type]
    try:
        data = carrier._decode(Asked({"Content-Type": kind}), body)  # type: ignore[arg-type]
        EIO4.decoder(Limits()).payload(data)
    except Refused as refused:
        assert refused.status == 400 and len(refused.body) < 100


# -- URLs ---------------------------------------------------------------------------------------------------------------

queries = pieces(
    "EIO=4",
    "EIO=3",
    "&",
    "transport=",
    "polling",
    "websocket",
    "htmlfile",
    "sid=",
    "j=",
    "0",
    "%",
    "%00",
    "%ff",
    "b64=1",
    "=",
    "+",
    ";",
    "?",
)


@given(
    queries, st.sampled_from(["/socket.io/", "/socket.io", "/socket.io/1/", "/socket.io/1/xhr-polling/x", "/socket.io/1/a/b/c", "//", "/"])
)
def test_any_url_is_located_refused_or_nobodys(query: str, path: str) -> None:
    try:
        found = locate(PROTOCOLS, path, query, "/socket.io/")
    except Refused as refused:
        # 0.9 says its welcome to a bare address.
        assert refused.status in (200, 400)
    else:
        assert found is None or found[1].sid is None or "\0" not in found[1].sid
    for protocol in PROTOCOLS:
        callback = protocol.profile.callback(query)
        assert callback is None or all(part.isalnum() or part in b"._[]($".decode() for part in callback.decode())
        assert b"<script" not in protocol.profile.tag_preamble(query)[200:]


@given(queries)
def test_any_query_is_read_the_same_way_twice_and_an_argument_that_is_there_twice_is_no_value(query: str) -> None:
    arguments = read_query(query)
    assert arguments == read_query(query)
    for name, value in arguments.items():
        once = [part for part in query.split("&") if part.partition("=")[0] == name]
        assert len(once) == 1 or "\0" in value
    handshake = Handshake(Asked(query=query))  # type: ignore[arg-type]
    assert all(isinstance(value, str) for values in handshake.arguments.values() for value in values)
    assert handshake.environ()["QUERY_STRING"] == query


@given(st.one_of(octets, pieces("socket.io", "anywire", ".js", ".min", "+", "../", "%2e", "/", "\\", ".v1", "xhr-polling")))
def test_any_name_of_a_file_is_one_of_ours_or_none(tail: str) -> None:
    files = StaticFiles()
    if files.has(tail):
        assert tail.endswith(".js") and "/" not in tail and ".." not in tail and "\\" not in tail


# -- headers ------------------------------------------------------------------------------------------------------------


@given(pieces("a=1", ";", "; ", "=", '"', "\\", "\\073", "\\777", "$Version", "__proto__", "expires=x"))
@example('bad="\\777')
def test_any_cookies_are_read_and_spoil_no_other(cookies: str) -> None:
    jar = Handshake(Asked({"Cookie": f"own=1; {cookies}; last=2"})).cookies  # type: ignore[arg-type]
    assert jar["last"] == "2" and "own" in jar
    assert all(isinstance(value, str) for value in jar.values())


@given(st.dictionaries(st.sampled_from(["Host", "User-Agent", "Cookie", "X-Any", "Content-Length", "Referer"]), octets), octets)
def test_any_headers_make_an_environ(headers: dict[str, str], path: str) -> None:
    environ = Handshake(Asked(headers, path="/" + path)).environ()  # type: ignore[arg-type]
    for name, value in headers.items():
        key = "CONTENT_LENGTH" if name == "Content-Length" else "HTTP_" + name.upper().replace("-", "_")
        assert environ[key] == value
    assert all(isinstance(value, (str, Handshake)) for value in environ.values())


OWN = "good.example"
origins = pieces(
    "https://",
    "http://",
    "good.example",
    "GOOD.example",
    "evil.example",
    ":443",
    ":80",
    ":",
    "@",
    ".",
    "/",
    "#",
    "?",
    "\\",
    "%00",
    "[",
    "]",
    "::1",
    " ",
    "null",
    ",",
)


@given(
    origins,
    st.sampled_from([(), ("https://good.example",), ("null",)]),
    st.booleans(),
    st.sampled_from(["good.example", "good.example:443", "[::1]", "x:", ""]),
)
@example("https://good.example:443", (), True, OWN)
def test_any_origin_is_admitted_only_for_what_a_browser_means_by_it(origin: str, listed: tuple[str, ...], secure: bool, host: str) -> None:
    asked = Asked({"Origin": origin, "Host": host}, secure=secure)
    try:
        OriginPolicy(Config(origins=listed)).admit(asked)  # type: ignore[arg-type]
    except HandshakeRefused as refused:
        assert refused.status in (400, 403) and not asked.extra_headers
        return
    echoed = dict(asked.extra_headers)["Access-Control-Allow-Origin"]
    assert echoed == origin and "," not in origin and "\\" not in origin
    if origin == "null":
        assert listed == ("null",)
    elif "://" in origin:
        assert urlsplit(origin).netloc.lower() in {"good.example", "good.example:443", "good.example:80", "[::1]", "[::1]:80", "[::1]:443"}
    else:
        # socket.io-client 0.9 on Node.
        assert origin.lower() == host.lower()


@given(
    st.dictionaries(
        st.sampled_from(["Referer", "Sec-Fetch-Site", "Host", "Cookie"]), st.one_of(origins, st.sampled_from(["cross-site", "same-origin"]))
    ),
    st.booleans(),
)
def test_any_request_without_an_origin_is_admitted_or_refused(headers: dict[str, str], script: bool) -> None:
    asked = Asked(headers)
    try:
        OriginPolicy(Config()).admit(asked, script=script)  # type: ignore[arg-type]
    except HandshakeRefused as refused:
        assert refused.status == 403
    else:
        assert headers.get("Sec-Fetch-Site") in (None, "same-origin", "none") or "Referer" in headers


@given(
    pieces(
        "permessage-deflate",
        ";",
        ",",
        "=",
        '"',
        "server_no_context_takeover",
        "client_max_window_bits",
        "server_max_window_bits",
        "8",
        "15",
        "16",
        " ",
    )
)
def test_any_offer_of_an_extension_is_answered_by_one_that_was_offered_or_not_at_all(offers: str) -> None:
    agreed = _agree(offers)
    assert agreed is None or (agreed[0].startswith("permessage-deflate; ") and "permessage-deflate" in offers)


@given(
    st.dictionaries(
        st.sampled_from(["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"]),
        st.one_of(octets, st.just("websocket"), st.just("13")),
    )
)
def test_any_websocket_handshake_is_accepted_or_refused(headers: dict[str, str]) -> None:
    good = dict(line.split(": ") for line in UPGRADE.strip().split("\r\n"))
    try:
        answer = dict(_accept(Asked(good | headers)))  # type: ignore[arg-type]
    except Refused as refused:
        assert refused.status in (400, 405, 426)
    else:
        assert len(answer["Sec-WebSocket-Accept"]) == 28


class Context:
    address = ("10.0.0.1", 5)


class Connection:
    context = Context()
    stream = None


@given(
    st.dictionaries(
        st.sampled_from(["X-Forwarded-For", "X-Forwarded-Proto"]),
        pieces("10.0.0.1", "192.0.2.7", ",", " ", "http", "https", "::1", "%eth0", "/"),
    )
)
def test_any_forwarded_header_names_a_peer(headers: dict[str, str]) -> None:
    lines = HTTPHeaders({"Host": "x", **headers})
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.1"), headers=lines, connection=Connection())  # type: ignore[arg-type]
    exchange = TornadoExchange(request, (ip_network("10.0.0.0/8"),), 60)
    assert len(exchange.peer[0]) <= 64 and isinstance(exchange.secure, bool)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            octets,
            pieces("4", "0", "2[", "b", "\x1e", "\ufffd", "1:", ":::", "5", '["x"]', '{"_placeholder":true,"num":0}', "451-"),
        ),
        max_size=5,
    )
)
def test_any_bodies_and_messages_of_any_dialect_give_packets_or_a_protocol_error(protocol: Any, inputs: list[Any]) -> None:
    for way in ("payload", "message"):
        decoder = protocol.decoder(Limits(max_packets=20, max_bytes=200))
        try:
            for data in inputs:
                getattr(decoder, way)(data)
        except ProtocolError as error:
            assert len(str(error)) < 100
