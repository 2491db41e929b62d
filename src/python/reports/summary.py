"""Summaries of a table: statistics of its numbers, by the values of one column."""

import io
import math
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]


class TableError(ValueError):
    """The table, or the column asked for, cannot be summarised; the message says why."""


def read_csv(data: bytes) -> pd.DataFrame:
    """A table in UTF-8 with a header line of distinct names; raises TableError."""
    try:
        data.decode()
        table = pyarrow.csv.read_csv(io.BytesIO(data))
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise TableError(f"not a CSV table: {error}") from error
    if len(set(table.column_names)) < table.num_columns:
        raise TableError("two columns have the same name")
    return table.to_pandas()


def summarise(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """One row for each value of column `by`, in order: its count, then of each numeric column
    the mean, the median and the 95th percentile as NAME_mean, NAME_p50 and NAME_p95.

    Values that are missing are left out. Raises TableError.
    """
    if by not in frame.columns:
        raise TableError(f"no column {by!r}: there are {', '.join(map(repr, frame.columns))}")
    numbers = frame.select_dtypes(include=np.number).columns.drop(by, errors="ignore")
    groups = frame.groupby(by, sort=True)
    columns = {"count": groups.size()}
    for name in numbers:
        columns[f"{name}_mean"] = groups[name].mean()
        columns[f"{name}_p50"] = groups[name].median()
        columns[f"{name}_p95"] = groups[name].quantile(0.95)
    if by in columns:
        raise TableError(f"column {by!r} has the name of a result: rename it")
    return pd.DataFrame(columns).reset_index()


def to_records(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: dates as ISO 8601, what is not a finite number as None."""
    table = pa.Table.from_pandas(summary, preserve_index=False)
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def to_parquet(summary: pd.DataFrame) -> bytes:
    """The summary as one Parquet file."""
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pandas(summary, preserve_index=False), sink)
    return sink.getvalue()
