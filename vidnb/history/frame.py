"""Rows as a DataFrame: honest types, what tells the rows apart first, the same by whatever way they were read.

What passes through: columns of the store, as an Arrow table or as lists -> arrays that know "not given" -> pandas.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidnb.store.scan import ColumnKind, Scan

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TYPES = {
    "id": "string",
    "model": "category",
    "seed": "Int64",
    "rating": "Int64",
    "cost": "Float64",
    "cost_unit": "category",
    "created_at": "datetime64[us, UTC]",
    "state": "category",
    "emulated": "boolean",
    "prompt": "string",
    "motion_strength": "Float64",
    "resolution": "category",
    "width_px": "Int64",
    "height_px": "Int64",
    "duration_s": "Float64",
    "take": "Int64",
    "tags": "string",
    "note": "string",
    "provider": "category",
    "seed_drawn": "boolean",
    "used_seed": "Int64",
    "used_prompt": "string",
    "imported": "boolean",
    "replayed": "boolean",
    "cost_usd": "Float64",
    "wait_s": "Float64",
    "download_s": "Float64",
    "total_s": "Float64",
    "actual_width_px": "Int64",
    "actual_height_px": "Int64",
    "actual_fps": "Float64",
    "actual_duration_s": "Float64",
    "frames": "Int64",
    "size_bytes": "Int64",
    "has_audio": "boolean",
    "codec": "category",
    "clip_note": "string",
    "nsfw": "boolean",
    "error": "string",
    "charged": "boolean",
    "wire_status": "string",
    "remote_id": "string",
    "recipe_hash": "string",
    "clip_sha256": "string",
    "path": "string",
    "submitted_at": "datetime64[us, UTC]",
    "finished_at": "datetime64[us, UTC]",
    "done_at": "datetime64[us, UTC]",
    "job_id": "string",
}
"""Columns that are always there, with their types: numbers, truth values and texts know "not given" apart."""

FIRST = ("id", "model", "seed")
AFTER_VARYING = ("rating", "cost", "cost_unit")
"""Between the two stands what varies: a person looks at the first screen of a frame."""
MAY_VARY = ("emulated", "state", "take")

ALWAYS_SHOWN = ("prompt", "seed", "motion_strength", "resolution", "width_px", "height_px", "duration_s")
"""Params that always have a column."""
LONG = {"prompt", "negative_prompt", "prompt_enhance_instruction"}
"""Texts of which hardly two are the same: no categories."""
RENAMED = {"job_id": "id", "cost": "cost_amount", "frames": "actual_frames", "replayed": "replays"}
SHORT_ID = 8
"""So many characters of a job's id are shown; `vidnb.clip` takes them."""
SPANS = {
    "wait_s": ("submitted_at", "finished_at"),
    "download_s": ("finished_at", "done_at"),
    "total_s": ("created_at", "done_at"),
}


def shown_folder(folder: Path) -> str:
    """Return the path of a folder, short where it lies below the working directory."""
    here, base = Path.cwd(), folder.resolve()
    return (base.relative_to(here) if base.is_relative_to(here) else base).as_posix()


def column_of(param: str) -> str:
    """Return the name of a param's column: its own, or `param_<name>` where that is a column of ours."""
    return f"param_{param}" if param in TYPES and param not in ALWAYS_SHOWN else param


def empty() -> pd.DataFrame:
    """Return the columns that are always there, without rows."""
    import pandas as pd

    return pd.DataFrame({name: pd.array([], dtype=TYPES[name]) for name in _ordered({}, [])})


