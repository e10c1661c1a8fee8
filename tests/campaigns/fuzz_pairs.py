"""Poison texts between Salesforce and Totango, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.campaigns.fuzz_findings import Count
from tests.campaigns.fuzz_scene import CONTENT, DESCRIPTION, SUBJECT, Entry, Scene, closing, filled
from tests.campaigns.fuzz_texts import live_markup
from tests.pipeline.two_way import TASKS, Kind, Sync, make_sync

Row = Mapping[str, Any]


def carry_pair(scene: Scene, count: int, kind: Kind) -> None:
    """Salesforce ↔ Totango, both directions."""
    sync = make_sync(scene.folder, kind, seed=1 + scene.seed % 7, accounts=8, cases=False)
    lab = sync.lab
    assert lab.back is not None
    scene.watch.guard_lab(lab)

    def round_() -> None:
        for job in (lab.job, lab.back):
            scene.run(lab, job)
            lab.wait(minutes=10)

    with closing(lab):
        accounts = list(sync.common_accounts().items())
        made = [_made(scene, sync, scene.rng.choice(accounts), at % 2 == 0) for at in range(count)]
        entries = [entry for entry in made if entry is not None]
        for step in ("made", "edited"):
            if step == "edited":
                entries = [_edited(scene, sync, entry) for entry in entries[::2]]
            lab.wait(minutes=10)
            round_()
            round_()
            _check_pair(scene, sync, entries)
            scene.check_repeat(lab, round_)
            scene.findings.counts[Count.RECORDS] += len(entries)
        scene.watch.look_at_stores(scene.title, lab)


def _made(scene: Scene, sync: Sync, account: tuple[str, str], in_salesforce: bool) -> Entry | None:
    """A record of a person, None when the service itself refuses the texts."""
    most = DESCRIPTION if in_salesforce or sync.kind is TASKS else CONTENT
    title = scene.kitchen.text(f"title {in_salesforce}", most=SUBJECT if in_salesforce else None)
    text = scene.kitchen.text(f"text {in_salesforce}", most=most)
    try:
        if in_salesforce:
            given = {"Subject": title.text, "Description": text.text, "WhatId": account[1]}
            key = sync.event(**given)
        else:
            key = sync.note(account[0], title.text, text.text)
    except ValueError:
        return None
    return _as_kept(sync, Entry(key, (title, text), in_salesforce))


def _edited(scene: Scene, sync: Sync, entry: Entry) -> Entry:
    """A person gives the record other texts, where the service takes them."""
    title = filled(scene, f"title {entry.from_salesforce}", SUBJECT)
    text = filled(scene, f"text {entry.from_salesforce}", CONTENT)
    names = ("Subject", "Description") if entry.from_salesforce else sync.kind.totango_texts
    edit = sync.edit_salesforce if entry.from_salesforce else sync.edit_totango
    try:
        edit(entry.key, **dict(zip(names, (title.text, text.text), strict=True)))
    except ValueError:
        return entry
    return _as_kept(sync, replace(entry, texts=(title, text)))


def _as_kept(sync: Sync, entry: Entry) -> Entry:
    row = sync.in_salesforce(entry.key) if entry.from_salesforce else sync.in_totango(entry.key)
    assert row is not None
    names = ("Subject", "Description") if entry.from_salesforce else sync.kind.totango_texts
    title, text = (given.held_as(row.get(name)) for given, name in zip(entry.texts, names, strict=True))
    return replace(entry, texts=(title, text))


def _check_pair(scene: Scene, sync: Sync, entries: Sequence[Entry]) -> None:
    lab, kind = sync.lab, sync.kind
    assert lab.back is not None
    held = {
        True: lab.sandbox.service("totango").state()[kind.totango_name],
        False: [
            row
            for row in lab.sandbox.service("salesforce").state()[kind.salesforce_name]
            if not row["IsDeleted"] and not row.get("IsChild")
        ],
    }
    for entry in entries:
        names = kind.totango_texts if entry.from_salesforce else ("Subject", "Description")
        twins = [
            row
            for row in held[entry.from_salesforce]
            if any(word in f"{row.get(names[0]) or ''} {row.get(names[1]) or ''}" for word in entry.words)
        ]
        job = lab.job if entry.from_salesforce else lab.back
        if len(twins) > 1:
            scene.wrong(entry, f"is there {len(twins)} times")
        elif not twins:
            if entry.words and not scene.refused(lab, job, entry):
                scene.wrong(entry, "did not come, and no reason is told")
        elif not scene.refused(lab, job, entry):
            _check_twin(scene, sync, entry, twins[0], names)


def _check_twin(scene: Scene, sync: Sync, entry: Entry, twin: Row, names: tuple[str, str]) -> None:
    is_task = sync.kind is TASKS
    limit = (None if is_task else CONTENT) if entry.from_salesforce else DESCRIPTION
    scene.check_text(entry, entry.texts[0], twin.get(names[0]), SUBJECT)
    scene.check_text(entry, entry.texts[1], twin.get(names[1]), limit)
    if entry.from_salesforce and (is_task or twin["formatted"]):
        text = twin.get(names[1]) or ""
        if not is_task or live_markup(text):
            scene.findings.wrong(Count.LIVE, f"{scene.title}: {entry.told()}: {text[:300]!r}")
