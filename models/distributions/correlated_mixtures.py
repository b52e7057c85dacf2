"""Mixtures of Gaussians whose outputs depend on those before them: full and autoregressive covariance.

A Gaussian over a vector x factors as x_n = mean_n + sum_{m<n} C_nm (x_m - mean_m) + scale_n eps_n, with C
strictly lower triangular: its covariance is (I - C)^-1 S^2 (I - C)^-T, S the diagonal of the scales. `full`
takes every C_nm as a parameter. `autoregressive` ties them: each component owns one linear predictor over
the samples just before, inside the frame and ahead of it, the mixture autoregressive model of Wong and Li
(2000), but with one component for all D outputs of a step, so that it stays a mixture of Gaussians.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.distributions.mixture import Mixture, select_component
from models.distributions.stability import stabilise


@dataclass(frozen=True)
class FullCovarianceMixture(Mixture):
    """Full covariance, by the triangular factor of the precision.

    Attributes:
        logits: (..., K), unnormalised log weights of the components.
        mean: (..., K, D).
        scale: (..., K, D), standard deviation of each output given those before it.
        lower: (..., K, D (D - 1) / 2), C below its diagonal, row by row.
    """

    logits: Tensor
    mean: Tensor
    scale: Tensor
    lower: Tensor

    def conditional_mean(self, value: Tensor) -> Tensor:
        """Return the mean (..., K, D) of each output, given those before it in ``value`` (..., D)."""
        deviation = value.unsqueeze(-2) - self.mean
        # Products with zeros and ones pick and add up: the matrices C would fill twice the memory, and
        # gathering has a slow derivative.
        one = torch.eye(deviation.shape[-1], dtype=deviation.dtype, device=deviation.device)
        row, column = torch.tril_indices(len(one), len(one), -1, device=one.device)
        return self.mean + (deviation @ one[:, column] * self.lower) @ one[row]

    def transform_noise(self, component: Tensor, deviation: Tensor) -> Tensor:
        """Return the value (..., D) with this deviation from its conditional mean in one component (...)."""
        mean, lower = select_component(self.mean, component), select_component(self.lower, component)
        return mean + _accumulate(_strictly_lower(lower, mean.shape[-1]), deviation)

    def component_mean(self) -> Tensor:
        """Return the mean of each component, (..., K, D)."""
        return self.mean


@dataclass(frozen=True)
class AutoregressiveMixture(Mixture):
    """Each component predicts each output linearly from the P values just before it.

    The mean of output n given those before it is offset + sum_p coefficients[p - 1] x[n - p], p = 1 ... P,
    where x is the history followed by the outputs themselves.

    Attributes:
        logits: (..., K), unnormalised log weights of the components.
        offset: (..., K).
        coefficients: (..., K, P), that of the latest value first.
        scale: (..., K, D), standard deviation of each output given those before it.
        history: (..., P), the values before the first output, oldest first.
    """

    logits: Tensor
    offset: Tensor
    coefficients: Tensor
    scale: Tensor
    history: Tensor

    def conditional_mean(self, value: Tensor) -> Tensor:
        """Return the mean (..., K, D) of each output, given history and those before in ``value``."""
        history = self.history.expand(*value.shape[:-1], -1)
        return self._predict(self.coefficients, self.offset, torch.cat([history, value], -1))

    def transform_noise(self, component: Tensor, deviation: Tensor) -> Tensor:
        """Return the value (..., D) with this deviation from its conditional mean in one component (...).

        An unstable predictor, which would diverge over the steps, is made stable (see `stabilise`): samples
        are then those of the stable one, while the likelihood is always that of the coefficients as given.
        """
        chosen = stabilise(select_component(self.coefficients, component))
        offset = self.offset.gather(-1, component.unsqueeze(-1))
        return self._run(chosen.unsqueeze(-2), offset, deviation.unsqueeze(-2)).squeeze(-2)

    def component_mean(self) -> Tensor:
        """Return the mean of each component, (..., K, D): its predictor reads its own predictions."""
        return self._run(self.coefficients, self.offset, torch.zeros_like(self.scale))

    def _predict(self, coefficients: Tensor, offset: Tensor, values: Tensor) -> Tensor:
        """Predict the last D of values (..., P + D), as (..., K, D), by predictors (..., K, P)."""
        windows = values.unfold(-1, coefficients.shape[-1], 1)[..., :-1, :].flip(-1)
        return offset.unsqueeze(-1) + coefficients @ windows.mT

    def _run(self, coefficients: Tensor, offset: Tensor, deviation: Tensor) -> Tensor:
        """Return outputs (..., K, D) of predictors (..., K, P) and (..., K) with errors ``deviation``."""
        size, order = deviation.shape[-1], coefficients.shape[-1]
        from_history = self._predict(coefficients, offset, pad(self.history, (0, size)))
        # Row n of the outputs' influence on each other is a_n ... a_1 and zeros.
        falling = pad(coefficients.flip(-1), (size - 1 - order, size))
        return _accumulate(falling.unfold(-1, size, 1).flip(-2), from_history + deviation)


def _accumulate(own: Tensor, driven: Tensor) -> Tensor:
    """Solve x_n = sum_{m<n} own_nm x_m + driven_n for x (..., D), given own (..., D, D)."""
    solved: Tensor = torch.linalg.solve_triangular(
        -own, driven.unsqueeze(-1), upper=False, unitriangular=True
    )
    return solved.squeeze(-1)


def _strictly_lower(packed: Tensor, size: int) -> Tensor:
    """Return the matrix (..., D, D) whose entries below the diagonal are ``packed``, row by row."""
    row, column = torch.tril_indices(size, size, -1, device=packed.device)
    matrix = packed.new_zeros(*packed.shape[:-1], size, size)
    matrix[..., row, column] = packed
    return matrix
