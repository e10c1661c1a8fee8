"""Events, tasks and records of any other object of Salesforce as a target of changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from cshub.core.errors import DataError, SpecError
from cshub.core.ids import has_lost_its_case, is_salesforce_id, to_18
from cshub.core.objects import ObjectSpec
from cshub.core.ports import ById, Candidate, Lookup, Verdict, Write
from cshub.core.records import RecordKey, TargetRecord
from cshub.core.validate_online import OptionFault, refuse_options
from cshub.core.window import Window
from cshub.systems.salesforce.accounts import AccountFinder
from cshub.systems.salesforce.catalog import TARGETS
from cshub.systems.salesforce.client import MOST_RETRIEVED, SalesforceClient
from cshub.systems.salesforce.described import described_target
from cshub.systems.salesforce.fields import ObjectFields
from cshub.systems.salesforce.options import AnyTargetOptions
from cshub.systems.salesforce.payloads import Payloads
from cshub.systems.salesforce.people import PeopleFinder
from cshub.systems.salesforce.port import SalesforcePort
from cshub.systems.salesforce.recognition import marks_of, recognised
from cshub.systems.salesforce.sending import Sender
from cshub.systems.salesforce.target_checks import target_option_faults
from cshub.systems.salesforce.target_reader import TargetReader
from cshub.systems.salesforce.target_writer import TargetWriter


class SalesforceTarget(SalesforcePort):
    """Implements :class:`cshub.core.ports.Target`. A key is the id of 18 characters.

    ``extra`` of an event: when it takes place now, which an update that moves it needs. ``attributes``: what is shown
    of a record, () = all its own fields; those that the user does not see are left out.
    """

    lookup = Lookup(ById.IN_BATCHES, MOST_RETRIEVED)

    def __init__(self, client: SalesforceClient, options: AnyTargetOptions, attributes: Sequence[str] = ()) -> None:
        super().__init__(client)
        self._options = options
        self._fields = ObjectFields(client, options.object_name)
        self._accounts = AccountFinder(client, options.parent, options.account_match, self.warnings)
        self._people = PeopleFinder(client)
        self._payloads = Payloads(self._fields, options, self._people)
        self._reader = TargetReader(client, self._fields, options, attributes, self.warnings)
        self._sender = Sender(client, options)
        self._writer = TargetWriter(self._sender, self._fields, options, self._payloads, self._reader, self.warnings)

    @property
    def batch_size(self) -> int:
        return self._sender.batch_size

    def check_options(self) -> None:
        """Raises :class:`SpecError` for an object, field, user or value that the org does not have."""
        refuse_options(self.option_faults(), "target.options")

    def option_faults(self) -> list[OptionFault]:
        """Every option that does not fit the org. Raises :class:`SpecError` when the user sees no such object."""
        faults = target_option_faults(self._client, self._fields, self._options)
        try:
            _ = self._payloads.default_owner
        except SpecError as error:
            faults.append(OptionFault("default_owner", str(error).partition(". ")[0], "Name another user."))
        return faults

    def described(self, paths: Sequence[str]) -> ObjectSpec:
        """See :func:`described_target`; of parents nothing can be written."""
        return described_target(TARGETS[type(self._options)], self._fields, keys=self._options.keys())

    def resolve_accounts(self, references: AbstractSet[str]) -> Mapping[str, str]:
        """See :meth:`AccountFinder.find`."""
        return self._accounts.find(references)

    def resolve_people(self, wanted: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], str]:
        """See :meth:`PeopleFinder.find`."""
        return self._people.find(wanted)

    def read_window(self, window: Window) -> Iterator[Sequence[TargetRecord]]:
        """See :meth:`TargetReader.dated_in`."""
        return self._reader.dated_in(window)

    def read_keys(self, keys: Sequence[RecordKey]) -> Mapping[str, TargetRecord | None]:
        """Up to 2,000 a call; a key about which nothing is proven is left out. See :meth:`RecordReader.by_ids`."""
        full = {key.key: to_18(key.key) for key in keys if is_salesforce_id(key.key)}
        found = self._reader.by_ids(list(full.values()))
        return {key: found[record_id] for key, record_id in full.items() if record_id in found}

    def read_external(self, external_ids: AbstractSet[str]) -> Mapping[str, TargetRecord]:
        """By the external id field of the options; an id of Salesforce itself is looked up as such.

        One that has lost its case is not: there may be another record that bears it (see :meth:`read_alike`).
        """
        own = {text: to_18(text) for text in external_ids if is_salesforce_id(text) and not has_lost_its_case(text)}
        records = self._reader.by_ids(list(own.values()))
        found = {text: record for text, key in own.items() if (record := records.get(key)) is not None}
        carried = self._reader.by_external_id([text for text in external_ids if text not in found])
        found.update({text: carried[text.lower()] for text in external_ids if text.lower() in carried})
        return found

    def read_alike(self, external_ids: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], list[TargetRecord]]:
        """See :meth:`TargetReader.alike`."""
        return self._reader.alike(external_ids)

    def hint(self, write: Write) -> Mapping[str, Any]:
        """Texts only as fingerprints."""
        try:
            said = self._payloads.said_of(write.values)
        except DataError:
            said = {}
        said = {name: value[:1] if isinstance(value, list) else value for name, value in said.items()}
        marks = marks_of(said, self._reader.spec)
        return {"account_id": write.account_id, "external_id": write.external_id, "marks": marks}

    def find(self, hints: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Candidate]]:
        """With an external id field, the records that carry it; else those that this user made for the hint's account.

        Of these, the ones that hold all that was sent, oldest first; then those edited since that hold half of it.
        """
        if self._options.external_id_field is not None:
            known = self._reader.by_external_id([hint["external_id"] for hint in hints])
            keys = [hint["external_id"].lower() for hint in hints]
            return [[Candidate(known[key])] if key in known else [] for key in keys]
        names = {name for hint in hints for name in hint["marks"]}
        made = self._reader.made_by_us({hint["account_id"] for hint in hints}, names)
        return [recognised(made.get(hint["account_id"], []), hint["marks"], self._reader.spec) for hint in hints]

    def write(self, writes: Sequence[Write]) -> Sequence[Verdict]:
        """One call for up to 200; a second one only for new records whose owner turned out to be inactive.

        See :class:`TargetWriter`.
        """
        return self._writer.write(writes)
