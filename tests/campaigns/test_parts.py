from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns import volume
from tests.campaigns.campaign import Asked, Size
from tests.campaigns.parts import Parts
from tests.campaigns.volume import judged

WRONG = 25


def violations(seeds: range) -> dict[int, str]:
    return {seed: "wrong" for seed in seeds if seed == WRONG}


def broken(seeds: range) -> dict[int, str]:
    raise AssertionError(f"asked again for {seeds}")


def test_parts_are_read_as_they_were_written_and_a_line_cut_off_is_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "parts.jsonl"
    parts = Parts(path)
    parts.add(0, {})
    parts.add(10, {13: "deletion without cause"})
    with path.open("ab") as file:
        file.write(b'{"first": 20, "spent_')
    again = Parts(path)
    assert [part.first for part in again.done] == [0, 10]
    assert again.found == {13: "deletion without cause"}
    assert again.spent_s == pytest.approx(parts.spent_s)
    again.forget()
    assert Parts(path).done == []


def test_a_campaign_that_was_broken_off_judges_only_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "parts.jsonl"
    monkeypatch.setattr(volume, "_path", lambda *_: path)
    parts = Parts(path)
    for first in (0, 10):
        parts.add(first, {})
    told: list[str] = []
    asked = Asked(Size.FULL, 0, finding=told.append)
    done = judged("tried", violations, asked, share=10, full=40, batch=10)
    assert sorted(part.first for part in done.done) == [0, 10, 20, 30]
    assert done.found == {WRONG: "wrong"}
    assert told == ["goes on: 20 of 40 were judged before on this commit", f"✗ seed {WRONG}: wrong"]
    assert not path.exists()


def test_nothing_is_judged_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "parts.jsonl"
    monkeypatch.setattr(volume, "_path", lambda *_: path)
    Parts(path).add(0, {3: "wrong"})
    assert judged("tried", broken, Asked(Size.FULL, 0), share=10, full=10, batch=10).found == {3: "wrong"}


def test_a_share_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "ROOT", tmp_path)
    judged("tried", violations, Asked(Size.SHARE, 0), share=20, full=40, batch=10)
    assert list(tmp_path.iterdir()) == []
