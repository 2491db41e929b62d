"""Summaries of tables."""

import io

import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from reports.summary import TableError, read_csv, summarise, to_parquet, to_records

CSV = b"city,name,kwh\nOslo,a,1\nBergen,b,10\nOslo,c,3\nOslo,d,\n"


def test_rows_are_counted_and_numbers_are_averaged() -> None:
    assert to_records(summarise(read_csv(CSV), "city")) == [
        {"city": "Bergen", "count": 1, "kwh_mean": 10.0, "kwh_p50": 10.0, "kwh_p95": 10.0},
        {"city": "Oslo", "count": 3, "kwh_mean": 2.0, "kwh_p50": 2.0, "kwh_p95": 2.9},
    ]


def test_a_value_that_cannot_be_computed_is_null() -> None:
    (row,) = to_records(summarise(read_csv(b"k,v,w\na,,1\n"), "k"))
    assert row["w_mean"] == 1.0
    (row, _) = to_records(summarise(read_csv(b"k,v\na,\nb,1\n"), "k"))
    assert row["v_mean"] is None
    (row,) = to_records(summarise(read_csv(b"k,v\na,inf\n"), "k"))
    assert row["v_mean"] is None


def test_dates_are_text() -> None:
    for key in (b"2024-02-29", b"2024-02-29 12:00:00"):
        (row,) = to_records(summarise(read_csv(b"day,v\n%s,1\n" % key), "day"))
        assert row["day"] == key.decode()


def test_a_column_that_a_result_would_hide_is_refused() -> None:
    with pytest.raises(TableError, match="rename it"):
        summarise(read_csv(b"count,v\n1,2\n"), "count")


def test_a_table_may_be_grouped_by_a_number() -> None:
    rows = to_records(summarise(read_csv(b"year,v\n2020,1\n2019,2\n2020,3\n"), "year"))
    assert [(row["year"], row["v_mean"]) for row in rows] == [(2019, 2.0), (2020, 2.0)]


def test_parquet_holds_the_same_rows() -> None:
    summary = summarise(read_csv(CSV), "city")
    table = pyarrow.parquet.read_table(io.BytesIO(to_parquet(summary)))
    assert table.to_pylist() == to_records(summary)


def test_an_unknown_column_is_told_the_known_ones() -> None:
    with pytest.raises(TableError, match="no column 'town': there are 'city', 'name', 'kwh'"):
        summarise(read_csv(CSV), "town")


@pytest.mark.parametrize("data", [b"", b"a,b\n1\n", b"a,a\n1,2\n", b"\xff\xfe,b\n1,2\n"])
def test_something_other_than_a_table_is_refused(data: bytes) -> None:
    with pytest.raises(TableError):
        summarise(read_csv(data), "a")
