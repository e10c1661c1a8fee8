"""The example of docs/airflow.md for failure and delay notices, put to work."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from cshub.settings import PROJECT

DOCUMENTED_LIMIT, LIMIT = "timedelta(minutes=45)", "timedelta(seconds=45)"
_FILE = re.compile(r"<!-- file: (?P<path>\S+) -->\n```python\n(?P<text>.*?)```", re.DOTALL)


def write_documented_files(folder: Path) -> None:
    """The Python files of docs/airflow.md below ``folder``; what is late after 45 minutes there is late after 45 s."""
    documented = {found["path"]: found["text"] for found in _FILE.finditer(_documentation())}
    if set(documented) != {"include/notices.py", "dags/chorus_touchpoints_inbound.py"}:
        raise AssertionError(f"docs/airflow.md shows other files than expected: {sorted(documented)}")
    for path, text in documented.items():
        place = folder / path
        place.parent.mkdir(exist_ok=True)
        place.write_text(text.replace(DOCUMENTED_LIMIT, LIMIT), encoding="utf-8")


def _documentation() -> str:
    return (PROJECT / "docs" / "airflow.md").read_text("utf-8")


@dataclass
class NoticeBoard:
    """A chat channel's incoming webhook: what it was told, in order."""

    url: str = ""
    told: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        board = cls()

        class Webhook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                board.told.append(json.loads(body)["text"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Tests read ``told`` instead."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        board.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, name="notice board", daemon=True)
        thread.start()
        try:
            yield board
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
