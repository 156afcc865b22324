"""The rows of a Parquet file, as `rows` reads those of a CSV file."""

from collections.abc import Iterator
from pathlib import Path

from inhibi.engine.errors import InputError, MissingExtra

SUFFIX = ".parquet"
ROWS = 1024  # in memory at once, beside the file's own pages


class ParquetRows:
    """Iterates over the names of the columns and then each row; a null is an empty cell. Iterating
    raises `InputError`, also where a cell has more than `longest` characters."""

    def __init__(self, path: Path, longest: int) -> None:
        self._path, self._longest = path, longest
        self._read, self._count = 0, 0

    def share(self) -> float:
        """Of the rows that are read, in [0, 1]."""
        return self._read / self._count if self._count else 0.0

    def __iter__(self) -> Iterator[list[str]]:
        try:
            import pyarrow
            from pyarrow import parquet
        except ModuleNotFoundError as error:
            raise MissingExtra("eval", "pyarrow") from error
        try:
            with parquet.ParquetFile(self._path) as file:
                self._count = file.metadata.num_rows
                yield file.schema_arrow.names
                for batch in file.iter_batches(ROWS):
                    yield from self._rows([column.to_pylist() for column in batch.columns])
        except UnicodeError as error:
            raise InputError(f"{self._path} has texts that are not encoded as UTF-8") from error
        except (OSError, pyarrow.ArrowException) as error:
            raise InputError(f"{self._path} is damaged or no parquet file ({error})") from error

    def _rows(self, columns: list[list[object]]) -> Iterator[list[str]]:
        for values in zip(*columns, strict=True):
            self._read += 1
            row = [_cell(value, self._path) for value in values]
            if max(map(len, row)) > self._longest:
                raise InputError(
                    f"{self._path}, row {self._read}: more than {self._longest:,} characters in a "
                    "cell: leave its column out"
                )
            yield row


def _cell(value: object, path: Path) -> str:
    if isinstance(value, list | dict | bytes):
        kind = type(value).__name__
        raise InputError(f"{path} has a {kind} in a cell: leave its column out")
    return "" if value is None else str(value)
