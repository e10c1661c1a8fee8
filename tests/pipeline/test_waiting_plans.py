"""Plans that wait before they are carried out, as those do that take long to make or wait for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cshub.pipeline.run import Asked
from tests.pipeline.two_way import KINDS, Kind, Sync, settled

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
FULL = pytest.mark.parametrize("full", [True, False], ids=["full", "window"])


def carried_out_late(sync: Sync, *, full: bool, back: bool, meanwhile: Any = None) -> dict[str, int]:
    """Created, updated, deleted and moved, of a run whose plan waits for half an hour."""
    course = sync.lab.course(asked=Asked(full_sync=full), job=sync.lab.back if back else sync.lab.job)
    course.plan()
    sync.lab.wait(minutes=30)
    if meanwhile is not None:
        meanwhile()
    done = course.load().statistics
    moved = done.skipped.get("moved_since_plan", 0)
    return {"created": done.created, "updated": done.updated, "deleted": done.deleted, "moved": moved}


@FULL
@BOTH
def test_what_nobody_touched_meanwhile_is_carried_out(tmp_path: Path, kind: Kind, full: bool) -> None:
    sync = settled(tmp_path, kind)
    sync.lab.wait(hours=1)
    *_, deleted, edited = sorted(link.source_key for link in sync.links())
    sync.delete_salesforce(deleted)
    sync.edit_salesforce(edited, Subject="Edited")
    sync.event(Subject="New")
    done = carried_out_late(sync, full=full, back=False)
    assert done == {"created": 1, "updated": 1, "deleted": 1, "moved": 0}
    twins = [link.target.key for link in sync.links() if link.target.key]
    sync.delete_totango(twins[0])
    sync.edit_totango(twins[1], **{kind.totango_texts[0]: "Edited there"})
    sync.note(next(iter(sync.common_accounts())), "New there", "Words.")
    sync.lab.wait(minutes=5)
    done = carried_out_late(sync, full=full, back=True)
    assert done == {"created": 1, "updated": 1, "deleted": 1, "moved": 0}
    sync.lab.wait(minutes=10)
    assert sync.round(full=True) == 0


@BOTH
def test_what_a_person_of_the_target_edited_meanwhile_is_left_to_the_next_run(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    sync.lab.wait(hours=1)
    *_, deleted, edited = sorted(link.source_key for link in sync.links())
    there = {key: sync.twin_of(key) for key in (deleted, edited)}
    sync.delete_salesforce(deleted)
    sync.edit_salesforce(edited, Subject="Edited")
    sync.lab.wait(minutes=1)

    def meanwhile() -> None:
        for key in there.values():
            sync.edit_totango(key, **{kind.totango_texts[1]: "Words of a person."})
        sync.lab.wait(minutes=1)

    done = carried_out_late(sync, full=True, back=False, meanwhile=meanwhile)
    assert done == {"created": 0, "updated": 0, "deleted": 0, "moved": 2}
    sync.lab.wait(minutes=10)
    sync.round(full=True)
    sync.round(full=True)
    sync.assert_equal()
    survivor = sync.in_totango(there[edited])
    assert survivor is not None
    title, text = kind.totango_texts
    assert (survivor[title], survivor[text].strip()) == ("Edited", "Words of a person.")
