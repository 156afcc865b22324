"""The rows of a Parquet file, as `rows` reads those of a CSV file."""

from collections.abc import Iterator
from pathlib import Path

from inhibi.engine.errors import InputError, MissingExtra

SUFFIX = ".parquet"
ROWS = 1024  # in memory at once, beside the file's own pages


def parquet_rows(path: Path) -> Iterator[list[str]]:
    """The names of the columns, and then each row; a null is an empty cell. Raises `InputError`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtra("eval", "pyarrow") from error
    try:
        with parquet.ParquetFile(path) as file:
            yield file.schema_arrow.names
            for batch in file.iter_batches(ROWS):
                columns = [column.to_pylist() for column in batch.columns]
                for values in zip(*columns, strict=True):
                    yield [_cell(value, path) for value in values]
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path} is damaged or no parquet file ({error})") from error


def _cell(value: object, path: Path) -> str:
    if isinstance(value, list | dict | bytes):
        kind = type(value).__name__
        raise InputError(f"{path} has a {kind} in a cell: leave its column out")
    return "" if value is None else str(value)
