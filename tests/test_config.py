"""Every setting: its default, what is refused and what is said then, and its three spellings."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import os
import types
import warnings
from typing import Any

import anywire
import pytest
from anywire.server.config import Config, settings_table

#: The whole table, literally: a default that changes changes what running applications do.
DEFAULTS: dict[str, Any] = {
    "store": "memory",
    "transports": ("websocket", "polling", "jsonp", "htmlfile"),
    "authorization": None,
    "identity": None,
    "path": "/socket.io/",
    "ping_interval": 25.0,
    "ping_timeout": 20.0,
    "close_timeout": 60.0,
    "polling_duration": 20.0,
    "binary_fallback": "base64",
    "double_utf8": True,
    "bind_network": True,
    "allow_upgrades": True,
    "upgrade_timeout": 10.0,
    "connect_timeout": 45.0,
    "max_payload": 1_000_000,
    "max_queue_messages": 10_000,
    "max_queue_bytes": 16_777_216,
    "max_socket_backlog": 65_536,
    "slow_consumer": "close",
    "send_timeout": 60.0,
    "namespaces": (),
    "max_namespaces": 32,
    "max_rooms": 256,
    "event_rate": 0.0,
    "handshake_rate": 0.0,
    "max_sessions_per_address": 0,
    "max_handler_backlog": 1000,
    "async_handlers": False,
    "origins": None,
    "credentials": True,
    "allowed_hosts": (),
    "require_origin": False,
    "trusted_proxies": (),
    "cookie": "",
    "cookie_secret": "",
    "compression": True,
    "compression_threshold": 1024,
    "per_message_deflate": False,
    "per_message_deflate_threshold": 1024,
    "control_rate": 100.0,
    "body_timeout": 20.0,
    "idle_timeout": 20.0,
    "serve_client": True,
    "check_page": False,
    "always_connect": False,
    "history": 0,
}
ROWS = settings_table()
NUMBERS = [row for row in ROWS if isinstance(row.default, (int, float)) and not isinstance(row.default, bool)]
SWITCHES = [row for row in ROWS if isinstance(row.default, bool)]


def name_of(row: Any) -> str:
    return str(row.name)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("ANYWIRE_"):
            monkeypatch.delenv(variable)


def test_every_setting_has_the_default_that_the_documentation_promises() -> None:
    assert dataclasses.asdict(Config()) == DEFAULTS
    assert dataclasses.asdict(anywire.Server().config) == DEFAULTS
    assert {row.name: row.default for row in ROWS} == DEFAULTS


def test_each_row_of_the_table_has_its_variable_its_flag_and_its_help() -> None:
    for row in ROWS:
        assert (row.variable, row.flag) == ("ANYWIRE_" + row.name.upper(), "--" + row.name.replace("_", "-"))
        assert len(row.help) > 10
    assert [row.name for row in ROWS if not row.text] == ["authorization", "identity"]


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        anywire.Server().config.path = "/other/"  # type: ignore[misc]


@pytest.mark.parametrize("row", NUMBERS, ids=name_of)
def test_a_number_out_of_range_or_of_another_kind_is_refused_with_what_would_be_right(row: Any) -> None:
    field = next(field for field in dataclasses.fields(Config) if field.name == row.name)
    low, high = field.metadata["low"], field.metadata["high"]
    assert low is not None and low <= row.default <= high
    for value in (low - 1, high + 1, -1):
        with pytest.raises(anywire.ConfigError, match=rf"^{row.name} is {value}; it must be from {low} to {high}$"):
            anywire.Server(**{row.name: value})
    for wrong in ("1", None, [1], True, 1 + 1j):
        with pytest.raises(anywire.ConfigError, match=rf"^{row.name} must be (int|float), not \w+$"):
            anywire.Server(**{row.name: wrong})
    if isinstance(row.default, float):
        for unreal in (math.nan, math.inf):
            with pytest.raises(anywire.ConfigError, match=rf"^{row.name} is (nan|inf); it must be"):
                anywire.Server(**{row.name: unreal})
    for edge in (low, high):
        assert getattr(anywire.Server(**{row.name: edge}).config, row.name) == edge


@pytest.mark.parametrize("row", SWITCHES, ids=name_of)
def test_a_switch_takes_true_and_false_alone(row: Any) -> None:
    for wrong in ("true", 1, None, 0.0):
        with pytest.raises(anywire.ConfigError, match=rf"^{row.name} must be bool, not \w+$"):
            anywire.Server(**{row.name: wrong})
    for value in (True, False):
        assert getattr(anywire.Server(**{row.name: value}).config, row.name) is value


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("transports", [], "transports is empty; name at least one of htmlfile, jsonp, polling, websocket"),
        ("transports", ["websockets"], "unknown transport 'websockets'; did you mean websocket?"),
        ("transports", ["sse"], "unknown transport 'sse'; known are"),
        ("transports", [1], "transports must be a list of texts"),
        ("transports", None, "transports must be a list of texts"),
        ("store", "mongodb://x", 'store must be "memory" or a URL that begins with redis://, rediss:// or unix://'),
        ("store", "", 'store must be "memory" or a URL'),
        ("store", None, "store must be str"),
        ("slow_consumer", "wait", "slow_consumer is 'wait'; it must be \"close\" or \"drop\""),
        ("binary_fallback", "hex", "binary_fallback is 'hex'; it must be \"base64\", \"drop\" or \"refuse\""),
        ("authorization", "secret", "authorization must be a callable, not str"),
        ("identity", "user", "identity must be a callable, not str"),
        ("identity", asyncio.sleep, "identity must be a plain function"),
        ("origins", 5, "origins must be text, list or callable, not int"),
        ("origins", [5], "origins holds 5; an origin looks like https://example.org"),
        ("origins", ["example.org"], "origins holds 'example.org'; an origin looks like https://example.org"),
        ("origins", ["https://example.org/page"], "an origin looks like https://example.org"),
        ("origins", ["https://göd.example"], "an origin looks like https://example.org"),
        ("origins", ["https://a.example#b"], "an origin looks like https://example.org"),
        ("origins", ["https://*.example.org"], "an origin looks like https://example.org"),
        ("origins", "https://example.org?x", "an origin looks like https://example.org"),
        ("origins", ["ftp://example.org"], "an origin looks like https://example.org"),
        ("allowed_hosts", [5], "allowed_hosts must be a list of texts"),
        ("trusted_proxies", ["proxy.example"], "trusted_proxies holds 'proxy.example'; it takes addresses and networks, such as 10.0.0.1"),
        ("trusted_proxies", "10.0.0.0/99", "trusted_proxies holds '10.0.0.0/99'"),
        ("cookie", "a b", "cookie is 'a b'; a cookie's name is letters"),
        ("cookie", "io\r\nSet-Cookie: x", "a cookie's name is letters"),
        ("cookie", {"name": "io", "samesite": "None"}, "cookie: samesite cannot be 'None'; give the name alone"),
        ("cookie", {"name": "io", "max-age": "60"}, "cookie: max-age cannot be '60'; give the name alone"),
        ("namespaces", ["chat"], "namespaces holds 'chat'; a namespace begins with \"/\""),
        ("cors_allowed_origins", [], "cors_allowed_origins=[] would switch the check off"),
        ("async_mode", "asgi", "async_mode is always tornado here: mount sio.router"),
        ("serializer", "msgpack", "serializer is always the default here"),
        ("path", "/live?x/", "path is '/live?x/'; it must be a URL's path, such as /socket.io/"),
        ("path", "https://example.org/live", "it must be a URL's path"),
        ("path", "/a b/", "it must be a URL's path"),
        ("path", 5, "path must be str, not int"),
        ("ping_intervall", 5, "unknown setting 'ping_intervall'; did you mean ping_interval?"),
        ("max_size", 5, "unknown setting 'max_size'; "),
        ("client_manager", object(), 'client_manager is not used here; say where processes meet with store="redis://..."'),
    ],
)
def test_a_wrong_value_is_refused_at_once_with_what_would_be_right(setting: str, value: Any, said: str) -> None:
    with pytest.raises(anywire.ConfigError) as error:
        anywire.Server(**{setting: value})
    assert said in str(error.value)


def test_a_refused_store_does_not_say_its_password() -> None:
    with pytest.raises(anywire.ConfigError) as error:
        anywire.Server(store="http://user:hunter2@redis.example/0")
    assert "hunter2" not in str(error.value)


def test_both_servers_take_the_same_settings() -> None:
    with pytest.raises(anywire.ConfigError, match="did you mean ping_timeout"):
        anywire.EngineServer(ping_timeuot=1)
    assert anywire.EngineServer(ping_timeout=1).config.ping_timeout == 1
    with pytest.raises(anywire.ConfigError, match="store has no effect on an EngineServer"):
        anywire.EngineServer(store="redis://127.0.0.1/0")


@pytest.mark.parametrize(
    ("given", "path"),
    [("/live/", "/live/"), ("live", "/live/"), ("/live", "/live/"), ("a/b", "/a/b/"), ("/", "/"), ("", "/"), ("/socket.io", "/socket.io/")],
)
def test_a_path_has_a_slash_at_both_ends_however_it_is_given(given: str, path: str) -> None:
    assert anywire.Server(path=given).config.path == path


@pytest.mark.parametrize(
    ("given", "transports"),
    [
        (["xhr-polling", "jsonp-polling"], ("polling", "jsonp")),
        (["websocket", "htmlfile", "xhr-polling", "jsonp-polling"], ("websocket", "htmlfile", "polling", "jsonp")),
        ("polling websocket", ("polling", "websocket")),
        ("polling,websocket", ("polling", "websocket")),
        (("polling", "xhr-polling", "polling"), ("polling",)),
    ],
)
def test_transports_keep_their_order_and_may_have_their_old_names(given: Any, transports: tuple[str, ...]) -> None:
    assert anywire.Server(transports=given).config.transports == transports


def test_flashsocket_is_accepted_and_ignored_with_a_warning_that_says_why() -> None:
    with pytest.warns(UserWarning, match="flashsocket is ignored: Flash has left every browser; websocket does its work") as warned:
        server = anywire.Server(transports=["websocket", "flashsocket", "xhr-polling"])
    assert server.config.transports == ("websocket", "polling")
    assert len(warned) == 1 and warned[0].filename == __file__
    for make in (Config, Config.build, anywire.EngineServer):
        with pytest.warns(UserWarning) as others:
            make(transports=["websocket", "flashsocket"])
        # The line that says it, not one of ours.
        assert [warning.filename for warning in others] == [__file__]
    with pytest.warns(UserWarning, match="flashsocket"), pytest.raises(anywire.ConfigError, match="transports is empty"):
        anywire.Server(transports=["flashsocket"])


@pytest.mark.parametrize(
    ("theirs", "value", "ours", "expected"),
    [
        ("cors_allowed_origins", ["https://a.example"], "origins", ("https://a.example",)),
        ("cors_allowed_origins", "*", "origins", "*"),
        ("cors_credentials", False, "credentials", False),
        ("max_http_buffer_size", 1e6, "max_payload", 1_000_000),
        ("http_compression", False, "compression", False),
        ("cors_allowed_origins", ["https://a.example", "*"], "origins", "*"),
        ("cookie", None, "cookie", ""),
        ("cookie", {"name": "io", "path": "/", "HttpOnly": True, "SameSite": "Lax"}, "cookie", "io"),
        ("ping_interval", (10, 5), "ping_interval", 10),
        ("ping_interval", (10, 5), "ping_timeout", 25.0),
        ("namespaces", None, "namespaces", ()),
        ("namespaces", "*", "namespaces", ("*",)),
        ("namespaces", ["/", "/chat"], "namespaces", ("/", "/chat")),
    ],
)
def test_python_socketios_keywords_are_understood(theirs: str, value: Any, ours: str, expected: Any) -> None:
    assert getattr(anywire.Server(**{theirs: value}).config, ours) == expected


def test_python_socketios_keywords_without_a_meaning_here_are_taken_and_forgotten() -> None:
    server = anywire.Server(
        async_mode="tornado", logger=True, engineio_logger=False, monitor_clients=True, json=None, client_manager=None, serializer="default"
    )
    assert dataclasses.asdict(server.config) == DEFAULTS


def test_another_json_than_pythons_own_is_refused() -> None:
    assert dataclasses.asdict(anywire.Server(json=json).config) == DEFAULTS
    for given in (types.ModuleType("ujson"), type("Decimals", (), {})):
        with pytest.raises(anywire.ConfigError, match=r"json is not used here: orjson reads and writes.* make plain what else is sent"):
            anywire.Server(json=given)


def test_what_python_socketio_takes_by_position_is_taken_so() -> None:
    config = anywire.Server(None, True, None, True, ["/chat"], ping_interval=5).config
    assert (config.async_handlers, config.namespaces, config.ping_interval) == (True, ("/chat",), 5)
    with pytest.raises(anywire.ConfigError, match=r'store="redis://...'):
        anywire.Server(object())


def test_python_socketios_test_of_an_origin_may_take_the_origin_alone() -> None:
    origins: Any = anywire.Server(cors_allowed_origins=lambda origin: origin == "https://a.example").config.origins
    assert (origins("https://a.example", {}), origins("https://b.example", {})) == (True, False)
    both: Any = anywire.Server(cors_allowed_origins=lambda origin, environ: environ["X"] == origin).config.origins
    assert (both("x", {"X": "x"}), both("x", {"X": "y"})) == (True, False)


TEXTS: dict[str, tuple[str, Any]] = {
    "store": ("redis://127.0.0.1/5", "redis://127.0.0.1/5"),
    "transports": ("xhr-polling, websocket", ("polling", "websocket")),
    "path": ("/live", "/live/"),
    "namespaces": ("/chat, /news", ("/chat", "/news")),
    "binary_fallback": ("drop", "drop"),
    "slow_consumer": ("drop", "drop"),
    "origins": ("https://a.example,https://b.example:8443", ("https://a.example", "https://b.example:8443")),
    "allowed_hosts": ("A.example b.example", ("a.example", "b.example")),
    "trusted_proxies": ("10.0.0.0/8", ("10.0.0.0/8",)),
    "cookie": ("io", "io"),
    "cookie_secret": ("a secret, with blanks", "a secret, with blanks"),
}


@pytest.mark.parametrize("row", [row for row in ROWS if row.text and row.name != "history"], ids=name_of)
def test_every_setting_can_be_said_by_its_variable_and_a_keyword_wins(row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if row in SWITCHES:
        raw, expected, other = ("off" if row.default else "on"), not row.default, row.default
    elif row in NUMBERS:
        raw, expected, other = str(type(row.default)(row.default + 1)), row.default + 1, row.default + 2
    else:
        raw, expected = TEXTS[row.name]
        other = row.default
    monkeypatch.setenv(row.variable, raw)
    assert getattr(anywire.Server().config, row.name) == expected != row.default
    assert getattr(anywire.EngineServer().config, row.name) == expected
    assert getattr(anywire.Server(**{row.name: other}).config, row.name) == other


@pytest.mark.parametrize("said", ["1", "true", "YES", "On"])
def test_a_variable_says_yes_in_several_ways(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYWIRE_PER_MESSAGE_DEFLATE", said)
    assert anywire.Server().config.per_message_deflate is True


@pytest.mark.parametrize(
    ("variable", "raw", "said"),
    [
        ("ANYWIRE_PING_INTERVAL", "often", "ping_interval must be a number, not 'often'"),
        ("ANYWIRE_PING_INTERVAL", "", "ping_interval must be a number, not ''"),
        ("ANYWIRE_PING_INTERVAL", "9999", "ping_interval is 9999.0; it must be from 0.05 to 3600"),
        ("ANYWIRE_MAX_PAYLOAD", "1.5", "max_payload must be a whole number, not '1.5'"),
        ("ANYWIRE_COMPRESSION", "maybe", "compression must be true or false, not 'maybe'"),
        ("ANYWIRE_TRANSPORTS", "", "transports is empty"),
        ("ANYWIRE_ORIGINS", "example.org", "an origin looks like https://example.org"),
        ("ANYWIRE_AUTHORIZATION", "yes", "ANYWIRE_AUTHORIZATION cannot be said in the environment"),
    ],
)
def test_a_wrong_variable_is_refused_at_once(variable: str, raw: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, raw)
    with pytest.raises(anywire.ConfigError) as error:
        anywire.Server()
    assert said in str(error.value)


def test_a_variable_with_a_slip_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYWIRE_PING_INTERVALL", "5")
    said = "unknown environment variable 'ANYWIRE_PING_INTERVALL'; did you mean ANYWIRE_PING_INTERVAL?"
    with pytest.warns(UserWarning, match=said) as warned:
        assert anywire.Server().config.ping_interval == 25.0
    assert warned[0].filename == __file__


def test_a_star_in_the_environment_is_everyone_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYWIRE_ORIGINS", "*")
    config = anywire.Server().config
    assert (config.origins, config.credentials) == ("*", False)
    monkeypatch.setenv("ANYWIRE_CREDENTIALS", "true")
    with pytest.raises(anywire.ConfigError, match=r'origins="\*" cannot go with credentials=True'):
        anywire.Server()


def test_nothing_else_in_the_environment_matters() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = Config.build({"PING_INTERVAL": "1", "anywire_ping_interval": "2", "NOT_ANYWIRE_PING_INTERVAL": "3"})
    assert dataclasses.asdict(config) == DEFAULTS
