"""A web server on this machine that misbehaves as others do."""

import http.server
import threading
import time

STALL = 4.0  # seconds


class Stall(int):
    """So many bytes, then silence on an open connection."""


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`; each request takes one of `faults` from the front."""

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.tag, self.ranges, self.chunked = content, '"1"', True, False
        self.length = True
        self.faults, self.asked = [], []
        self.others = {}  # content by path
        self.url = f"http://127.0.0.1:{self.server_port}/a.bin"

    def handle_error(self, *_):
        """A connection that the test cut is no error."""


def start(content):
    """A server that runs; `shutdown` and `server_close` end it."""
    server = Server(content)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing: the tests say what they need."""

    def do_GET(self):
        server = self.server
        server.asked.append(dict(self.headers))
        fault = server.faults.pop(0) if server.faults else None
        self.close_connection = True
        if isinstance(fault, tuple):  # a status and its headers
            status, headers = fault
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            return
        start = self.begin()
        body = self.body()[start:]
        if isinstance(fault, int):  # so many bytes, then the connection is cut
            body = body[:fault]
        if server.chunked:
            body = b"%x\r\n%s\r\n" % (len(body), body) + (b"" if fault else b"0\r\n\r\n")
        self.wfile.write(body)
        self.wfile.flush()
        if isinstance(fault, Stall):
            time.sleep(STALL)

    def body(self):
        return self.server.others.get(self.path, self.server.content)

    def begin(self):
        """Sends the headers; returns where the body begins."""
        server, size, start = self.server, len(self.body()), 0
        asked = self.headers.get("Range")
        same = self.headers.get("If-Range") in (None, server.tag)
        if asked and server.ranges and same:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return size
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            self.send_response(200)
        if server.tag:
            self.send_header("ETag", server.tag)
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif server.length:
            self.send_header("Content-Length", str(size - start))
        self.end_headers()
        return start
