"""The base class of all sections of a configuration, and bounded number types."""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipeline.config.renamed import present_names

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[int, Field(ge=2_000, le=384_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Split = Literal["train", "valid", "test"]
Scalar = bool | int | float | str | None
SPLITS: tuple[Split, ...] = get_args(Split)


def _refuse_section(value: Any) -> Any:
    if isinstance(value, dict):
        raise ValueError("must be one value; name each key of a section with it, as `model.cell: lstm`")
    return value


Value = Annotated[Scalar | list[Any], BeforeValidator(_refuse_section)]
"""What a variant changes a setting to."""


class Section(BaseModel):
    """Strict about types and names: a misspelt key or `true` or `.inf` for a number is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    section: ClassVar[str] = ""
    """The key of the section in a configuration, by which settings of earlier releases are renamed."""

    @model_validator(mode="before")
    @classmethod
    def _present_names(cls, settings: Any) -> Any:
        return present_names(cls.section, settings)
