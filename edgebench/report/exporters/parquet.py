"""Parquet: the frame of `edgebench.load` as a file, each column with its meaning."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from edgebench import __version__
from edgebench.errors import UsageError
from edgebench.protocols import Exported, Stored
from edgebench.report.columns import BY_NAME


class Parquet:
    """The frame of `edgebench.load` as a file.

    `pandas.read_parquet` gives the same frame back, dtypes and gaps included.
    """

    name = "parquet"
    suffix = ".parquet"

    def write(
        self, rows: Sequence[Mapping[str, object]], columns: Sequence[str], stored: Stored
    ) -> Exported:
        """One table; a column's meaning is in its field's metadata, under ``meaning``.

        Raises:
            UsageError: pandas or pyarrow is not installed.
        """
        del stored
        try:
            import pandas as pd  # noqa: F401, PLC0415 - an extra of its own
            import pyarrow as pa  # noqa: PLC0415 - as above
            from pyarrow import parquet  # noqa: PLC0415 - as above
        except ImportError as error:
            raise UsageError(
                f"Parquet needs {error.name}", remedy="pip install 'edgebench[parquet]'"
            ) from None
        from edgebench.report import frame  # noqa: PLC0415 - as above

        whole = frame.frame([dict(row) for row in rows])  # type: ignore[arg-type]
        table = pa.Table.from_pandas(whole[list(columns)] if columns else whole)
        fields = [
            field.with_metadata({"meaning": BY_NAME[field.name].meaning})
            if field.name in BY_NAME
            else field
            for field in table.schema
        ]
        told = {**(table.schema.metadata or {}), b"edgebench_version": __version__.encode()}
        file = io.BytesIO()
        parquet.write_table(table.cast(pa.schema(fields, metadata=told)), file)
        return Exported(data=file.getvalue())
