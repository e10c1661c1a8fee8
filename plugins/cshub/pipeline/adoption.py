"""Records of the target that belong to source records without a link: they carry its id, or it names theirs.

An id of Salesforce whose case was lost may name several records. The account decides, and who else fits; where that
leaves a choice, nothing is chosen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cshub.core.ids import has_lost_its_case, is_salesforce_id, loose_form, may_be_same_salesforce_id, to_18
from cshub.core.planning import Desired, Rule, TargetView
from cshub.core.ports import Target
from cshub.core.records import Presence, TargetRecord

Fitting = Mapping[str, Sequence[TargetRecord] | None]


@dataclass(slots=True)
class Adoption:
    """``carried``: external id in one form → record; ``loose``: see :func:`loose_form`, key → record.

    ``fitting``: source key → records that it may belong to, None where nothing is proven; ``claims``: key of such a
    record → source records that it fits.
    """

    carried: dict[str, TargetRecord] = field(default_factory=dict)
    loose: dict[str, dict[str, TargetRecord]] = field(default_factory=lambda: defaultdict(dict))
    fitting: dict[str, Sequence[TargetRecord] | None] = field(default_factory=dict)
    claims: Counter[str] = field(default_factory=Counter)

    def note(self, records: Iterable[TargetRecord]) -> None:
        """Remember records by the external ids that they carry."""
        for record in records:
            if record.external_id:
                self.carried[_one_form(record.external_id)] = record
                form = loose_form(record.external_id)
                if form is not None:
                    self.loose[form][record.key] = record

    def look(self, target: Target, unlinked: Sequence[Desired]) -> None:
        """Find what may belong to these: records noted before, and what the target can be asked for by an id."""
        found = target.read_external({item.external_id for item in unlinked}) if unlinked else {}
        self.carried.update({_one_form(text): record for text, record in found.items()})
        doubtful = [item for item in unlinked if item.account_id is not None and self.exact(item) is None]
        self.fitting = {item.source_key: self._alike(item) for item in doubtful}
        if target.lookup.is_cheap:
            self.fitting.update(_asked_for(target, [item for item in doubtful if has_lost_its_case(item.external_id)]))
        self.claims = Counter(record.key for records in self.fitting.values() for record in records or ())
        self.claims.update(record.key for item in unlinked if (record := self.exact(item)) is not None)

    def exact(self, desired: Desired) -> TargetRecord | None:
        """The record that carries the source record's id, or whose own id the source record carries."""
        return self.carried.get(_one_form(desired.external_id))

    def view(self, desired: Desired, taken: Iterable[str]) -> TargetView | None:
        """The one record that the source record's id may name, or the doubt. ``taken``: those with a link of their own.

        None: there is no such record. An id that has lost its case and fits only taken ones is no new record either.
        """
        if desired.source_key not in self.fitting:
            return None
        records = self.fitting[desired.source_key]
        if records is None:
            return TargetView(Presence.ABSENT, doubt=Rule.ID_NOT_PROVEN)
        linked = frozenset(taken)
        free = [record for record in records if record.key not in linked]
        if len(free) == 1 and self.claims[free[0].key] == 1:
            return TargetView(Presence.PRESENT, free[0])
        if free or (records and has_lost_its_case(desired.external_id)):
            return TargetView(Presence.ABSENT, doubt=Rule.ID_FITS_SEVERAL)
        return None

    def _alike(self, desired: Desired) -> list[TargetRecord]:
        noted = self.loose.get(loose_form(desired.external_id) or "", {})
        return [
            record
            for record in noted.values()
            if record.account_id == desired.account_id
            and may_be_same_salesforce_id(record.external_id or "", desired.external_id)
        ]


def _asked_for(target: Target, lost: Sequence[Desired]) -> Fitting:
    wanted: dict[str, set[str]] = defaultdict(set)
    for item in lost:
        wanted[item.account_id or ""].add(item.external_id)
    found = target.read_alike(wanted) if wanted else {}
    return {item.source_key: found.get((item.account_id or "", item.external_id)) for item in lost}


def _one_form(text: str) -> str:
    """The same for all forms of an id that name one record for sure."""
    is_sure = is_salesforce_id(text) and not has_lost_its_case(text)
    return (to_18(text) if is_sure else text).lower()
