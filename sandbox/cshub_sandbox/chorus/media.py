"""Recordings' files: where they are, links that are signed and expire, and their bytes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from random import Random
from typing import Any

from ..kernel import Reply, Request
from ..world import Meeting, MeetingKind
from .errors import not_found
from .people import iso
from .records import Records, Stage
from .switches import MediaHost

STORE_PATH = "/media-store/"
SIGNING_KEY = b"sandbox media store"
VIDEO_HEAD = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
AUDIO_HEAD = b"ID3\x04\x00\x00\x00\x00\x00\x00"
BYTES_PER_SECOND = 16
RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


class Media:
    """Files of recordings: a few bytes for each second, the same for the same conversation."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def link(self, meeting: Meeting, host: str) -> str:
        """A signed address of the file on this service. Raises the 404 problem when there is no file."""
        if not self._has_file(meeting):
            raise not_found("No media exists for this conversation.")
        switches, now = self._records.switches, self._records.clock.now()
        expires = int((now + timedelta(seconds=switches.media_link_life_s)).timestamp())
        name = f"{meeting.id}.{'mp3' if _is_audio(meeting) else 'mp4'}"
        if switches.media_host is MediaHost.OTHER:
            host = host.replace("127.0.0.1", "localhost")
        return f"http://{host}{STORE_PATH}{name}?expires={expires}&signature={_signature(name, expires)}"

    def info(self, meeting: Meeting, host: str) -> dict[str, Any]:
        """What ``info=true`` answers. Raises the 404 problem when there is no file."""
        link, switches = self.link(meeting, host), self._records.switches
        expires = self._records.clock.now() + timedelta(seconds=switches.media_link_life_s)
        return {
            switches.media_link_key: link,
            "media_type": "audio" if _is_audio(meeting) else "video",
            "content_type": _content_type(meeting),
            "size": len(media_bytes(meeting)),
            "duration": meeting.duration_s,
            "expires_at": iso(expires),
        }

    def download(self, request: Request) -> Reply:
        """The file behind a signed link: needs no token, supports ``Range``; 403 when the link is wrong or too old."""
        name = request.path.removeprefix(STORE_PATH)
        expires = request.param("expires") or ""
        meeting = self._records.by_id.get(name.split(".")[0])
        numeric = expires.isascii() and expires.isdigit() and len(expires) <= 11
        signed = numeric and request.param("signature") == _signature(name, int(expires))
        if not signed or datetime.fromtimestamp(int(expires), UTC) <= self._records.clock.now():
            return Reply(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})
        if meeting is None or not self._has_file(meeting):
            return Reply(404, b"<Error><Code>NoSuchKey</Code></Error>", {"Content-Type": "application/xml"})
        return _ranged(media_bytes(meeting), _content_type(meeting), request.headers.get("range"))

    def _has_file(self, meeting: Meeting) -> bool:
        stage = self._records.stage(meeting, self._records.clock.now())
        recorded = meeting.kind in (MeetingKind.RECORDED, MeetingKind.CALL)
        return recorded and stage in (Stage.PROCESSING, Stage.DONE)


def media_bytes(meeting: Meeting) -> bytes:
    """The whole file: a true head, then noise that depends on the conversation's id only."""
    head = AUDIO_HEAD if _is_audio(meeting) else VIDEO_HEAD
    return head + Random(meeting.id).randbytes(int(meeting.duration_s) * BYTES_PER_SECOND)


def _ranged(content: bytes, content_type: str, wanted: str | None) -> Reply:
    headers = {"Content-Type": content_type, "Accept-Ranges": "bytes"}
    match = RANGE.match(wanted or "")
    if not match or match.group(0) == "bytes=-":
        return Reply(200, content, headers)
    first, last = match.groups()
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(len(content), int(last) + 1) if first and last else len(content)
    if start >= end:
        return Reply(416, b"", {**headers, "Content-Range": f"bytes */{len(content)}"})
    return Reply(206, content[start:end], {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(content)}"})


def _is_audio(meeting: Meeting) -> bool:
    return meeting.kind is MeetingKind.CALL


def _content_type(meeting: Meeting) -> str:
    return "audio/mpeg" if _is_audio(meeting) else "video/mp4"


def _signature(name: str, expires: int) -> str:
    return blake2s(f"{name}:{expires}".encode(), key=SIGNING_KEY, digest_size=16).hexdigest()
