"""Links made again from what both systems hold: which records belong together, told by the records alone.

A record is seen through one or two jobs, each of which says what it would make of it. Every such view gives the record
one sign per :class:`Clue`; two records that alone share a sign, of all that are still free, belong together. Strong
clues come first. What shares a sign with several, or a sign that is too weak to decide, is in doubt: nothing is chosen.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

import orjson
import xxhash

from cshub.core.ids import has_lost_its_case, is_salesforce_id, loose_form, to_18
from cshub.core.objects import FieldSpec, Kind, Role
from cshub.core.records import RecordKey
from cshub.core.values import fingerprint, fingerprints, parse_moment

BLANK = fingerprint(None, Kind.TEXT)
_QUARTER_HOUR_MS = 900_000
_PLANNED_MS = (0, *(_QUARTER_HOUR_MS - before for before in (60_000, 1_000, 1)))
_OF_PEOPLE = frozenset({Role.PEOPLE, Role.OWNER})


class Clue(StrEnum):
    """What two records share, strongest first."""

    ID_CARRIED = "id_carried"  # the target's record carries the source's id
    ID_NAMED = "id_named"  # the source's record names the target's id
    ID_CARRIED_ALIKE = "id_carried_alike"  # so, but for the case of letters; in one account
    ID_NAMED_ALIKE = "id_named_alike"
    EVERYTHING = "everything"  # account, date, texts and every other value but people
    DATE_AND_TEXTS = "date_and_texts"  # account, date and all texts
    DATE_AND_A_TEXT = "date_and_a_text"  # account, date and a long text: the title was edited
    TEXTS = "texts"  # account and all texts, a long one among them: the date was moved
    DATE_AND_TITLE = "date_and_title"  # account, date and title: the long text was edited
    MOMENT = "moment"  # account and a moment that is no full quarter of an hour: the texts were rewritten
    SHORT_TEXTS = "short_texts"  # account and texts, none of them long: decides nothing
    DATE = "date"  # account and date: decides nothing

    @property
    def decides(self) -> bool:
        return self not in (Clue.SHORT_TEXTS, Clue.DATE)


_RANKS = {clue: rank for rank, clue in enumerate(Clue)}
Signs: TypeAlias = "array[int]"
"""A number of 64 bits for each clue, 0 where the record has nothing to say."""
_NOTHING = 0
_NAMES: dict[tuple[str, ...], tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Packed:
    """Fingerprints by name, small: 8 bytes for each name, in order. Those of one job share their names."""

    names: tuple[str, ...] = ()
    digits: bytes = b""

    @classmethod
    def of(cls, marks: Mapping[str, str]) -> Packed:
        """Raises :class:`ValueError` for anything but fingerprints of today's length."""
        if any(len(mark) != len(BLANK) for mark in marks.values()):
            raise ValueError("only fingerprints can be packed")
        names = tuple(marks)
        return cls(_NAMES.setdefault(names, names), bytes.fromhex("".join(marks.values())))

    def marks(self) -> dict[str, str]:
        digits, width = self.digits.hex(), len(BLANK)
        return {name: digits[at * width : (at + 1) * width] for at, name in enumerate(self.names)}


@dataclass(frozen=True, slots=True)
class Sight:
    """One record as one job sees it, without its texts.

    ``marks``: fields as read → fingerprint; ``mapped``: attributes that the job makes of a record of its source.
    ``dated_at``: by which its service lists it. ``dated_on`` and ``title``: what the job makes of its date and title;
    ``account``: what the target calls its account, or the source where the target has none.
    """

    address: RecordKey
    signs: Signs
    marks: Packed
    mapped: Packed = field(default_factory=Packed)
    created_at: datetime | None = None
    modified_at: datetime | None = None
    dated_at: datetime | None = None
    title: str = ""
    dated_on: str = ""
    account: str = ""


