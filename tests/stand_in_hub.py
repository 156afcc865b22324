"""A Hugging Face hub on this machine with one repository: its two endpoints that are asked."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

REPO = "acme/student"


@dataclass
class Hub:
    """The repository's files at its only commit, which is also the branch main."""

    files: dict[str, bytes]
    card: dict[str, object] = field(default_factory=lambda: {"license": "mit"})
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def commit(self) -> str:
        return hashlib.sha1(b"".join(self.files.values())).hexdigest()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        if path.startswith(f"/api/models/{REPO}"):
            if "/revision/" in path and not self._known(path.rsplit("/", 1)[1]):
                return 404, {"X-Error-Code": "RevisionNotFound"}, b""
            siblings = [{"rfilename": name} for name in self.files]
            info = {"id": REPO, "sha": self.commit, "siblings": siblings, "cardData": self.card}
            known = {"private": False, "downloads": 0, "likes": 0, "tags": []}
            return 200, {"Content-Type": "application/json"}, json.dumps(info | known).encode()
        repo, _, rest = path[1:].partition("/resolve/")
        _, _, file = rest.partition("/")
        if repo != REPO:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if file not in self.files:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.commit}, b""
        content = self.files[file]
        tag = hashlib.sha256(content).hexdigest()
        return 200, {"ETag": f'"{tag}"', "X-Repo-Commit": self.commit}, content

    def _known(self, revision: str) -> bool:
        return revision in ("main", self.commit)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub at its `url` for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0])
            hub.asked.append(f"{self.command} {path}")
            status, headers, body = hub.answer(path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Standard error is the command's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
