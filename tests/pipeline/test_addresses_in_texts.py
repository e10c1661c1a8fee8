"""Addresses behind links of Totango's rich text, in Salesforce's plain text and back."""

from __future__ import annotations

from pathlib import Path

from cshub.core.text import html_to_text
from tests.pipeline.two_way import settled

RICH = '<div class="html-parser-container">See <a href="https://x.example/plan">the plan</a>.</div>'


def test_an_address_reaches_salesforce_and_coming_back_is_no_edit(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    note = sync.note(next(iter(sync.common_accounts())), "Plan", RICH)
    sync.lab.wait(minutes=10)
    sync.round()
    run = sync.lab.new_run(job=sync.lab.back)
    key = str(sync.lab.ledger.links(run.pair, [note])[note].target_key)
    event = sync.in_salesforce(key)
    assert event is not None and event["Description"] == "See the plan (https://x.example/plan)."
    assert [sync.round(full=True), sync.round()] == [0, 0]
    sync.edit_salesforce(key, Subject="The plan, again")
    sync.lab.wait(minutes=5)
    sync.round()
    held = sync.in_totango(note)
    assert held is not None and held["subject"] == "The plan, again"
    assert held["content"] == RICH and html_to_text(held["content"]) == event["Description"]
