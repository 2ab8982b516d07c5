"""Downloads from a server of the test's own: cut, damaged, refused, and gone on with."""

from __future__ import annotations

import gzip
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from edgebench.datasets import download, folder, published
from edgebench.datasets.download import RemoteFile, fetch
from edgebench.errors import UsageError

DATA = np.random.default_rng(1).bytes(300_000)


class Server(ThreadingHTTPServer):
    """Serves ``files``; each of ``cuts`` ends one answer after so many bytes.

    Its end waits for its threads, and those say nothing: it would be heard in another test.
    """

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/file": DATA}
        self.cuts: list[int] = []
        self.ranges = True
        self.silent = False
        self.over = threading.Event()
        self.asked: list[str | None] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """As a static file server answers, Range and all."""

    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        body = self.server.files.get(self.path)
        if self.server.silent:
            self.server.over.wait(60)
            return
        if body is None:
            self.send_error(404)
            return
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if wanted and self.server.ranges:
            if first >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            body = body[first:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        end = self.server.cuts.pop(0) if self.server.cuts else len(body)
        self.wfile.write(body[:end])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Tests read what they asked from `Server.asked`."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server under way; proxies do not stand between."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.over.set()
        one.shutdown()
        thread.join()


@pytest.fixture
def get(server: Server, tmp_path: Path) -> Callable[..., bytes]:
    """Fetches the file and gives its bytes."""

    def run(*paths: str, expected: bytes = DATA, timeout_s: float = 5.0) -> bytes:
        addresses = tuple(server.address + path for path in paths or ("/file",))
        file = RemoteFile("file", addresses, hashlib.sha256(expected).hexdigest(), len(expected))
        path = fetch(file, tmp_path, lambda *_: None, timeout_s)
        assert not (tmp_path / "file.part").exists()
        return path.read_bytes()

    return run


def test_a_file_arrives_and_its_progress_is_told(server: Server, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    sha256 = hashlib.sha256(DATA).hexdigest()
    file = RemoteFile("file", (f"{server.address}/file",), sha256, len(DATA))
    path = fetch(file, tmp_path, lambda *step: told.append(step))
    assert path.read_bytes() == DATA
    assert told[-1] == ("file", len(DATA), len(DATA))
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})


def test_a_cut_download_goes_on_where_it_stopped(server: Server, get: Callable[..., bytes]) -> None:
    server.cuts = [100_000, 50_000]
    assert get() == DATA
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_command_goes_on_where_an_earlier_one_stopped(
    server: Server, get: Callable[..., bytes], tmp_path: Path
) -> None:
    server.cuts = [100_000, 0]
    with pytest.raises(UsageError, match="cut after 100000 of 300000 byte"):
        get()
    assert (tmp_path / "file.part").stat().st_size == 100_000
    assert get() == DATA
    assert server.asked[-1] == "bytes=100000-"


def test_a_server_without_ranges_sends_it_all_again(
    server: Server, get: Callable[..., bytes]
) -> None:
    server.ranges = False
    server.cuts = [100_000]
    assert get() == DATA
    assert server.asked == [None, "bytes=100000-"]


def test_another_file_is_never_used_nor_kept(
    server: Server, get: Callable[..., bytes], tmp_path: Path
) -> None:
    server.files["/file"] = DATA[:-1] + b"\0"
    with pytest.raises(UsageError, match=r"another file there \(sha256\)"):
        get()
    assert list(tmp_path.glob("file*")) == []


@pytest.mark.parametrize("size", [100_000, 300_000, 400_000])
def test_a_part_of_another_file_is_fetched_anew(
    get: Callable[..., bytes], tmp_path: Path, size: int
) -> None:
    (tmp_path / "file.part").write_bytes(bytes(size))
    assert get() == DATA


def test_a_part_that_the_server_cannot_go_on_from_is_fetched_anew(
    server: Server, get: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "file.part").write_bytes(bytes(200_000))
    server.files["/short"] = bytes(150_000)
    assert get("/short", "/file") == DATA


def test_an_endless_file_is_given_up(server: Server, get: Callable[..., bytes]) -> None:
    server.files["/file"] = DATA + bytes(10_000_000)
    with pytest.raises(UsageError, match="sends more than the 300000 byte"):
        get()


def test_the_next_address_is_tried_and_every_reason_told(get: Callable[..., bytes]) -> None:
    assert get("/gone", "/file") == DATA
    with pytest.raises(UsageError, match=r"HTTP 404 Not Found; 127.*HTTP 404") as caught:
        get("/gone", "/gone-too", expected=DATA + b"x")
    assert "edgebench data add" in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_silent_server_is_not_waited_for(server: Server, get: Callable[..., bytes]) -> None:
    server.silent = True
    with pytest.raises(UsageError, match="timed out"):
        get(timeout_s=0.2)


def test_no_network_is_told_in_a_line(tmp_path: Path) -> None:
    with socket.socket() as unheard:  # bound, but nobody listens
        unheard.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unheard.getsockname()[1]}/file"
        file = RemoteFile("file", (address,), "0" * 64, 1)
        with pytest.raises(UsageError, match="Connection refused"):
            fetch(file, tmp_path, lambda *_: None)


@pytest.fixture
def own_mnist(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST's two files, small, on the test's server."""
    images = np.random.default_rng(2).integers(0, 256, (20, 28, 28), np.uint8)
    head = b"\0\0\x08\x03" + struct.pack(">III", *images.shape)
    bodies = {
        "t10k-images-idx3-ubyte.gz": gzip.compress(head + images.tobytes()),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(
            b"\0\0\x08\x01" + struct.pack(">I", 20) + bytes(range(10)) * 2
        ),
    }
    server.files |= {f"/{name}": body for name, body in bodies.items()}
    files = tuple(
        RemoteFile(name, (f"{server.address}/{name}",), hashlib.sha256(body).hexdigest(), len(body))
        for name, body in bodies.items()
    )
    one = published.Published("MNIST of a test", {"test": files})
    monkeypatch.setitem(published.PUBLISHED, "mnist", one)


@pytest.mark.usefixtures("own_mnist")
def test_a_published_data_set_is_downloaded_and_added(server: Server) -> None:
    server.cuts = [1000]
    dataset = published.download("mnist", "test", lambda *_: None)
    assert (dataset.spec.count, dataset.spec.shape) == (20, (28, 28, 1))
    assert dataset.spec.source == "MNIST of a test"
    assert dataset.problem() == ""
    assert list((folder.home() / ".downloads").iterdir()) == []
    assert folder.names() == ["mnist"]
    asked = len(server.asked)
    with pytest.raises(UsageError, match="already"):
        published.download("mnist", "test", lambda *_: None)
    assert len(server.asked) == asked  # known before anything is fetched


def test_an_unknown_data_set_is_refused_with_what_can_be_done() -> None:
    with pytest.raises(UsageError, match=r"known: mnist, cifar10.*edgebench data add nope PATH"):
        published.download("nope", "test", lambda *_: None)


def test_what_is_published_is_whole() -> None:
    for one in published.PUBLISHED.values():
        for files in one.splits.values():
            for file in files:
                assert len(bytes.fromhex(file.sha256)) == 32
                assert file.size_byte > 0
                assert all(
                    a.startswith("https://") and a.endswith(file.name) for a in file.addresses
                )
    assert download._TIMEOUT_S <= 60
