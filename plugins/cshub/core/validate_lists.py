"""Lists of values on either side of a row, and the table between them."""

from __future__ import annotations

from collections.abc import Collection

from cshub.core.errors import Fault
from cshub.core.fault_places import CheckedFile
from cshub.core.jobs import BoundJob, FieldMap, Otherwise
from cshub.core.objects import FieldSpec


def check_lists(
    index: int,
    row: FieldMap,
    origin: FieldSpec | None,
    attribute: FieldSpec,
    at: CheckedFile,
    *,
    skipped: Collection[str],
) -> list[Fault]:
    """Faults of a row where either side takes only listed values, and the row does not lead from one to the other.

    ``skipped``: values of the source that no record has that is mapped.
    """
    if row.constant is not None:
        return []
    source_values = [value for value in (origin.picklist if origin and origin.picklist else ()) if value not in skipped]
    if row.translate is None:
        fits = bool(source_values) and set(source_values) <= set(attribute.picklist or ())
        if not attribute.picklist or fits:
            return []
        reason = f"{attribute.name} takes only {', '.join(attribute.picklist)}, and there is no translation table"
        return [at.row_fault(index, "target", reason, "Add `translate:` with a row for each value of the source.")]
    missing = [value for value in source_values if value not in row.translate.table]
    if not missing or row.transforms or row.translate.otherwise is not Otherwise.REJECT:
        return []
    reason = f"the table has no row for {', '.join(missing)} of {row.source}: such records are rejected"
    remedy = (
        "Add a row for each, write `otherwise: keep` or `otherwise: null`, or leave them out by a rule of skip_when."
    )
    return [at.row_fault(index, "translate", reason, remedy)]


def skipped_values(row: FieldMap, bound: BoundJob) -> set[str]:
    """Values of the row's source field for which a rule leaves the record out."""
    tests = [rule.when[0] for rule in bound.skip_when if len(rule.when) == 1 and rule.when[0].field == row.source]
    return {str(value) for test in tests for value in (test.in_ or [test.equals])}