def frame(columns: Columns) -> pd.DataFrame:
    """Return the jobs as a DataFrame; the columns are empty afterwards."""
    import pandas as pd

    scanned = columns.scanned
    found = {name: columns.series(RENAMED.get(name, name), dtype) for name, dtype in TYPES.items() if name in columns}
    found |= _derived(columns, found)
    given = {}
    for name, kind in zip(scanned.param_names, scanned.param_kinds, strict=True):
        given[column_of(name)] = columns.param(name, kind)
    rows = len(found["job_id"])
    for name in ALWAYS_SHOWN:
        if name not in given:
            given[name] = pd.Series(pd.array([None] * rows, dtype=TYPES[name]))
    free = sorted(name for name in given if name not in TYPES and not given[name].isna().all())
    for name in sorted(scanned.mixed):
        kinds = " and ".join(scanned.mixed[name])
        # The caller's line is not known here; the message says which column it is.
        warnings.warn(f"param {name!r} has values of different kinds ({kinds}): shown as text", stacklevel=2)
    found |= {name: given[name] for name in (*ALWAYS_SHOWN, *free)}
    names = _ordered(found, free)
    return pd.DataFrame({name: found[name] for name in names}, copy=False)


def _ordered(found: Mapping[str, pd.Series], free: list[str]) -> list[str]:
    """The names of the columns: what a person looks at first stands first."""
    asked = [name for name in (*ALWAYS_SHOWN, *free) if name not in FIRST]
    varying = [name for name in (*asked, *MAY_VARY) if name in found and _varies(found[name])]
    return list(dict.fromkeys((*FIRST, *varying, *AFTER_VARYING, *asked, *TYPES)))


def _varies(values: pd.Series) -> bool:
    """Whether two rows differ in a column; to have a value and to have none differ, too."""
    missing = values.isna()
    if len(values) < 2 or missing.all():
        return False
    return bool(missing.any()) or bool((values != values.iloc[0]).any())


