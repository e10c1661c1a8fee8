"""Deaths at chosen boundaries: a fuse between the hub and everything it touches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, event

from cshub.ledger.database import Database

BEFORE_COMMIT = "before commit"


class Crash(BaseException):
    """Stands for kill -9: nothing of the hub catches it."""


@dataclass
class Fuse:
    """Counts boundaries; at number ``burns_at`` (from 1) the process dies, and stays dead until :meth:`renew`.

    With ``raises``, that is raised there instead, and the process lives on; with :meth:`meanwhile`,
    something else happens there.
    """

    burns_at: int | None = None
    only: str | None = None  # count only boundaries whose place contains this
    places: list[str] = field(default_factory=list)
    dead: bool = False
    raises: Exception | None = None
    happens: tuple[int, Callable[[], None]] | None = None

    def step(self, place: str) -> None:
        if self.dead:
            raise Crash(f"dead before {place}")
        if self.only is not None and self.only not in place:
            return
        self.places.append(place)
        if self.happens is not None and len(self.places) >= self.happens[0] and place != BEFORE_COMMIT:
            (_, happens), self.happens = self.happens, None
            happens()
        if len(self.places) == self.burns_at:
            if self.raises is not None:
                raise self.raises
            self.dead = True
            raise Crash(place)

    def renew(self, burns_at: int | None = None) -> None:
        """A fresh process."""
        self.burns_at, self.dead, self.raises, self.only, self.happens = burns_at, False, None, None, None
        self.places.clear()

    def meanwhile(self, number: int, happens: Callable[[], None]) -> None:
        """A fresh process, and at boundary ``number`` this happens once.

        Within a transaction nothing else can happen, as its locks keep others out: then it happens right after.
        """
        self.renew()
        self.happens = (number, happens)


class FusedDatabase(Database):
    """A ledger's database whose commits are boundaries; not durable, and therefore quick."""

    def __init__(self, url: str, fuse: Fuse) -> None:
        super().__init__(url)
        self._fuse = fuse
        if not self.is_postgresql:
            event.listen(self.engine, "connect", _do_not_wait_for_the_disk)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        if self._fuse.dead:
            raise Crash("dead before a read")
        with super().reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        if self._fuse.dead:
            raise Crash("dead before a transaction")
        with super().writing() as connection:
            yield connection
            self._fuse.step(BEFORE_COMMIT)
        self._fuse.step("after commit")


def _do_not_wait_for_the_disk(connection: object, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF").close()  # type: ignore[attr-defined]
