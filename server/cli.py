"""The ``anywire`` command: ``serve``, ``demo`` and ``version``."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import importlib
import logging
import os
import re
import signal
import ssl
import sys
import warnings
from collections.abc import Sequence
from importlib import metadata
from typing import Any
from urllib.parse import quote

from tornado.web import Application, StaticFileHandler

from .app import Server
from .config import Config, settings_table
from .endpoint import Endpoint
from .errors import ConfigError

__all__ = ["main"]

#: Seconds that clients have to take their last messages after Ctrl-C, and running handlers to end.
GRACE = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code: 0, or 2 for what the user must mend (said on stderr)."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=getattr(arguments, "log_level", "INFO").upper(), format="%(asctime)s %(levelname)-7s %(name)s %(message)s")
    try:
        return int(arguments.run(arguments))
    except (ConfigError, OSError) as error:
        print(f"anywire: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="anywire", description="One real-time server for every browser.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve a Server that a module defines")
    serve.add_argument("target", metavar="MODULE:ATTRIBUTE", help="where the anywire.Server is, such as app:sio")
    around = serve.add_mutually_exclusive_group()
    around.add_argument("--app", metavar="MODULE:TORNADO_APP", help="a tornado.web.Application to serve it in")
    around.add_argument("--static", metavar="FOLDER", help="serve the files of a folder beside it, index.html for /")
    _add_listening(serve)
    for row in settings_table():
        if row.text:
            serve.add_argument(row.flag, metavar=row.name.upper(), help=f"{row.help} (default {row.default!r})".replace("%", "%%"))
    serve.set_defaults(run=_serve)
    demo = commands.add_parser("demo", help="the live slide deck with chat and poll")
    _add_listening(demo)
    demo.add_argument("--store", default="memory", help="as for serve")
    demo.add_argument("--token", help="what lets the speaker in; processes that share a store need the same (default: a new one)")
    demo.set_defaults(run=_demo)
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    return parser


def _add_listening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on, 0 for a free one (default %(default)s)")
    parser.add_argument("--certfile", help="TLS certificate chain, PEM")
    parser.add_argument("--keyfile", help="TLS private key, PEM")
    parser.add_argument("--grace", type=float, default=GRACE, help="seconds for clients and handlers at the end (default %(default)s)")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])


def _version(arguments: argparse.Namespace) -> int:
    print(metadata.version("anywire"))
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    # A flag is the environment variable of the same row: the module's Server() reads it when it is made.
    for row in settings_table():
        value = getattr(arguments, row.name, None) if row.text else None
        if value is not None:
            os.environ[row.variable] = value
    sys.path.insert(0, os.getcwd())
    return asyncio.run(_run_target(arguments))


async def _run_target(arguments: argparse.Namespace) -> int:
    server = _load(arguments.target)
    if isinstance(server, type):
        raise ConfigError(f"{arguments.target} is a class; name an object, such as sio = anywire.Server()")
    if not isinstance(server, Endpoint):
        raise ConfigError(f"{arguments.target} is a {type(server).__name__}; it must be an anywire.Server or EngineServer")
    _tell_ineffective(arguments, server)
    app = _load(arguments.app) if arguments.app else _with_files(server, arguments.static) if arguments.static else None
    told = _listen_to_signals()
    await server.start()
    _listen(server, app, arguments)
    _announce(server, arguments)
    await _until(told)
    await server.shutdown(arguments.grace)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    return asyncio.run(_run_demo(arguments))


async def _run_demo(arguments: argparse.Namespace) -> int:
    from .demo.app import build

    demo = build(arguments.token, store=arguments.store)
    told = _listen_to_signals()
    await demo.sio.start()
    _listen(demo.sio, demo.application, arguments)
    base = _announce(demo.sio, arguments)
    print(f"  viewers  {base}/\n  speaker  {base}/speaker?token={quote(demo.token)}", flush=True)
    await _until(told)
    await demo.sio.shutdown(arguments.grace)
    return 0


def _announce(server: Endpoint, arguments: argparse.Namespace) -> str:
    """Say what is served and where; returns the base URL."""
    scheme = "https" if arguments.certfile else "http"
    host = "127.0.0.1" if arguments.host in ("", "0.0.0.0", "::") else arguments.host
    base = f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}"
    kind = "Socket.IO" if isinstance(server, Server) else "Engine.IO"
    print(f"anywire {metadata.version('anywire')} serves {kind} at {base}{server.config.path}")
    print(f"  over     {', '.join(server.config.transports)}")
    if server.config.check_page and isinstance(server, Server):
        print(f"  check    {base}{server.config.path}check")
    print("  Ctrl-C tells the clients, then ends; twice ends at once", flush=True)
    return base


def _with_files(server: Endpoint, folder: str) -> Application:
    """An application of the server and the files of ``folder``. Raises ConfigError when there is no such folder."""
    if not os.path.isdir(folder):
        raise ConfigError(f"there is no folder {folder!r} in {os.getcwd()}")
    files = {"path": os.path.abspath(folder), "default_filename": "index.html"}
    return Application([(re.escape(server.config.path) + ".*", server.router), (r"/(.*)", StaticFileHandler, files)])


def _tell_ineffective(arguments: argparse.Namespace, server: Endpoint) -> None:
    """Say which flags the module overrules by keywords of its own: nobody should believe that they hold."""
    for row in settings_table():
        raw = getattr(arguments, row.name, None) if row.text else None
        if raw is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the server has warned already
            meant = getattr(Config.build({row.variable: raw}), row.name)
        if meant != getattr(server.config, row.name):
            print(f"anywire: {row.flag} has no effect: {arguments.target} sets {row.name} itself", file=sys.stderr, flush=True)


def _listen_to_signals() -> asyncio.Event:
    """What SIGINT and SIGTERM set from now on. The second of them ends the process at once, whatever still goes on."""
    told = asyncio.Event()

    def tell(number: int) -> None:
        if told.is_set():
            print("anywire: ended at once", flush=True)
            os._exit(128 + number)
        told.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell, number)
    return told


async def _until(told: asyncio.Event) -> None:
    await told.wait()
    print("anywire: telling the clients and closing", flush=True)


def _load(spec: str) -> Any:
    """The object that MODULE:ATTRIBUTE names. Raises ConfigError that says which half is wrong."""
    module_name, colon, attribute = spec.partition(":")
    if not colon or not module_name or not attribute:
        raise ConfigError(f"{spec!r} must look like MODULE:ATTRIBUTE, such as app:sio")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name and not module_name.startswith(f"{error.name}."):
            raise
        raise ConfigError(f"there is no module {module_name!r} in {os.getcwd()} or on the path") from None
    found: Any = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            near = difflib.get_close_matches(name, dir(found), 1)
            raise ConfigError(f"module {module_name!r} has no {attribute!r}" + (f"; did you mean {near[0]}?" if near else ""))
        found = getattr(found, name)
    return found


def _listen(server: Endpoint, app: Any, arguments: argparse.Namespace) -> None:
    tls = _tls(arguments)
    try:
        server.listen(arguments.port, arguments.host, app, tls)
    except OSError as error:
        raise ConfigError(f"cannot listen on {arguments.host} port {arguments.port}: {error}") from None


def _tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    if not arguments.certfile:
        if arguments.keyfile:
            raise ConfigError("--keyfile needs --certfile")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    for name in filter(None, (arguments.certfile, arguments.keyfile)):
        if not os.access(name, os.R_OK):
            raise ConfigError(f"cannot read {name!r}")
    try:
        context.load_cert_chain(arguments.certfile, arguments.keyfile)
    except ssl.SSLError as error:
        raise ConfigError(f"{arguments.certfile!r} is no PEM certificate with its key: {error.reason}") from None
    return context
