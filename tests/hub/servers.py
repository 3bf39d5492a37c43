"""A local HTTP server whose addresses behave well or badly, each in one way."""

import contextlib
import http.server
import io
import tarfile
import threading
import time
from pathlib import Path


def packed(*members, extra=b""):
    """A .tar.gz of members: a folder's path to be packed whole, or a TarInfo with its bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for member in members:
            if isinstance(member, Path):
                archive.add(member, arcname=".")
            else:
                info, data = member
                archive.addfile(info, io.BytesIO(data) if data is not None else None)
    return stream.getvalue() + extra


def member(name, data=b"", **changes):
    """A member for `packed`: a file, unless its `type` says otherwise."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for attribute, value in changes.items():
        setattr(info, attribute, value)
    return info, data


class Server:
    """Addresses by path; what each does is a function of the request's handler.

    Attributes:
        asked: the path of every request, with its query.
    """

    def __init__(self):
        self.asked, self._answers = [], {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                answer = outer._answers.get(self.path.partition("?")[0])
                with contextlib.suppress(ConnectionError):
                    if answer is None:
                        self.send_error(404)
                    else:
                        answer(self)

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def remove(self, path):
        """Answers a path with 404 from here on."""
        del self._answers[path]

    def put(self, path, answer):
        """Makes an address; returns it."""
        self._answers[path] = answer
        return self.address + path


def whole(data):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def slowly(data, seconds):
    """Sends all of it, after a while: time for others to ask, too."""

    def answer(handler):
        time.sleep(seconds)
        whole(data)(handler)

    return answer


def announced(data, length):
    """Announces a length and sends something else."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def unannounced(data):
    """Says nothing of a length: the connection's end is the end, wherever that is."""

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def dripping(data, pause, header_only=False):
    """Sends a byte at a time, for as long as anybody listens."""

    def answer(handler):
        if header_only:
            handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        else:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
        for index in range(len(data)):
            handler.wfile.write(b"x" if header_only else data[index : index + 1])
            handler.wfile.flush()
            time.sleep(pause)

    return answer


def moved(url, code=302, body=None):
    """Leads to another address; says no more, or sends what `body` sends."""

    def answer(handler):
        handler.send_response(code)
        handler.send_header("Location", url)
        if body:
            body(handler)
        handler.end_headers()

    return answer


def failing(code, endless=False):
    """Fails, and says why without an end."""

    def answer(handler):
        handler.send_response(code)
        handler.end_headers()
        while endless:
            handler.wfile.write(b"x" * 4096)

    return answer
