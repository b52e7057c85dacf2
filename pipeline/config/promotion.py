"""Settings of the promotion to champion."""

import math
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from pipeline.config.types import Positive, Section


class PromotionConfig(Section):
    """What a new model must show on held-out recordings before it replaces the champion by itself.

    Both models are scored on the same recordings. Figures are bits per sample; for notes they are bits per
    time step, and for spectrograms bits per frame. A group is weighted equally, whatever its duration.
    """

    section: ClassVar[str] = "promotion"

    margin: Annotated[float, Field(ge=0)] = 0.01
    """Least improvement over the champion, as the mean over the groups, in bits per sample."""
    significance: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Largest p-value of the paired sign-flip test over the groups. With G groups the p-value is at least
    2^-G."""
    worst_group_loss: Annotated[float, Field(ge=0)] = 0.1
    """Largest loss in any one group against the champion, in bits per sample."""
    fewest_groups: Positive = 5
    """Fewest held-out groups (speakers) that can decide."""
    fewest_minutes: Annotated[float, Field(ge=0)] = 1.0
    """Least duration of the held-out recordings that can decide, in minutes."""

    @model_validator(mode="after")
    def _test_can_be_passed(self) -> Self:
        smallest = math.ldexp(1, -self.fewest_groups)  # for integers of any size
        if smallest > self.significance:
            raise ValueError(
                f"fewest_groups = {self.fewest_groups}: with so few groups the p-value is at least "
                f"{smallest:g}, above significance = {self.significance:g}; increase one of the two"
            )
        return self
