"""Tornado's HTTP server, stricter where leniency lets a request end elsewhere than a proxy before it thinks (request smuggling)."""

from __future__ import annotations

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer

__all__ = ["StrictServer"]


class StrictServer(HTTPServer):
    """Answers 400 to what Tornado's own takes in good faith, and runs nothing that comes after a request at which it hangs up."""

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> httputil.HTTPMessageDelegate:
        if isinstance(request_conn, HTTP1Connection):
            # Tornado makes it, and has no setting for what kind.
            request_conn.__class__ = _StrictConnection
        return super().start_request(server_conn, request_conn)


class _StrictConnection(HTTP1Connection):
    def _parse_headers(self, data: bytes) -> tuple[str, httputil.HTTPHeaders]:
        # RFC 9112, 2.2: "a recipient MAY recognize a single LF as a line terminator", and Tornado does until 6.7. A proxy that does not
        # passes "X: a\nTransfer-Encoding: chunked" on as one line.
        if data.count(b"\n") != data.count(b"\r\n"):
            raise httputil.HTTPInputError("a line of the head ends in LF alone")
        parsed = super()._parse_headers(data)
        # RFC 9110, 8.6: "2, 2" may be rejected, or taken for 2, as Tornado does.
        if b"content-length" in data.lower() and "," in parsed[1].get("Content-Length", ""):
            raise httputil.HTTPInputError("several values of Content-Length")
        return parsed

    def close(self) -> None:
        stream = self.stream
        super().close()
        if stream is not None:
            # What was read ahead is nobody's request now; Tornado would run it, and write its answer nowhere.
            stream._read_buffer.clear()
            stream._read_buffer_size = 0
