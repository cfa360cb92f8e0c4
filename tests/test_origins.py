"""Which pages may talk to the server: by Origin, Sec-Fetch-Site, Referer and Host, on every transport, before anything is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import anywire
import pytest
from http_tools import RawClient
from server_tools import BASE, TRANSPORTS, Peer, contexts, knock, serving

EVIL = "https://evil.example"
GOOD = "https://good.example"


def origin(value: str) -> str:
    return f"Origin: {value}\r\n"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_page_of_another_site_gets_403_and_no_session(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            answer = await knock(sio.port, transport, origin(EVIL) + "Cookie: user=victim\r\n")
            assert answer.status == 403 and "access-control-allow-origin" not in answer.headers and "set-cookie" not in answer.headers
            if transport == "websocket":
                assert answer.text == "Origin not allowed"
            else:
                assert json.loads(answer.body) == {"code": 4, "message": "Origin not allowed"}
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("headers", ["", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n", "ORIGIN"])
def test_the_servers_own_pages_and_clients_that_are_no_browser_get_in(transport: str, headers: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            said = origin(f"http://127.0.0.1:{sio.port}") if headers == "ORIGIN" else headers
            assert (await knock(sio.port, transport, said)).status in (101, 200)

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_origin_null_is_nobodys_unless_it_is_listed(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        for origins, status in ((None, 403), ([GOOD], 403), (lambda said, environ: said == "null", 403)):
            async with serving(origins=origins) as sio:
                assert (await knock(sio.port, transport, origin("null"))).status == status
        async with serving(origins=["null"]) as sio:
            answer = await knock(sio.port, transport, origin("null"))
            assert answer.status in (101, 200) and answer.headers["access-control-allow-origin"] == "null"

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "something-new"])
def test_a_browser_that_hides_the_origin_but_says_cross_site_is_refused(transport: str, site: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            for referer in ("", f"Referer: {EVIL}/page\r\n", "Referer: about:blank\r\n"):
                assert (await knock(sio.port, transport, f"Sec-Fetch-Site: {site}\r\n{referer}")).status == 403
            assert not sio._hub.sessions

    run(main())


def test_a_script_tag_of_a_listed_site_may_poll_by_jsonp_and_of_another_may_not(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=[GOOD]) as sio:
            for referer, status in ((f"{GOOD}/page?x=1", 200), (f"{EVIL}/?{GOOD}", 403), ("https://good.example.evil/", 403)):
                for site in ("Sec-Fetch-Site: cross-site\r\n", "Cookie: user=victim\r\n"):
                    answer = await knock(sio.port, "jsonp", f"{site}Referer: {referer}\r\n")
                    assert answer.status == status, (referer, site)

    run(main())


def test_an_old_browsers_script_tag_with_cookies_and_without_a_referer_is_refused(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            assert (await knock(sio.port, "jsonp", "Cookie: user=victim\r\n")).status == 403
            own = f"Cookie: user=own\r\nReferer: http://127.0.0.1:{sio.port}/page\r\n"
            assert (await knock(sio.port, "jsonp", own)).status == 200

    run(main())


@pytest.mark.parametrize("settings", [{"origins": "*"}, {"origins": [GOOD], "credentials": False}], ids=["anyone", "a list"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_without_credentials_a_page_elsewhere_brings_no_cookies_and_the_servers_own_does(
    transport: str, settings: dict[str, Any], run: Callable[..., Any]
) -> None:
    """Browsers send them all the same: with WebSockets, script tags and frames."""
    seen: list[Any] = []

    async def main() -> None:
        async with serving(authorization=lambda environ: seen.append(environ.get("HTTP_COOKIE")), **settings) as sio:
            own = f"http://127.0.0.1:{sio.port}"
            for page, site, cookie in ((GOOD, "cross-site", None), (own, "same-origin", "user=ann")):
                for said in (origin(page), f"Sec-Fetch-Site: {site}\r\nReferer: {page}/page\r\n"):
                    answer = await knock(sio.port, transport, said + "Cookie: user=ann\r\n")
                    assert answer.status in (101, 200) and seen == [cookie], (said, seen)
                    seen.clear()
            # An old browser's script tag says where it stands by its Referer alone.
            if transport == "jsonp":
                for page, cookie in ((GOOD, None), (own, "user=ann")):
                    await knock(sio.port, transport, f"Referer: {page}/page\r\nCookie: user=ann\r\n")
                    assert seen == [cookie]
                    seen.clear()
            # No page at all, which a script always has.
            if transport != "jsonp":
                await knock(sio.port, transport, "Cookie: user=ann\r\n")
                assert seen == ["user=ann"]

    run(main())


@pytest.mark.parametrize(
    "trick",
    [
        "https://good.example.evil",
        "https://evilgood.example",
        "https://good.example@evil.example",
        "https://evil.example/https://good.example",
        "https://evil.example#https://good.example",
        "https://good.example:8443",
        "http://good.example",
        "https://good.example.",
        "https://sub.good.example",
        "wss+https://good.example",
        "//good.example",
        "good.example",
        "https://good.example:443443",
        "https://good.example:x",
        "https://[good.example",
        "https://good.example https://evil.example",
        "https://",
        "",
    ],
)
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_an_origin_that_only_looks_like_a_listed_one_is_refused(transport: str, trick: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=[GOOD]) as sio:
            answer = await knock(sio.port, transport, origin(trick))
            assert answer.status == 403 and "access-control-allow-origin" not in answer.headers
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("spelled", ["https://good.example", "https://good.example:443", "HTTPS://Good.Example"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_listed_origin_gets_in_however_it_is_spelled_and_is_echoed_as_sent(
    transport: str, spelled: str, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving(origins=["https://other.example:8443", GOOD]) as sio:
            answer = await knock(sio.port, transport, origin(spelled))
            assert answer.status in (101, 200)
            assert answer.headers["access-control-allow-origin"] == spelled
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert answer.headers["vary"] == "Origin"

    run(main())


def test_the_same_host_on_another_port_or_scheme_is_another_origin(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            for said in (f"http://127.0.0.1:{sio.port + 1}", "http://127.0.0.1", "http://localhost", f"ftp://127.0.0.1:{sio.port}"):
                assert (await knock(sio.port, "polling", origin(said))).status == 403, said

    run(main())


def test_over_tls_a_page_that_came_in_the_clear_is_another_origin(tmp_path: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, client = contexts(tmp_path)
        async with serving(server) as sio:
            for transport in TRANSPORTS:
                clear = await knock(sio.port, transport, origin(f"http://127.0.0.1:{sio.port}"), tls=client)
                safe = await knock(sio.port, transport, origin(f"https://127.0.0.1:{sio.port}"), tls=client)
                assert clear.status == 403 and safe.status in (101, 200), transport

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_callable_decides_with_the_origin_and_the_environ(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        asked: list[tuple[str, Any]] = []

        def decide(said: str, environ: Mapping[str, Any]) -> bool:
            asked.append((said, environ["HTTP_X_TENANT"]))
            return said == GOOD

        async with serving(origins=decide) as sio:
            answer = await knock(sio.port, transport, origin(GOOD) + "X-Tenant: 7\r\n")
            assert answer.status in (101, 200) and answer.headers["access-control-allow-origin"] == GOOD
            assert (await knock(sio.port, transport, origin(EVIL) + "X-Tenant: 8\r\n")).status == 403
            assert asked == [(GOOD, "7"), (EVIL, "8")]

    run(main())


def test_a_callable_that_fails_admits_nobody_and_tells_nothing(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        def decide(said: str, environ: Mapping[str, Any]) -> bool:
            raise LookupError("a secret of the database")

        async with serving(origins=decide) as sio:
            for transport in TRANSPORTS:
                answer = await knock(sio.port, transport, origin(GOOD))
                assert answer.status == 500 and b"secret" not in answer.body
            assert not sio._hub.sessions

    run(main())
    assert "a secret of the database" in caplog.text


def test_an_async_callable_is_refused_because_its_coroutine_would_be_true(run: Callable[..., Any]) -> None:
    async def decide(said: str, environ: Mapping[str, Any]) -> bool:
        return False

    class Decider:
        async def __call__(self, said: str, environ: Mapping[str, Any]) -> bool:
            return False

    for callable_ in (decide, Decider()):
        with pytest.raises(anywire.ConfigError, match="origins must be a plain function"):
            anywire.Server(origins=callable_)

    async def main() -> None:
        async with serving(origins=lambda said, environ: decide(said, environ)) as sio:
            for transport in TRANSPORTS:
                assert (await knock(sio.port, transport, origin(EVIL))).status == 500
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_star_admits_everyone_without_credentials(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins="*") as sio:
            for headers in (origin(EVIL), "Sec-Fetch-Site: cross-site\r\n", origin("null")):
                answer = await knock(sio.port, transport, headers)
                assert answer.status in (101, 200)
                assert "access-control-allow-credentials" not in answer.headers
            assert (await knock(sio.port, transport, origin(EVIL))).headers["access-control-allow-origin"] == "*"

    run(main())


def test_a_star_with_credentials_is_refused_when_the_server_is_made() -> None:
    with pytest.raises(anywire.ConfigError, match="name the origins, or set credentials=False"):
        anywire.Server(origins="*", credentials=True)
    with pytest.raises(anywire.ConfigError, match="name the origins"):
        anywire.Config(origins="*")
    with pytest.raises(anywire.ConfigError, match=r"origins holds '\*'; an origin looks like https://example.org"):
        anywire.Server(origins=["*", GOOD])


def test_credentials_can_be_switched_off_for_listed_origins(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=[GOOD], credentials=False) as sio:
            answer = await knock(sio.port, "polling", origin(GOOD))
            assert answer.headers["access-control-allow-origin"] == GOOD and "access-control-allow-credentials" not in answer.headers

    run(main())


def test_a_preflight_is_204_with_permission_or_without(run: Callable[..., Any]) -> None:
    async def main() -> None:
        asked = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-token\r\n"
        async with serving(origins=[GOOD]) as sio, RawClient(sio.port) as client:
            good = await client.request("OPTIONS", BASE + "polling", headers=origin(GOOD) + asked)
            assert (good.status, good.body) == (204, b"")
            assert good.headers["access-control-allow-origin"] == GOOD and good.headers["vary"] == "Origin"
            assert good.headers["access-control-allow-credentials"] == "true"
            assert good.headers["access-control-allow-methods"] == "GET, POST"
            assert good.headers["access-control-allow-headers"] == "content-type,x-token"
            assert 0 < int(good.headers["access-control-max-age"]) <= 7200
            assert "access-control-allow-private-network" not in good.headers
            for said in (origin(EVIL), origin("null"), ""):
                bad = await client.request("OPTIONS", BASE + "polling", headers=said + asked)
                assert (bad.status, bad.body) == (204, b"")
                assert not [name for name in bad.headers if name.startswith("access-control")]
            assert not sio._hub.sessions

    run(main())


def test_a_preflight_asks_the_callable_with_the_environ_too(run: Callable[..., Any]) -> None:
    async def main() -> None:
        def decide(said: str, environ: Mapping[str, Any]) -> bool:
            return said == GOOD and environ["HTTP_HOST"].startswith("127.")

        async with serving(origins=decide) as sio, RawClient(sio.port) as client:
            good = await client.request("OPTIONS", BASE + "polling", headers=origin(GOOD))
            assert (good.status, good.headers["access-control-allow-origin"]) == (204, GOOD)
            bad = await client.request("OPTIONS", BASE + "polling", headers=origin(EVIL))
            assert bad.status == 204 and "access-control-allow-origin" not in bad.headers

    run(main())


def test_a_preflight_permits_private_networks_to_who_asks_and_echoes_no_strange_header(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=[GOOD]) as sio, RawClient(sio.port) as client:
            asked = "Access-Control-Request-Private-Network: true\r\nAccess-Control-Request-Headers: <script>\r\n"
            answer = await client.request("OPTIONS", BASE + "polling", headers=origin(GOOD) + asked)
            assert answer.headers["access-control-allow-private-network"] == "true"
            assert "access-control-allow-headers" not in answer.headers

    run(main())


def test_an_allowed_page_can_read_why_it_was_refused(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=[GOOD]) as sio, RawClient(sio.port) as client:
            for query in ("EIO=4&transport=polling&sid=nobody", "EIO=4&transport=tcp", "EIO=5&transport=polling", "transport=polling"):
                answer = await client.request("GET", "/socket.io/?" + query, headers=origin(GOOD))
                assert answer.status == 400 and answer.headers["access-control-allow-origin"] == GOOD, query
                answer = await client.request("GET", "/socket.io/?" + query, headers=origin(EVIL))
                assert answer.status in (400, 403) and "access-control-allow-origin" not in answer.headers, query

    run(main())


@pytest.mark.parametrize("said", [b"https://good.example\x7f", b"https://g\xc3\xb6\xc3\xb6d.example", b"https://good.example\tx"])
def test_an_origin_with_control_bytes_is_a_bad_request(said: bytes, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=lambda origin, environ: True) as sio:
            for method in ("GET", "OPTIONS"):
                async with RawClient(sio.port) as client:
                    client.send(f"{method} {BASE}polling HTTP/1.1\r\nHost: x\r\nOrigin: ".encode() + said + b"\r\n\r\n")
                    answer = await client.answer()
                    # Some of it Tornado itself refuses, without a body.
                    assert (answer.status, answer.body) in ((400, b'{"code":3,"message":"Bad request"}'), (400, b""), (204, b""))
                    assert "access-control-allow-origin" not in answer.headers
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_a_page_of_another_site_cannot_post_or_poll_even_with_a_valid_sid(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer:
            await peer.connect()
            body = b'd=42["echo","stolen"]' if transport == "jsonp" else b'42["echo","stolen"]'
            for said in (origin(EVIL), origin("null"), "Sec-Fetch-Site: cross-site\r\n"):
                for kind in ("text/plain", "application/x-www-form-urlencoded"):
                    async with RawClient(sio.port) as thief:
                        answer = await thief.request("POST", peer.target, body, f"{said}Content-Type: {kind}\r\n")
                        assert answer.status == 403
                async with RawClient(sio.port) as thief:
                    assert (await thief.request("GET", peer.target, headers=said)).status == 403
            await peer.send('42["echo","own"]')
            assert await peer.receive() == '42["echoed","own"]'

    run(main())


def test_a_page_of_another_site_cannot_upgrade_even_with_a_valid_sid(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as thief:
            await peer.connect()
            answer = await thief.upgrade(f"{BASE}websocket&sid={peer.sid}", origin(EVIL))
            assert (answer.status, answer.text) == (403, "Origin not allowed")
            await peer.send('42["echo","own"]')
            assert await peer.receive() == '42["echoed","own"]'

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_host_that_is_not_served_is_421_on_every_transport(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(allowed_hosts=["127.0.0.1", "app.example:8443"]) as sio:
            assert (await knock(sio.port, transport)).status in (101, 200)
        async with serving(allowed_hosts=["app.example"]) as sio:
            # DNS rebinding: the page's host is the one that it asks for.
            answer = await knock(sio.port, transport, origin(f"http://127.0.0.1:{sio.port}"))
            assert answer.status == 421 and not sio._hub.sessions

    run(main())


@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("app.example", True),
        ("APP.example:80", True),
        ("other.example:8443", True),
        ("other.example", False),
        ("other.example:80", False),
        ("app.example.evil", False),
        ("evil-app.example", False),
        ("[::1]:80", True),
        ("[::1]", True),
        ("[::2]", False),
        ("", False),
    ],
)
def test_hosts_are_compared_whole_and_with_their_port_where_one_is_set(host: str, served: bool, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(allowed_hosts=["App.Example", "other.example:8443", "[::1]"]) as sio, RawClient(sio.port) as client:
            client.send(f"GET {BASE}polling HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            status, _ = await client.head()
            assert status in ((200,) if served else (400, 421))

    run(main())


@pytest.mark.parametrize(
    ("origins", "ancestors"),
    [(None, "'self'"), ([GOOD, "http://old.example:8080"], "'self' http://old.example:8080 https://good.example"), ("*", "*")],
)
def test_an_endless_frame_can_be_framed_by_allowed_pages_only(origins: Any, ancestors: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=origins) as sio:
            answer = await knock(sio.port, "htmlfile")
            assert answer.headers["content-security-policy"] == f"frame-ancestors {ancestors}"

    run(main())


def test_a_callable_lets_the_page_frame_that_it_admitted(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=lambda said, environ: said.startswith(GOOD)) as sio:
            answer = await knock(sio.port, "htmlfile", f"Sec-Fetch-Site: cross-site\r\nReferer: {GOOD}/page\r\n")
            assert answer.headers["content-security-policy"] == "frame-ancestors 'self' https://good.example"
            answer = await knock(sio.port, "htmlfile")
            assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
            assert (await knock(sio.port, "htmlfile", f"Sec-Fetch-Site: cross-site\r\nReferer: {EVIL}/page\r\n")).status == 403

    run(main())


def test_a_frame_says_what_is_dangerous_as_escapes(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "htmlfile") as frame, Peer(sio.port, "jsonp") as script:
            await frame.connect()
            await script.connect()
            await sio.emit("x", "]]><!--<script>&\u2028\u2029</SCRIPT>")
            escaped = b"]]\\u003e\\u003c!--\\u003cscript\\u003e\\u0026\\u2028\\u2029\\u003c\\/SCRIPT\\u003e"
            assert await frame.listening.chunk() == b'<script>_("42[\\"x\\",\\"' + escaped + b'\\"]");</script>'
            answer = await script.listening.request("GET", script.target)
            assert answer.body == b'___eio[0]("42[\\"x\\",\\"' + escaped + b'\\"]");'
            assert answer.headers["x-content-type-options"] == "nosniff"

    run(main())


@pytest.mark.parametrize("index", ["alert(1)//", "", "-1", "1.5", "0x1", "12345678901", "%D9%A3", "0&j=1"])
def test_a_callbacks_index_is_digits_or_nothing_is_answered_by_script(index: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "jsonp") as peer, RawClient(sio.port) as client:
            for target in (BASE + "polling", f"{BASE}polling&sid={peer.sid}"):
                answer = await client.request("GET", f"{target}&j={index}")
                assert (answer.status, json.loads(answer.body)) == (400, {"code": 3, "message": "Bad request"})
                assert answer.headers["content-type"] == "application/json"
            assert len(sio._hub.sessions) == 1

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_nothing_of_a_session_may_be_kept_by_a_cache(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            first = await knock(sio.port, transport)
            assert first.headers["cache-control"] == "no-store" and "etag" not in first.headers
            async with Peer(sio.port, transport) as peer:
                posted = await peer.speaking.request("POST", peer.target, b"d=40" if transport == "jsonp" else b"40")
                assert (posted.text, posted.headers["cache-control"]) == ("ok", "no-store")

    run(main())


def test_a_proxy_that_ends_tls_does_not_make_its_pages_foreign(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            client.send(f"GET {BASE}polling HTTP/1.1\r\nHost: app.example\r\nOrigin: https://app.example\r\n\r\n".encode())
            assert (await client.answer()).status == 200
            client.send(f"GET {BASE}polling HTTP/1.1\r\nHost: app.example\r\nOrigin: https://app.example:8443\r\n\r\n".encode())
            assert (await client.answer()).status == 403

    run(main())
