"""Writes to Salesforce, many in one call, each with its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from cshub.core.errors import AmbiguousWrite, DataError, HubError, NotFound, RequestRefused, SpecError
from cshub.core.ids import to_18
from cshub.core.ports import Verdict, Write
from cshub.core.records import Operation, RecordKey, TargetRecord
from cshub.systems.salesforce.event_times import held_times
from cshub.systems.salesforce.fields import ObjectFields
from cshub.systems.salesforce.options import AnyTargetOptions
from cshub.systems.salesforce.payloads import OWNER, Payload, Payloads
from cshub.systems.salesforce.sending import Sender
from cshub.systems.salesforce.target_reader import TargetReader
from cshub.systems.salesforce.verdicts import Reaction, RowVerdict

_NO_SUCH_RECORD = "INVALID_CROSS_REFERENCE_KEY"


class TargetWriter:
    """Creates, updates and deletes. ``warnings`` counts owners who turned out to be inactive."""

    def __init__(
        self,
        sender: Sender,
        fields: ObjectFields,
        options: AnyTargetOptions,
        payloads: Payloads,
        reader: TargetReader,
        warnings: Counter[str],
    ) -> None:
        self._sender = sender
        self._fields = fields
        self._options = options
        self._payloads = payloads
        self._reader = reader
        self._warnings = warnings
        self._vouched: set[tuple[str, bool]] = set()

    def write(self, writes: Sequence[Write]) -> list[Verdict]:
        """A verdict for each write of one operation, in order.

        Raises :class:`SpecError` before anything is sent when the user may not write one of the fields.
        """
        steps: Mapping[Operation, Callable[[Sequence[Write]], list[Verdict]]] = {
            Operation.CREATE: self._create,
            Operation.UPDATE: self._update,
            Operation.DELETE: self._delete,
        }
        return steps[writes[0].operation](writes) if writes else []

    def _create(self, writes: Sequence[Write]) -> list[Verdict]:
        """Upserts where there is an external id: a lost answer is then asked for by sending again."""
        rows, verdicts = _rows_of(writes, self._payloads.of_create)
        self._vouch(rows.values(), creating=True)
        owner = self._payloads.default_owner
        answers = self._made(rows)
        if owner is not None:
            answers.update(self._resent_with(owner, rows, answers))
        taken = [at for at, answer in answers.items() if _is_taken(answer) or (answer.ok and answer.id is None)]
        holders = self._holders([writes[at].external_id for at in taken])
        for at, answer in answers.items():
            holder = holders.get(writes[at].external_id.lower()) if at in taken else None
            key = (answer.id if answer.ok else None) or (holder.key if holder else None)
            verdicts[at] = Verdict(RecordKey(key, writes[at].account_id)) if key else Verdict(error=_failure(answer))
        return [verdicts[at] for at in range(len(writes))]

    def _update(self, writes: Sequence[Write]) -> list[Verdict]:
        """Sends what differs, and nothing for a record in which nothing does."""
        rows, verdicts = _rows_of(writes, self._payloads.of_update)
        self._vouch(rows.values(), creating=False)
        sent = {at: {"Id": _key_of(writes[at]).key, **row} for at, row in rows.items() if row}
        verdicts.update({at: Verdict(writes[at].key) for at, row in rows.items() if not row})
        answers = self._sender.update(list(sent.values())) if sent else []
        for at, answer in zip(sent, answers, strict=True):
            held = held_times(writes[at].changed, sent[at])
            verdicts[at] = Verdict(writes[at].key, held=held) if answer.ok else Verdict(error=_failure_of_known(answer))
        return [verdicts[at] for at in range(len(writes))]

    def _delete(self, writes: Sequence[Write]) -> list[Verdict]:
        """A record already gone is done; one that Salesforce calls unknown is asked for by id."""
        answers = self._sender.delete([_key_of(write).key for write in writes])
        unknown = [_key_of(write).key for write, answer in zip(writes, answers, strict=True) if _is_unknown(answer)]
        there = {key for key, record in self._reader.by_ids(unknown).items() if record is not None}
        return [
            Verdict(write.key)
            if answer.ok or answer.is_gone or (_is_unknown(answer) and to_18(_key_of(write).key) not in there)
            else Verdict(error=_failure(answer))
            for write, answer in zip(writes, answers, strict=True)
        ]

    def _made(self, rows: Mapping[int, Payload]) -> dict[int, RowVerdict]:
        return dict(zip(rows, self._sender.create(list(rows.values())), strict=True)) if rows else {}

    def _resent_with(
        self, owner: str, rows: Mapping[int, Payload], answers: Mapping[int, RowVerdict]
    ) -> Mapping[int, RowVerdict]:
        """Answers for the rows whose owner is inactive, sent once more; they stay refused when that call fails."""
        lacking = [at for at, answer in answers.items() if _lacks_owner(answer) and rows[at].get(OWNER) != owner]
        if not lacking:
            return {}
        try:
            found = self._made({at: {**rows[at], OWNER: owner} for at in lacking})
        except HubError:
            return {}
        self._warnings["owner_inactive"] += len(lacking)
        return found

    def _holders(self, external_ids: Sequence[str]) -> Mapping[str, TargetRecord]:
        """Who holds these external ids; nobody when that cannot be told: the rows then stay refused."""
        try:
            return self._reader.by_external_id(external_ids)
        except HubError:
            return {}

    def _vouch(self, rows: Iterable[Payload], *, creating: bool) -> None:
        """Raise before anything is sent when the user may not write a field of these rows; each field asked once."""
        names = {name for row in rows for name, value in row.items() if value is not None or not creating}
        if creating and self._options.external_id_field is not None:
            names.add(self._options.external_id_field)
        new = {name for name in names if (name, creating) not in self._vouched}
        self._fields.check_writable(new, creating=creating)
        self._vouched |= {(name, creating) for name in new}


def _rows_of(
    writes: Sequence[Write], made: Callable[[Write], Payload]
) -> tuple[dict[int, Payload], dict[int, Verdict]]:
    """Place → row to send, and verdicts for writes that cannot be sent."""
    rows: dict[int, Payload] = {}
    verdicts: dict[int, Verdict] = {}
    for at, write in enumerate(writes):
        try:
            rows[at] = made(write)
        except DataError as error:
            verdicts[at] = Verdict(error=error)
    return rows, verdicts


def _key_of(write: Write) -> RecordKey:
    assert write.key is not None
    return write.key


def _lacks_owner(answer: RowVerdict) -> bool:
    return any(error.reaction is Reaction.OWNER for error in answer.errors)


def _is_taken(answer: RowVerdict) -> bool:
    return any(error.reaction is Reaction.TAKEN for error in answer.errors)


def _is_unknown(answer: RowVerdict) -> bool:
    """Whether Salesforce knows no record with the row's own id: then it names no field."""
    return any(error.code == _NO_SUCH_RECORD and not error.fields for error in answer.errors)


def _failure(answer: RowVerdict) -> HubError:
    """Why a row was not written. What concerns the whole job is a refusal of the row where others were written."""
    failure = answer.failure()
    if failure is None:
        return AmbiguousWrite("Salesforce wrote the record and told no id: look for it before it is sent again.")
    if isinstance(failure, SpecError):
        return RequestRefused(str(failure), status=400, verdict=str(failure))
    return failure


def _failure_of_known(answer: RowVerdict) -> HubError:
    failure = _failure(answer)
    if not _is_unknown(answer):
        return failure
    return NotFound(str(failure), status=404, verdict="; ".join(map(str, answer.errors)))
