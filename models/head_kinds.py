"""The registry of output heads, with the properties that other parts of the product read.

A mixture of Gaussians has a kind of its own for each covariance. This module imports no torch, so that
settings can be checked without it: code is named as "module:attribute" and imported when it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

Outputs = Literal["numbers", "samples", "notes"]


@dataclass(frozen=True)
class HeadKind:
    """A head, or the head of mixtures with one kind of covariance.

    Attributes:
        name: in settings.
        outputs: what it predicts: `numbers` (samples or frames), only `samples`, or `notes` on and off.
        make: "module:attribute", called with H, D and ``settings``; it returns a module that makes a
            `models.distributions.distribution.Distribution` of hidden vectors (..., H) and inputs.
        settings: names of the model's settings that it takes, in order; `scale_floor` is given in the units
            of the outputs, all others unchanged. `quantisation_step` is that of the outputs.
        gives: what it gives for a step, in reports.
        mixture: whether it gives a `models.distributions.distribution.IntegerDistribution`, from which the
            exact probability of an integer sample is computed.
        compiled: whether `models.compiled` has it.
        in_graphs: whether a step with it can be recorded as a CUDA graph, in which nothing may wait for a
            value.
        knows_neighbours: whether a value is drawn given others of the same step or before it, and so with a
            smaller deviation.
        adaptive: whether it stands on adaptive predictions, so that the inputs of a step are its actual
            outputs and its row of `models.adaptive.step_features`. Nothing can be drawn from such a head.
    """

    name: str
    outputs: Outputs
    make: str
    settings: tuple[str, ...] = ()
    gives: str = ""
    mixture: bool = False
    compiled: bool = False
    in_graphs: bool = True
    knows_neighbours: bool = False
    adaptive: bool = False

    def build(self, hidden_size: int, target_size: int, settings: Mapping[str, Any]) -> Any:
        """Return the head, a `torch.nn.Module`, with fresh weights.

        Args:
            hidden_size: width of the hidden vectors, H.
            target_size: values of a step, D.
            settings: the model's settings by name, of which the head takes its own.
        """
        module, attribute = self.make.split(":")
        taken = (settings[name] for name in self.settings)
        return getattr(import_module(module), attribute)(hidden_size, target_size, *taken)


_NOTES, _HEADS = "models.distributions.notes:", "models.heads:"
_MIXTURE = ("mixture_components", "scale_floor")

COVARIANCES = {
    kind.name: kind
    for kind in (
        HeadKind("diagonal", "numbers", _HEADS + "GaussianMixtureHead", _MIXTURE, compiled=True),
        HeadKind(
            "full", "numbers", _HEADS + "FullMixtureHead", _MIXTURE, compiled=True, knows_neighbours=True
        ),
        HeadKind(
            "autoregressive",
            "samples",
            _HEADS + "AutoregressiveMixtureHead",
            (*_MIXTURE, "autoregressive_order"),
            compiled=True,
            knows_neighbours=True,
        ),
    )
}
"""Kinds of covariance of the head `gaussian_mixture`, by name."""

GAUSSIAN_MIXTURE = "gaussian_mixture"
HEADS = {
    kind.name: kind
    for kind in (
        HeadKind(
            GAUSSIAN_MIXTURE, "numbers", "", gives="a mixture of Gaussians", mixture=True, compiled=True
        ),
        HeadKind(
            "adaptive",
            "samples",
            "models.adaptive_head:AdaptiveHead",
            ("quantisation_step",),
            "a mixture of logistic distributions around adaptive predictions",
            mixture=True,
            compiled=True,
            adaptive=True,
        ),
        HeadKind("bernoulli", "notes", _NOTES + "BernoulliHead", (), "each note's probability by itself"),
        HeadKind(
            "nade",
            "notes",
            _NOTES + "NadeHead",
            ("nade_hidden",),
            "each note's probability given those below it (NADE)",
            in_graphs=False,
        ),
    )
}
"""All heads by name; `gaussian_mixture` is made as its covariance is."""


def head_kind(head: str, covariance: str) -> HeadKind:
    """Return the entry of a head.

    Args:
        head: name of the head, as in `model.head`.
        covariance: covariance of a Gaussian mixture; other heads ignore it.

    Example:
        >>> head_kind("gaussian_mixture", "full").make
        'models.heads:FullMixtureHead'
    """
    return COVARIANCES[covariance] if head == GAUSSIAN_MIXTURE else HEADS[head]
