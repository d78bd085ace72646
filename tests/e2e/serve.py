"""The clients that serve.sh sets on besom serve, good and bad, by plain sockets.

    serve.py rules URL                 what is answered and what is refused, with which headers
    serve.py follow URL FILE           one stream; a line for each event: its name and its data
    serve.py crowd URL PID DATABASE    slow and half-open clients beside a good one, while documents change
"""
import json
import re
import socket
import sqlite3
import sys
import time

TIMEOUT = 60  # machines are shared


def connect(port, small=False):
    s = socket.socket()
    if small:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(TIMEOUT)
    s.connect(("127.0.0.1", port))
    return s


def parts(url):
    port, path = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/[0-9a-f]{32})", url).groups()
    return int(port), path


def answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            return None, {}, data
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
    return int(lines[0].split(" ")[1]), headers, body


def ask(port, path, method="GET", headers=None, body=b"", whole=False):
    """One request in a connection of its own."""
    headers = {"Host": f"127.0.0.1:{port}"} if headers is None else headers
    listed = headers if isinstance(headers, list) else list(headers.items())
    text = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in listed) + "\r\n"
    s = connect(port)
    s.sendall(text.encode() + body)
    status, got, rest = answer(s)
    while whole and len(rest) < int(got["content-length"]):
        rest += s.recv(65536)
    s.close()
    return status, got, rest


def events(s):
    """The events of a stream whose request was sent: (name, data)."""
    status, headers, data = answer(s)
    assert status == 200 and headers["content-type"].startswith("text/event-stream"), (status, headers)
    assert headers["transfer-encoding"] == "chunked", headers
    text = bytearray()
    while True:
        while b"\r\n" in data:  # a chunk, when all of it is there
            size, rest = data.split(b"\r\n", 1)
            n = int(size, 16)
            if n == 0 or len(rest) < n + 2:
                break
            text += rest[:n]
            data = rest[n + 2:]
            if text.endswith(b"\n\n"):  # no chunk is of two events
                fields = dict(line.split(b": ", 1) for line in bytes(text).rstrip().split(b"\n"))
                text.clear()
                if b"event" in fields:
                    yield fields[b"event"].decode(), fields[b"data"].decode()
        more = s.recv(1 << 20)
        if not more:
            return
        data += more