def _derived(columns: Columns, found: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
    """Columns that no column of the store holds as they are."""
    return {
        "id": found["job_id"].str[:SHORT_ID],
        **{name: _seconds(found[start], found[end]) for name, (start, end) in SPANS.items()},
        **columns.parsed("tags", {"tags": (lambda text: ", ".join(json.loads(text)), "string")}),
        **columns.parsed(
            "error",
            {
                "error": (lambda text: json.loads(text).get("message"), "string"),
                "charged": (lambda text: json.loads(text).get("charged"), "boolean"),
            },
        ),
    }


def _seconds(start: pd.Series, end: pd.Series) -> pd.Series:
    import numpy as np
    import pandas as pd

    missing = (start.isna() | end.isna()).to_numpy()
    # `dt.total_seconds()` gives the same numbers and takes ten times as long.
    microseconds = end.astype("int64").to_numpy() - start.astype("int64").to_numpy()
    return pd.Series(pd.arrays.FloatingArray(np.where(missing, 0, microseconds) / 1e6, missing))


class Columns:
    """The columns of a scan, each of which becomes an array of pandas once and is given back then.

    Args:
        scanned: what was read.
        read: an Arrow table, or a list of parts, each with a sequence of values for each column.
    """

    def __init__(self, scanned: Scan, read: Any) -> None:
        self.scanned = scanned
        self._kinds = dict(zip(scanned.names, scanned.kinds, strict=True))
        self._is_arrow = not isinstance(read, list)
        columns = read.columns if self._is_arrow else [[part[n] for part in read] for n in range(len(scanned.names))]
        self._left = dict(zip(scanned.names, columns, strict=True))

    def __contains__(self, name: str) -> bool:
        stored = RENAMED.get(name, name)
        return stored in self._kinds and name not in ("id", "tags", "error")

    def series(self, name: str, dtype: str) -> pd.Series:
        """A column with this type."""
        import pandas as pd

        if dtype == "category":
            codes, texts = self._coded(name)
            order = sorted(range(len(texts)), key=texts.__getitem__)
            return pd.Series(_categories(codes, texts, order))
        values = self._arrow(name) if self._is_arrow else self._listed(name)
        return values if values.dtype == dtype else values.astype(dtype)

    def param(self, name: str, kind: str) -> pd.Series:
        """A param's column: its own type where it always has one and the values fit, else that of the values."""
        import pandas as pd

        stored = f"param {name}"
        dtype = {"int": "Int64", "real": "Float64", "bool": "boolean"}.get(kind)
        if dtype is None:
            is_free = name in LONG or kind != "text"
            return self.series(stored, "string" if is_free else "category")
        wanted = TYPES.get(name, dtype) if name in ALWAYS_SHOWN else dtype
        values = self.series(stored, dtype)
        try:
            return values if wanted == dtype or wanted not in ("Int64", "Float64") else values.astype(wanted)
        except (TypeError, ValueError):  # a fraction, where whole numbers are usual
            return pd.Series(values)

    def parsed(self, name: str, ways: Mapping[str, tuple[Callable[[str], Any], str]]) -> dict[str, pd.Series]:
        """What becomes of each text of a column in some ways, each different one parsed once; empty for none."""
        import numpy as np
        import pandas as pd

        codes, texts = self._coded(name)
        places = np.where(codes < 0, len(texts), codes)
        made = {new: pd.array([*map(parse, texts), None], dtype=dtype) for new, (parse, dtype) in ways.items()}
        return {new: pd.Series(values.take(places)) for new, values in made.items()}

    def _coded(self, name: str) -> tuple[np.ndarray[Any, Any], list[str]]:
        """Each different text of a column once, and for each row its place among them, -1 for none."""
        import pandas as pd

        if self._is_arrow:
            import pyarrow as pa

            encoded = self._left.pop(name).cast(pa.string()).combine_chunks().dictionary_encode()
            if isinstance(encoded, pa.ChunkedArray):
                encoded = encoded.combine_chunks()
            return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()
        texts = [text for part in self._left.pop(name) for text in part]
        codes, found = pd.factorize(pd.array(texts, dtype=object))  # type: ignore[call-overload]
        return codes, list(found)

    def _arrow(self, name: str) -> pd.Series:
        import pandas as pd
        import pyarrow as pa

        kind: ColumnKind = self._kinds[name]
        types = {
            "int": pa.int64(), "real": pa.float64(), "bool": pa.bool_(), "text": pa.string(),
            "time": pa.timestamp("us", "UTC"),
        }  # fmt: skip
        nullable = {
            pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype(), pa.bool_(): pd.BooleanDtype(),
            pa.string(): pd.StringDtype(),
        }  # fmt: skip
        column = self._left.pop(name)
        if kind == "bool" and not pa.types.is_boolean(column.type):
            column = column.cast(pa.int64())
        return pd.Series(column.cast(types[kind]).to_pandas(types_mapper=nullable.get), name=None)

    def _listed(self, name: str) -> pd.Series:
        import pandas as pd

        kind = self._kinds[name]
        dtypes = {"int": "Int64", "real": "Float64", "bool": "boolean", "text": "string"}
        parts = []
        for values in self._left.pop(name):
            if kind == "time":
                times = pd.to_datetime(pd.Series(values, dtype="string"), utc=True, format="ISO8601")
                parts.append(times.astype("datetime64[us, UTC]"))
                continue
            if kind == "bool":
                values = [None if value is None else bool(value) for value in values]
            parts.append(pd.Series(pd.array(list(values), dtype=dtypes[kind])))
        if not parts:
            return pd.Series(pd.array([], dtype=dtypes.get(kind, "datetime64[us, UTC]")))
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _categories(codes: np.ndarray[Any, Any], texts: list[str], order: list[int]) -> pd.Categorical:
    """The categories in alphabetical order, whatever the order in which they came."""
    import numpy as np
    import pandas as pd

    places = np.empty(len(texts) + 1, dtype="int64")
    places[order] = np.arange(len(texts))
    places[-1] = -1  # for -1: no value
    return pd.Categorical.from_codes(places[codes], categories=[texts[place] for place in order])