@dataclass(frozen=True)
class Lens:
    """How one job tells records apart: which of the attributes it compares say what.

    ``rest``: neither text nor date, nor people, whom one of the systems may not know. A short text other than the title
    says little: most are chosen from a list.
    """

    kinds: Mapping[str, Kind]
    date: str | None
    title: str | None
    long_texts: Sequence[str]
    rest: Sequence[str]

    @classmethod
    def of(cls, attributes: Mapping[str, FieldSpec]) -> Lens:
        """``attributes``: those that are compared."""
        date, title = (
            next((name for name, spec in attributes.items() if spec.role is role), None)
            for role in (Role.DATE, Role.TITLE)
        )
        long = [name for name, spec in attributes.items() if spec.kind is Kind.RICH_TEXT]
        people = {name for name, spec in attributes.items() if spec.role in _OF_PEOPLE}
        rest = [name for name in attributes if name not in {date, title, *long, *people}]
        return cls({name: spec.kind for name, spec in attributes.items()}, date, title, long, rest)

    @property
    def texts(self) -> Sequence[str]:
        """Long ones first."""
        return [*self.long_texts, *([self.title] if self.title else [])]

    @property
    def clues(self) -> list[Clue]:
        """What each sign of :meth:`source_signs` and :meth:`target_signs` stands for."""
        of_texts = [Clue.DATE_AND_A_TEXT] * len(self.long_texts) + [Clue.DATE_AND_TITLE] * (self.title is not None)
        weak = [Clue.TEXTS, Clue.MOMENT, Clue.SHORT_TEXTS, Clue.DATE]
        return [*_ID_CLUES, Clue.EVERYTHING, Clue.DATE_AND_TEXTS, *of_texts, *weak]

    def source_signs(self, *, account_id: str | None, external_id: str, values: Mapping[str, Any]) -> Signs:
        """``account_id``: the target's, None where it is not known; ``values``: what the job makes of the record."""
        alike = _alike_sign(account_id, external_id)
        ids = (_id_sign(external_id), _id_sign(external_id), alike, alike)
        return array("Q", [*ids, *self._value_signs(account_id, values)])

    def target_signs(
        self, *, account_id: str | None, key: str, external_id: str | None, values: Mapping[str, Any]
    ) -> Signs:
        ids = (_id_sign(external_id), _id_sign(key), _alike_sign(account_id, external_id), _alike_sign(account_id, key))
        return array("Q", [*ids, *self._value_signs(account_id, values)])

    @property
    def no_signs(self) -> Signs:
        """Those of a record that the job does not see."""
        return array("Q", [_NOTHING] * len(self.clues))

    def _value_signs(self, account_id: str | None, values: Mapping[str, Any]) -> list[int]:
        if not account_id:
            return [_NOTHING] * (len(self.clues) - len(_ID_CLUES))
        marks = fingerprints(values, self.kinds)
        date = marks.get(self.date, BLANK) if self.date else BLANK
        texts = [marks.get(name, BLANK) for name in self.texts]
        is_dated, says_something = date != BLANK, any(mark != BLANK for mark in texts)
        is_long = any(marks.get(name, BLANK) != BLANK for name in self.long_texts)
        rest = [marks.get(name, BLANK) for name in self.rest]
        is_telling = _is_telling(values.get(self.date), self.kinds[self.date]) if self.date else False
        told = [
            (is_dated and says_something, (date, *texts, *rest)),
            (is_dated and says_something, (date, *texts)),
            *((is_dated and mark != BLANK, (date, mark)) for mark in texts),
            (is_long, texts),
            (is_telling, (date,)),
            (says_something and not is_long, texts),
            (is_dated, (date,)),
        ]
        return [_sign(account_id, *parts) if is_told else _NOTHING for is_told, parts in told]


@dataclass(frozen=True, slots=True)
class Match:
    """Two records that belong together, and what says so."""

    left: str
    right: str
    clue: Clue


@dataclass(frozen=True, slots=True)
class Matching:
    """``doubts``: key of a record that was not matched → records of the other side that it may belong to."""

    matches: Sequence[Match]
    left_doubts: Mapping[str, Sequence[str]]
    right_doubts: Mapping[str, Sequence[str]]


def match(left: Mapping[str, Signs], right: Mapping[str, Signs], clues: Sequence[Clue]) -> Matching:
    """Which records of both sides belong together. ``clues``: what each sign of every record stands for.

    The order of records does not count.
    """
    places = sorted(range(len(clues)), key=lambda at: _RANKS[clues[at]])
    free_left, free_right = dict(left), dict(right)
    matches: list[Match] = []
    for at in places:
        if not clues[at].decides:
            continue
        for lefts, rights in _sharing(free_left, free_right, at):
            if len(lefts) == 1 and len(rights) == 1:
                matches.append(Match(lefts[0], rights[0], clues[at]))
                del free_left[lefts[0]], free_right[rights[0]]
    doubts: tuple[dict[str, set[str]], dict[str, set[str]]] = (defaultdict(set), defaultdict(set))
    for at in places:
        for lefts, rights in _sharing(free_left, free_right, at):
            for key in lefts:
                doubts[0][key].update(rights)
            for key in rights:
                doubts[1][key].update(lefts)
    left_doubts, right_doubts = ({key: sorted(found[key]) for key in sorted(found)} for found in doubts)
    return Matching(sorted(matches, key=lambda item: item.left), left_doubts, right_doubts)


def _sharing(left: Mapping[str, Signs], right: Mapping[str, Signs], at: int) -> list[tuple[list[str], list[str]]]:
    """Keys of both sides that share a sign, for each sign that both have."""
    lefts, rights = (_by_sign(records.items(), at) for records in (left, right))
    return [(keys, rights[sign]) for sign, keys in lefts.items() if sign in rights]


def _by_sign(records: Iterable[tuple[str, Signs]], at: int) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for key, signs in records:
        sign = signs[at]
        if sign != _NOTHING:
            found[sign].append(key)
    return found


def _id_sign(text: str | None) -> int:
    """The same for all forms of an id that name one record for sure."""
    if not text:
        return _NOTHING
    is_sure = is_salesforce_id(text) and not has_lost_its_case(text)
    return _sign((to_18(text) if is_sure else text).lower())


def _alike_sign(account_id: str | None, text: str | None) -> int:
    form = loose_form(text) if text else None
    return _sign(account_id, form) if account_id and form else _NOTHING


def _is_telling(value: Any, kind: Kind) -> bool:
    """Whether hardly anything else happens at the same moment.

    People plan for full quarters of an hour, and programs for the last minute, second or millisecond of one.
    """
    if kind is not Kind.DATETIME or not value:
        return False
    return round(parse_moment(value).timestamp() * 1000) % _QUARTER_HOUR_MS not in _PLANNED_MS


def _sign(*parts: str) -> int:
    return xxhash.xxh3_64_intdigest(orjson.dumps(parts))


_ID_CLUES = (Clue.ID_CARRIED, Clue.ID_NAMED, Clue.ID_CARRIED_ALIKE, Clue.ID_NAMED_ALIKE)
