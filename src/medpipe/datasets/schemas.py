"""What the tables of the catalog must look like; checked whenever one is saved or loaded."""

from pandera.pandas import Check, Column, DataFrameSchema

from medpipe.ct.labels.base import RATINGS

SPLITS = ["train", "val", "test"]
_POSITIVE = Check.gt(0)


def _table(columns: dict[str, Column], unique: list[str] | None = None) -> DataFrameSchema:
    return DataFrameSchema(columns, strict=True, ordered=False, unique=unique)


CT_SCANS = _table(
    {
        "series_uid": Column("str", unique=True),
        "patient_id": Column("str"),
        "source": Column("str"),
        "n_slices": Column("Int64", _POSITIVE, nullable=True),
        "n_rows": Column("Int64", _POSITIVE, nullable=True),
        "n_columns": Column("Int64", _POSITIVE, nullable=True),
        "spacing_z_mm": Column("float64", _POSITIVE, nullable=True),
        "spacing_y_mm": Column("float64", _POSITIVE, nullable=True),
        "spacing_x_mm": Column("float64", _POSITIVE, nullable=True),
        "kernel": Column("str", nullable=True),
        "manufacturer": Column("str", nullable=True),
        "model": Column("str", nullable=True),
        "accepted": Column("bool"),
        "rejection_code": Column("str", nullable=True),
        "rejection_reason": Column("str", nullable=True),
    }
)

CT_NODULES = _table(
    {
        "finding_id": Column("str", unique=True),
        "series_uid": Column("str"),
        "x_mm": Column("float64"),
        "y_mm": Column("float64"),
        "z_mm": Column("float64"),
        "diameter_mm": Column("float64", _POSITIVE, nullable=True),
        "kind": Column("str", Check.isin(["nodule", "irrelevant"])),
        "readers": Column("Int64", Check.in_range(0, 4), nullable=True),
        "texture": Column("str", nullable=True),
        "label": Column("str", nullable=True),
        **{name: Column("float64", Check.in_range(1, 5), nullable=True) for name in RATINGS},
        "has_mask": Column("bool"),
    }
)

CT_LOCATIONS = _table(
    {
        "series_uid": Column("str", unique=True),
        "source_series_uid": Column("str"),
        "patient_id": Column("str"),
        "source_patient_id": Column("str"),
        "reader": Column("str"),
        "path": Column("str"),
        "sample": Column("str", nullable=True),
        "file_at_fault": Column("str", nullable=True),
    }
)

CT_SPLITS = _table({"patient_id": Column("str", unique=True), "split": Column("str", Check.isin(SPLITS))})

CANDIDATES = _table(
    {
        "series_uid": Column("str"),
        "x_mm": Column("float64"),
        "y_mm": Column("float64"),
        "z_mm": Column("float64"),
        "diameter_mm": Column("float64", _POSITIVE),
        "probability": Column("float64", Check.in_range(0, 1)),
    }
)

INSTANCES = _table(
    {
        "finding_id": Column("str", unique=True),
        "series_uid": Column("str"),
        "x_mm": Column("float64"),
        "y_mm": Column("float64"),
        "z_mm": Column("float64"),
        "diameter_mm": Column("float64", _POSITIVE),
        "probability": Column("float64", Check.in_range(0, 1)),
        "alarm": Column("bool"),
        "mask_number": Column("int64", Check.ge(0)),
        "volume_mm3": Column("float64", nullable=True),
        "mask_diameter_mm": Column("float64", nullable=True),
        "long_axis_mm": Column("float64", nullable=True),
        "class_probability": Column("float64", Check.in_range(0, 1), nullable=True),
    }
)

SMILES = _table({"smiles": Column("str", unique=True), "split": Column("str", Check.isin(SPLITS))})

SMILES_REJECTED = _table(
    {"line": Column("int64", Check.ge(0)), "text": Column("str"), "code": Column("str"), "reason": Column("str")}
)

GENERATED = _table({"smiles": Column("str")})

NOVEL_MOLECULES = _table({"smiles": Column("str", unique=True), "row": Column("int64", Check.ge(0), unique=True)})

CHEMICAL_SPACE = _table(
    {
        "smiles": Column("str"),
        "set": Column("str", Check.isin(["generated", "reference"])),
        "x": Column("float64"),
        "y": Column("float64"),
        "same": Column("float64", Check.in_range(0, 1)),
    }
)

PROPERTY_TABLE = DataFrameSchema(  # and a column a target, named by the user: float64 numbers or Int64 classes
    {"smiles": Column("str", unique=True), "split": Column("str", Check.isin(SPLITS))}
)

PROPERTY_REJECTED = _table(
    {"line": Column("int64", _POSITIVE), "text": Column("str"), "code": Column("str"), "reason": Column("str")}
)

PROPERTY_PREDICTIONS = _table(
    {
        "smiles": Column("str"),
        "task": Column("str"),
        "target": Column("float64"),
        "value": Column("float64"),
        "uncertainty": Column("float64", Check.ge(0)),
        "similarity": Column("float64", Check.in_range(0, 1)),
        "in_domain": Column("bool"),
    }
)

OPTIMISATION_STARTS = _table({"smiles": Column("str", unique=True), "score": Column("float64", Check.in_range(0, 1))})

OPTIMISED = DataFrameSchema(  # and for each aim, named by the user, its score and ``<aim>_value``
    {
        "start": Column("str"),
        "rank": Column("int64", Check.ge(0)),
        "smiles": Column("str"),
        "score": Column("float64", Check.in_range(0, 1)),
        "start_score": Column("float64", Check.in_range(0, 1)),
        "similarity": Column("float64", Check.in_range(0, 1), nullable=True),
        "step": Column("int64", Check.ge(0)),
        "parent": Column("str"),
    },
    unique=["start", "smiles"],
)

HISTORY = _table(
    {"step": Column("int64", Check.ge(0)), "name": Column("str"), "value": Column("float64", nullable=True)}
)
