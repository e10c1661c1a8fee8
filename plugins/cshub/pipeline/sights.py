"""All records of both sides as one job sees them, read completely and kept without their texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from cshub.core.mapping import UNSENT, MappedRecord
from cshub.core.objects import Role
from cshub.core.planning import Desired, PlanRules
from cshub.core.rebuilding import Lens, Packed, Sight
from cshub.core.records import Origin, RecordKey, RejectEntry, TargetRecord
from cshub.core.values import fingerprints, moment_or_midnight, parse_moment
from cshub.core.window import Window, choose_window
from cshub.pipeline.diff import desired_of, with_people
from cshub.pipeline.extract import Received
from cshub.pipeline.map import map_now
from cshub.pipeline.run import CLOCKS_APART, Asked, Run, window_facts

AT_ONCE = 5_000  # source records mapped together, bodies in memory
_TITLE_SHOWN = 80


@dataclass
class Sights:
    """``made``: source key → record of the source; ``held``: target key → record of the target.

    ``skipped``: reason → records that the mapping leaves out; ``unplaced``: those whose account the target lacks.
    """

    run: Run
    made: dict[str, Sight] = field(default_factory=dict)
    held: dict[str, Sight] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    rejects: list[RejectEntry] = field(default_factory=list)
    unplaced: set[str] = field(default_factory=set)
    addresses: Mapping[str, Sight] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, back: Sights | None = None) -> Sights:
        """Read the source over the window of a full sync, and the target over the dates of what the source has.

        Both are read beyond now, as their clocks may be ahead of ours, and the target as far ahead as back: its records
        may have been moved to another date. ``back``: what the job of the other direction has seen; addresses that are
        the same are held once.
        """
        found = cls(run, addresses=back.held if back else {})
        window = choose_window(window_facts(run, Asked(full_sync=True)), run.window_rules)
        window = Window(window.start, window.end + CLOCKS_APART)
        found._read_source(window)
        found._read_target(window)
        return found

    @cached_property
    def rules(self) -> PlanRules:
        return self.run.plan_rules()

    @cached_property
    def lens(self) -> Lens:
        attributes = self.run.mapping.attributes
        return Lens.of({name: spec for name, spec in attributes.items() if spec.role not in UNSENT})

    @cached_property
    def roles(self) -> dict[str, Role]:
        return {name: spec.role for name, spec in self.run.mapping.attributes.items()}

    def _read_source(self, window: Window) -> None:
        accounts: dict[str, str | None] = {}
        for received in self._received(window):
            mapped, rejects = map_now(self.run, received)
            self.rejects += rejects
            live = [record for record in mapped if record.skip_reason is None]
            self.skipped.update(record.skip_reason for record in mapped if record.skip_reason is not None)
            self._learn(accounts, live)
            known = {reference: account for reference, account in accounts.items() if account is not None}
            drafts = [desired_of(self.run, record, None, known) for record in live]
            desired = with_people(self.run, drafts, {draft.source_key: draft.account_id for draft in drafts})
            for record, item in zip(live, desired, strict=True):
                self.made[item.source_key] = self._made(record, item)
                if item.account_id is None:
                    self.unplaced.add(item.source_key)
            self._tell()

    def _received(self, window: Window) -> Iterator[Sequence[Received]]:
        waiting: list[Received] = []
        for page in self.run.source.read_window(window):
            self.run.guard.check()
            waiting += [(record, Origin.WINDOW) for record in page.records if record.body is not None]
            if len(waiting) >= AT_ONCE:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def _learn(self, accounts: dict[str, str | None], records: Sequence[MappedRecord]) -> None:
        """Look up the accounts that were not looked up before."""
        wanted = {item.account_reference for item in records if item.account_reference is not None} - accounts.keys()
        if wanted:
            accounts.update({**dict.fromkeys(wanted), **self.run.target.resolve_accounts(wanted)})

    def _made(self, record: MappedRecord, item: Desired) -> Sight:
        assert item.address is not None
        seen, lens, known = record.seen, self.lens, self.addresses.get(item.source_key)
        return Sight(
            address=known.address if known and known.address == item.address else item.address,
            signs=lens.source_signs(account_id=item.account_id, external_id=item.external_id, values=item.values),
            marks=Packed.of(item.marks),
            mapped=Packed.of(fingerprints(item.values, lens.kinds)),
            created_at=_moment(seen.created_at),
            modified_at=_moment(item.modified_at),
            dated_at=_moment(seen.dated_at),
            title=str(item.values.get(lens.title) or "")[:_TITLE_SHOWN] if lens.title else "",
            dated_on=str(item.values.get(lens.date) or "") if lens.date else "",
            account=item.account_id or item.account_reference or "",
        )

    def _read_target(self, window: Window) -> None:
        dates = [moment_or_midnight(item.dated_on) for item in self.made.values() if item.dated_on]
        end = max([window.end + (window.end - window.start), *(moment + timedelta(milliseconds=1) for moment in dates)])
        for page in self.run.target.read_window(Window(min([window.start, *dates]), end)):
            self.run.guard.check()
            for record in page:
                self.held[record.key] = self._held(record)
            self._tell()

    def _held(self, record: TargetRecord) -> Sight:
        kinds = {**self.rules.noted, **self.rules.kinds}
        account, external = record.account_id or None, record.external_id
        return Sight(
            address=RecordKey(record.key, record.account_id, record.extra),
            signs=self.lens.target_signs(
                account_id=account, key=record.key, external_id=external, values=record.values
            ),
            marks=Packed.of(fingerprints(record.values, kinds)),
            created_at=record.created_at,
            modified_at=record.modified_at,
        )

    def _tell(self) -> None:
        self.run.show({"step": "extract", "read": len(self.made) + len(self.held)})


def _moment(text: str | None) -> datetime | None:
    return parse_moment(text) if text else None
