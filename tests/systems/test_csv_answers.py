from __future__ import annotations

import csv

import pytest

from cshub.core.errors import ProtocolFault
from cshub.systems.answers import Answer
from cshub.systems.csv_answers import as_table


def answer(text: str, media_type: str = "text/csv") -> Answer:
    return Answer(200, {"Content-Type": media_type}, text.encode())


def test_a_table_is_read_by_column() -> None:
    table = as_table(answer('\ufeffid,title\r\n7,"Say ""hi"", twice"\r\n\r\n8,"two\nlines"\r\n'))
    assert list(table.columns) == ["id", "title"]
    assert list(table.rows) == [{"id": "7", "title": 'Say "hi", twice'}, {"id": "8", "title": "two\nlines"}]


def test_a_long_text_keeps_no_other_row_from_being_read() -> None:
    table = as_table(answer(f"id,title\n7,{'x' * 1_000_000}\n8,short\n"))
    assert [len(row["title"]) for row in table.rows] == [1_000_000, 5]


def test_whoever_else_reads_csv_in_the_process_keeps_the_limit_it_had() -> None:
    before = csv.field_size_limit()
    as_table(answer(f"id,title\n7,{'x' * 1_000_000}\n"))
    with pytest.raises(ProtocolFault):
        as_table(answer('id,title\n7,"one\n'))
    assert csv.field_size_limit() == before


def test_a_table_without_rows_has_columns() -> None:
    table = as_table(answer("id,title\n"))
    assert (list(table.columns), list(table.rows)) == (["id", "title"], [])


def test_a_last_line_without_line_end_may_have_been_cut_and_is_left_out() -> None:
    assert list(as_table(answer("id,title\n7,one\n8,tw")).rows) == [{"id": "7", "title": "one"}]
    assert list(as_table(answer("id,title")).rows) == []


@pytest.mark.parametrize("text", ["", "id,title\n7,one\n8", 'id,title\n7,"one\n', "id,title\n7,one,more\n"])
def test_a_table_that_was_cut_is_a_fault(text: str) -> None:
    with pytest.raises(ProtocolFault, match="was cut after"):
        as_table(answer(text))


def test_a_web_page_is_no_table() -> None:
    with pytest.raises(ProtocolFault, match="a web page came"):
        as_table(answer("<html></html>", "text/html"))
