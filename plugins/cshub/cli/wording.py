"""What the hub's own names mean, in words for people."""

from __future__ import annotations

from collections.abc import Mapping

MADE = "made_by_other_job"
INTERRUPTED = "A person interrupted it. The next run goes on from what is in the ledger."
RULES: Mapping[str, str] = {
    "new": "not seen before: it is created in the target",
    "adopted": "a target record that belongs to it was already there, and is linked to it",
    "restored_in_source": "deleted on both sides before, and back in the source: it is created again",
    "changed_in_source": "changed in the source since both sides agreed: the target follows",
    "mapping_changed": "the job's mapping has changed since both sides agreed, the source has not: the target follows",
    "deleted_in_source": "deleted in the source, and not edited in the target since: it is deleted there too",
    "target_edit_overwritten": "edited in the target, and the job lets the source overwrite such edits",
    "target_edit_kept": "edited in the target, and the job keeps such edits",
    "target_edit_for_other_direction": "edited in the target: the job of the other direction carries it over",
    "edit_beats_deletion": "deleted on one side and edited on the other: the edit wins",
    "conflict_source_wins": "changed on both sides, and the source wins; the target's value is kept here",
    "conflict_target_kept": "changed on both sides, and the target wins; the source's value is kept here",
    "both_sides_agree": "changed on both sides to the same value: only the ledger learns it",
    "both_sides_deleted": "deleted on both sides, or set aside by an undo: nothing is sent",
    "nothing_changed": "nothing has changed since both sides agreed",
    "still_empty": "its content is not there yet: it is read again in every run",
    "filtered": "a skip rule of the mapping leaves it out",
    "no_account": "the target has no such account yet: it waits, and is sent once the account exists",
    "no_account_reference": "the source record names no account: give it one in the source, and it comes by itself",
    "id_fits_several": "a Salesforce id without its capitals fits several records, or one already linked: it waits",
    "id_not_proven": "its Salesforce id has lost its capitals, and the account's records could not be listed: it waits",
    "account_gone": "not there, nor is its account, deleted or merged: nobody deleted the record, so its twin stays",
    "creation_not_allowed": "it would be new, and the job does not create records (allow_new_records is off)",
    "deletion_not_followed": "deleted in the source; the job leaves the target's record (on_source_delete)",
    "deleted_before_it_was_synced": "deleted in the source before it was ever synced",
    "deleted_in_target": "deleted in the target: not made again, and a two-way sync follows; or set aside by an undo",
    "source_not_readable": "the source did not give it when asked by id: deleted, private or hidden",
    "target_not_readable": "the target did not show its record, nor proved it gone: it is looked at again next time",
    "undone": "a change of an earlier run was taken back",
    "relinked": "a rebuilt ledger found both records and linked them again; nothing was sent",
    "fits_several": "after the ledger was lost nobody could tell which record of the other side is its own: no run "
    "makes it. `cshub ledger rebuild JOB --add` looks again, `cshub run JOB --record ID` has it made",
    MADE: "another job of this hub made it (include_made_records)",
    "moved_since_plan": "it changed after the plan was made, so the plan's row was left out",
}
UNDONE: Mapping[str, str] = {
    "delete": "the run created it: it is deleted again",
    "update": "the run changed it: the values before come back",
    "create": "the run deleted it: it is made again, with an id of its own",
    "unchanged": "the run created it, and it is gone already: only the ledger learns it",
}
LEFT_OUT: Mapping[str, str] = {
    "changed_since_the_run": "it has changed since the run: it stays as it is",
    "no_longer_linked": "it is no longer linked as the run left it, or cannot be read: it stays as it is",
}
STATES: Mapping[str, str] = {
    "in_step": "both sides are in step",
    "empty": "written without content; read again until it has some",
    "parked": "waits for its account",
    "rejected": "failed validation; no write was tried",
    "failed": "the target refused the write; tried again in the next run",
    "missing": "found gone by the job of the other direction; looked at by id in the next run",
    "deleted": "deleted in the target by a person; never made again",
    "gone": "deleted on both sides; made again if the source brings it back",
    "held": "its own record on the other side could not be told after the ledger was lost; not made by itself",
}


ASIDE = "an undo has set it aside: no run writes or deletes it by itself"


def made_again(system: str, *, gone: str = "", command: str = "") -> str:
    """``command``, if any, makes the record of the system ``gone`` again, where it is still deleted."""
    told = f"an undo made it again in {system}, and has set it aside: no run writes or deletes it by itself"
    return (
        f"{told}; while it is gone from {gone}, `{command}` makes it there again: then both are in step"
        if command
        else told
    )


def taken_away(system: str, command: str) -> str:
    return f"gone from {system} by an undo, and set aside: no run makes it again by itself; `{command}` does"


def explained(rule: str) -> str:
    """The rule in words; a rule without words by its name."""
    return RULES.get(rule, rule.replace("_", " "))


def explained_row(action: str, rule: str, reason: str) -> str:
    """Why a row of a plan is planned so."""
    if rule == "filtered" and reason:
        return RULES[MADE] if reason == MADE else worded(reason)
    if rule == "undone":
        return LEFT_OUT.get(reason) or UNDONE.get(action) or explained(rule)
    if rule == "fits_several" and reason not in ("", rule):
        return f"{explained(rule)}; it {reason}"
    if rule == "no_account_reference" and reason != rule:
        return reason or explained(rule)
    return explained(rule)


def worded(name: str) -> str:
    """``no_account`` → ``no account``."""
    return name.replace("_", " ")


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``1 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
