from pathlib import Path

from cshub_runtime.rounds import waves


def test_jobs_that_write_back_come_in_a_second_wave(tmp_path: Path) -> None:
    for name, kind in {"back": "x_outbound", "there": "x_inbound", "also_there": "y_inbound"}.items():
        (tmp_path / f"{name}.yaml").write_text(f"version: 1\ntype: {kind}\n", encoding="utf-8")
    assert waves(["there", "back", "also_there"], tmp_path) == [["also_there", "there"], ["back"]]


def test_a_job_without_a_type_is_in_the_first_wave(tmp_path: Path) -> None:
    (tmp_path / "errand.yaml").write_text("name: errand\n", encoding="utf-8")
    assert waves(["errand", "no_file"], tmp_path) == [["errand", "no_file"]]
