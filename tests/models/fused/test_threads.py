"""Parts on threads: each runs once, few copies stay on one thread, and a mistake reaches the caller."""

from threading import get_ident

import pytest

from models.fused.threads import FEWEST_NUMBERS, run
from tests.helpers.networks.compiled_layers import threads


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 25])
def test_every_part_runs_once(number: int, count: int) -> None:
    found: list[int] = []
    with threads(number):
        run(found.append, range(count))
    assert sorted(found) == list(range(count))


def test_few_numbers_are_copied_by_the_calling_thread_alone() -> None:
    used: set[int] = set()
    with threads(3):
        run(lambda _: used.add(get_ident()), range(25), FEWEST_NUMBERS - 1)
    assert used == {get_ident()}


@pytest.mark.parametrize("wrong", range(4))
def test_a_mistake_in_a_part_reaches_the_caller(wrong: int) -> None:
    def part(number: int) -> None:
        if number == wrong:
            raise ArithmeticError(str(number))

    with threads(2), pytest.raises(ArithmeticError, match=str(wrong)):
        run(part, range(4))


def test_a_part_may_have_parts_of_its_own() -> None:
    found: list[int] = []
    with threads(2):
        run(lambda part: run(found.append, range(10 * part, 10 * part + 10)), range(6))
    assert sorted(found) == list(range(60))