def open_stream(port, path, small=False):
    s = connect(port, small)
    s.sendall(f"GET {path}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return s


def rules(url):
    port, path = parts(url)
    host = {"Host": f"127.0.0.1:{port}"}

    def expect(status, *request, **options):
        got, headers, body = ask(*request, **options)
        assert got == status, (request, options, got, body)
        if status != 431 and headers:  # that one is libmicrohttpd's own
            for name, value in {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store",
                                "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin"}.items():
                assert headers.get(name) == value, (request, name, headers)
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "connect-src 'self'" in policy and "frame-ancestors 'none'" in policy, policy
            assert "unsafe" not in policy and "http" not in policy and "*" not in policy, policy
            assert "set-cookie" not in headers and "access-control-allow-origin" not in headers, headers
        return headers, body

    headers, page = expect(200, port, path, whole=True)
    assert headers["content-type"] == "text/html; charset=utf-8" and page.startswith(b"<!doctype html>"), page[:100]
    assert b"http-equiv" not in page and b"@BESOM_DATA@" not in page
    assert page.rstrip().endswith(b"</html>") and b'id="besom-data">{"live": true}</script>' in page
    expect(200, port, path + "/")
    expect(200, port, path + "?x=1")
    headers, body = expect(200, port, path, method="HEAD")
    assert int(headers["content-length"]) == len(page) and body == b"", (headers, body)
    headers, body = expect(200, port, path + "/events", method="HEAD")
    assert headers["content-type"].startswith("text/event-stream") and body == b"", body

    # the token
    other = path[:-1] + ("0" if path[-1] != "0" else "1")
    for wrong in ["/", "/events", other, other + "/events", path[:-1], path.upper() if path.upper() != path else "/x", "/?token=" + path[1:], "//" + path[1:],
                  "/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/favicon.ico", f"http://127.0.0.1:{port}{path}"]:
        expect(403, port, wrong)
    for nothing in [path + "/results.db", path + "/../results.db", path + "/../../etc/passwd", path + "x"]:
        got, _, body = ask(port, nothing)
        assert got == 404 and b"root:" not in body, (nothing, got)
    # the host: a name that was made to point here gets nothing, whatever it knows
    for wrong in [f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", f"127.0.0.1.evil.example:{port}", f"[::1]:{port}"]:
        expect(403, port, path, headers={"Host": wrong})
        expect(403, port, path + "/events", headers={"Host": wrong})
    expect(403, port, path, headers=[("Host", f"127.0.0.1:{port}"), ("Host", "evil.example")])
    assert ask(port, path, headers={})[0] == 400
    expect(200, port, path, headers={"Host": f"localhost:{port}"})
    # the origin
    for wrong in ["http://evil.example", "null", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", "file://"]:
        expect(403, port, path, headers={**host, "Origin": wrong})
        expect(403, port, path + "/events", headers={**host, "Origin": wrong})
    expect(200, port, path, headers={**host, "Origin": f"http://127.0.0.1:{port}"})
    # methods
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"]:
        headers, _ = expect(405, port, path, method=method)
        assert headers["allow"] == "GET, HEAD", headers
    expect(405, port, path, method="POST", headers={**host, "Content-Length": "5"}, body=b"a=b&c")
    # what is no request, or too much of one
    got, _, _ = ask(port, path, headers={**host, "X-Long": "x" * 100000})
    assert got in (413, 431, None), got
    got, _, _ = ask(port, path + "/" + "x" * 100000)
    assert got in (413, 414, 431, None), got
    junk_sent = []
    for junk in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"\r\n\r\n\r\n\r\n", b"GET\r\n\r\n", b"\0" * 1000, b"GET / HTTP/9.9\r\n\r\n"]:
        s = connect(port)
        s.sendall(junk)
        s.shutdown(socket.SHUT_WR)
        junk_sent.append(s)
    for s in junk_sent:  # each is ended, with an answer or without
        try:
            while s.recv(65536):
                pass
        except ConnectionResetError:
            pass
        s.close()
    # two requests in one connection, and a body that nobody asked for
    s = connect(port)
    for _ in range(2):
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 3\r\n\r\nabc".encode())
        status, headers, body = answer(s)
        while len(body) < int(headers["content-length"]):
            body += s.recv(65536)
        assert status == 200 and body == page
    s.close()
    # a stream begins with the document and the status; as many as there is room for, and no more
    streams = []
    while True:
        s = open_stream(port, path)
        status, headers, data = answer(s)
        if status != 200:
            break
        streams.append(s)
        assert len(streams) < 100
    assert status == 503 and headers["retry-after"] == "5", (status, headers)
    for s in streams:
        s.close()
    deadline = time.monotonic() + TIMEOUT
    while ask(port, path + "/events")[0] == 503:  # their places are free again
        assert time.monotonic() < deadline
        time.sleep(0.1)
    name, data = next(events(open_stream(port, path)))
    assert name == "document" and json.loads(data)["format"] == 1, name


def follow(url, file):
    port, path = parts(url)
    with open(file, "w") as out:
        for name, data in events(open_stream(port, path)):
            print(name, data, file=out, flush=True)


def memory_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", open(f"/proc/{pid}/status").read()).group(1)) / 1024


def is_closed(s):
    """Drains what is there; whether the other side has ended it."""
    s.settimeout(0.5)
    try:
        while s.recv(1 << 20):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def crowd(url, pid, database):
    port, path = parts(url)
    db = sqlite3.connect(database, timeout=TIMEOUT)

    def change(n):  # a document of 4 MB that is another one
        db.execute("UPDATE sweep SET description = ?, spec = ?", (f"the {n}th", f"{n}" * (4_000_000 // len(str(n)))))
        db.commit()

    change(100)
    good = events(open_stream(port, path))

    def wait_until_told(n):
        for name, data in good:
            if name == "document" and json.loads(data)["sweep"]["description"] == f"the {n}th":
                return
        raise AssertionError("the good client's stream has ended")

    wait_until_told(100)
    before = memory_mb(pid)
    half_open = [connect(port) for _ in range(20)]
    for i, s in enumerate(half_open):
        s.sendall([b"", b"GET ", b"GET / HTTP/1.1\r\nHost: x\r\n", f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX".encode()][i % 4])
    slow = []
    for n in range(101, 107):  # four more that read nothing, each time with another document on its way to them
        slow += [open_stream(port, path, small=True) for _ in range(4)]
        for s in slow[-4:]:
            assert s.recv(17, socket.MSG_WAITALL).startswith(b"HTTP/1.1 200")
        change(n)
        wait_until_told(n)
        assert ask(port, path)[0] == 200
    grown = memory_mb(pid) - before
    print(f"24 slow and 20 half-open clients, 6 documents of 4 MB: from {before:.1f} MB, {grown:.1f} MB more")
    if "asan" not in sys.argv:
        assert grown < 80, grown  # and not 24 times 24 MB
    ended = sum(is_closed(s) for s in slow[:4])  # those who were furthest behind
    assert ended == 4, ended
    assert not is_closed(slow[-1])
    # whoever does not show the token makes room for who does, even when there is none left
    more = [connect(port) for _ in range(150)]
    assert ask(port, path)[0] == 200
    assert all(is_closed(s) for s in half_open + more[:20])
    change(200)
    wait_until_told(200)


if __name__ == "__main__":
    {"rules": rules, "follow": follow, "crowd": crowd}[sys.argv[1]](*[a for a in sys.argv[2:] if a != "asan"])
