"""What only the services can say of a job: whether its connections work, and whether it fits what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cshub.cli.airflow_home import settle_airflow
from cshub.cli.selection import Selected
from cshub.core.errors import Fault, HubError, TransientError
from cshub.core.objects import ObjectSpec
from cshub.core.validate import CheckedFile, check_job
from cshub.core.validate_online import ChecksOptions, IsDescribed, OptionFault, WarnsOfOptions

CONNECTION_REMEDY = "Correct the connection under Admin, Connections; its Test button asks the same."
OPTIONS_REMEDY = "Use names that the service has, such as those above, in the job file."
OBJECT_REMEDY = "Correct the API name in the job file, or give the signed-in user access to the object."
MEMBER_REMEDY = "Write the e-mail of a member of the Totango team: `cshub totango users` lists them."
_TEAM_MEMBERS = frozenset({"created_by", "assigned_to"})


@dataclass(frozen=True, slots=True)
class OnlineFindings:
    """``warnings``: what the services take, and what is hardly meant."""

    faults: list[Fault]
    warnings: list[Fault]


def online_findings(item: Selected) -> OnlineFindings:
    """Every fault that real calls show: sign-in on both sides, options, and the mapping against what a service says
    of its objects: fields, rights, kinds, lengths, lists of values, what a new record needs.

    Raises :class:`TransientError` when a service does not answer: nothing is known then.
    """
    settle_airflow()
    check = _Check(item)
    return OnlineFindings(check.faults(), check.warnings)


class _Check:
    def __init__(self, item: Selected) -> None:
        self._item = item
        self._bound = item.bound
        self._at: CheckedFile = item.library.load(item.library.path_of(item.job_id)).at
        self._faults: list[Fault] = []
        self.warnings: list[Fault] = []

    def faults(self) -> list[Fault]:
        from cshub.systems import registry

        bound, job = self._bound, self._bound.job
        source = self._reached(
            "source", lambda: registry.open_source(bound.source, job.source.connection, bound.source_options)
        )
        target = self._reached(
            "target", lambda: registry.open_target(bound.target, job.target.connection, bound.target_options)
        )
        described = [self._checked("source", source), self._checked("target", target)]
        if target is not None:
            self._faults += self._foreign_key()
            self._faults += self._people(target)
        if any(described):
            source_spec, target_spec = described[0] or self._item.source, described[1] or self._item.target
            self._faults += check_job(bound, source_spec, target_spec, self._at, online=True)
        return self._faults

    def _reached(self, side: str, opened: Callable[[], Any]) -> Any:
        """The port of one side, signed in; None when it cannot be reached."""

        def signed_in() -> Any:
            port = opened()
            port.identity()
            return port

        return self._ask((side, "connection"), CONNECTION_REMEDY, signed_in)

    def _checked(self, side: str, port: Any) -> ObjectSpec | None:
        """What the service says of the side's object, None when it says nothing."""
        if isinstance(port, ChecksOptions):
            told = self._ask((side, "options", "object"), OBJECT_REMEDY, port.option_faults)
            if told is None:
                return None
            self._faults += self._placed(side, told)
            if not told and isinstance(port, WarnsOfOptions):
                self.warnings += self._placed(side, self._ask((side, "options"), OPTIONS_REMEDY, port.option_warnings))
        elif hasattr(port, "check_options"):
            self._ask((side, "options"), OPTIONS_REMEDY, lambda: port.check_options() or ())
        if not isinstance(port, IsDescribed):
            return None
        found: ObjectSpec | None = self._ask(
            (side, "options", "object"), OBJECT_REMEDY, lambda: port.described(self._paths())
        )
        return found

    def _placed(self, side: str, told: Sequence[OptionFault] | None) -> list[Fault]:
        return [
            self._at.fault((side, "options", *item.option.split(".")), item.reason, item.remedy) for item in told or ()
        ]

    def _paths(self) -> list[str]:
        tested = [condition.field for rule in self._bound.skip_when for condition in rule.when]
        return [*(row.source for row in self._bound.fields if row.source), *tested]

    def _ask(self, path: Sequence[str], remedy: str, ask: Callable[[], Any]) -> Any:
        """The answer, None for an error that stays: it becomes a fault."""
        try:
            return ask()
        except TransientError:
            raise
        except HubError as error:
            self._faults.append(self._at.fault(tuple(path), str(error).rstrip("."), remedy))
            return None

    def _people(self, target: Any) -> list[Fault]:
        """Rows that give every record of Totango one and the same author or assignee, whom its team lacks."""
        if self._bound.target.system != "totango":
            return []
        named = {
            index: row.constant
            for index, row in enumerate(self._bound.fields)
            if row.target in _TEAM_MEMBERS and isinstance(row.constant, str)
        }
        if not named:
            return []
        asked = {"": frozenset(named.values())}
        known = self._ask(("target", "connection"), CONNECTION_REMEDY, lambda: target.resolve_people(asked))
        return (
            []
            if known is None
            else [
                self._at.row_fault(index, "constant", f"Totango has no team member {email!r}", MEMBER_REMEDY)
                for index, email in named.items()
                if ("", email) not in known
            ]
        )

    def _foreign_key(self) -> list[Fault]:
        from cshub.core.wording import suggest
        from cshub.systems import registry

        bound = self._bound
        attribute = (bound.target_options.get("account_match") or {}).get("attribute")
        if bound.target.system != "totango" or attribute is None:
            return []
        client = registry.open_client("totango", bound.job.target.connection)
        names = [str(row.get("key_name")) for row in client.attributes()]
        if attribute in names:
            return []
        reason = f"Totango has no attribute {attribute!r}"
        path = ("target", "options", "account_match", "attribute")
        return [self._at.fault(path, reason, suggest(attribute, names))]
