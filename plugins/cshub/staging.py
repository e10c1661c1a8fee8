"""Frames between tasks: Parquet files, written whole or not at all, read back only if they are what was written."""

from __future__ import annotations

import hashlib
import io
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cshub.core.errors import ServiceUnavailable, StagingCorrupt

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Where a staged frame lies. Travels through XCom in place of the frame."""

    path: str
    rows: int
    digest: str  # SHA-256 of the file, hex

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        return cls(path=value["path"], rows=value["rows"], digest=value["digest"])


class Staging:
    """Frames below one URL: ``file://…`` or any store Airflow's ObjectStoragePath knows (``s3://conn@bucket/prefix``)."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def write(
        self, job_id: str, run_id: str, name: str, frames: Iterable[pd.DataFrame], *, schema: pa.Schema
    ) -> FrameRef:
        """Stage chunks of one frame, each with the columns of ``schema``. Writing again replaces the earlier file.

        One row group a chunk: memory depends on the chunk, not on the run. Raises :class:`ServiceUnavailable` when
        there is no room or the place cannot be written.
        """
        buffer = io.BytesIO()
        rows = 0
        with pq.ParquetWriter(buffer, schema, compression="zstd") as writer:
            for frame in frames:
                writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
                rows += len(frame)
        content = buffer.getvalue()
        path = f"{_folder(job_id, run_id)}/{name}.parquet"
        try:
            self._put(path, content)
        except OSError as error:
            raise ServiceUnavailable(
                f"The staged file {path} cannot be written below {self.url}: {error}. Check that the place exists, "
                "may be written and has room; then run again."
            ) from error
        return FrameRef(path, rows, hashlib.sha256(content).hexdigest())

    def read(self, ref: FrameRef) -> Iterator[pd.DataFrame]:
        """The chunks of a staged frame.

        Raises :class:`StagingCorrupt` when the file is missing or was changed, :class:`ServiceUnavailable` when the
        place cannot be read.
        """
        try:
            content = self._get(ref.path)
        except FileNotFoundError as error:
            raise StagingCorrupt(
                f"The staged file {ref.path} is missing: clear the run's first task to make it again."
            ) from error
        except OSError as error:
            raise ServiceUnavailable(
                f"The staged file {ref.path} cannot be read below {self.url}: {error}. Check that the place can be "
                "reached and read; then run again."
            ) from error
        if hashlib.sha256(content).hexdigest() != ref.digest:
            raise StagingCorrupt(
                f"The staged file {ref.path} is not what was written: clear the run's first task to make it again."
            )
        file = pq.ParquetFile(io.BytesIO(content))
        for group in range(file.num_row_groups):
            yield file.read_row_group(group).to_pandas()

    def find(self, job_id: str, run_id: str, name: str) -> FrameRef | None:
        """What a run staged under this name, as it is now; None when it is not, or no longer, there."""
        path = f"{_folder(job_id, run_id)}/{name}.parquet"
        try:
            content = self._get(path)
        except OSError:
            return None
        rows = pq.ParquetFile(io.BytesIO(content)).metadata.num_rows
        return FrameRef(path, rows, hashlib.sha256(content).hexdigest())

    def _put(self, path: str, content: bytes) -> None:
        local = self._local(path)
        if local is None:
            target = self._remote(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            return
        local.parent.mkdir(parents=True, exist_ok=True)
        draft = local.with_name(f".{local.name}.{uuid.uuid4().hex}")
        try:
            draft.write_bytes(content)
            draft.replace(local)
        finally:
            draft.unlink(missing_ok=True)

    def _get(self, path: str) -> bytes:
        local = self._local(path)
        return bytes(self._remote(path).read_bytes()) if local is None else local.read_bytes()

    def _local(self, path: str) -> Path | None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"", "file"}:
            return None
        return Path(unquote(parts.path)) / path

    def _remote(self, path: str) -> Any:
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(f"{self.url}/{path}")


def _folder(job_id: str, run_id: str) -> str:
    return f"{_UNSAFE.sub('_', job_id)}/{_UNSAFE.sub('_', run_id)}"
