"""When a series began to move."""

import numpy as np
import pytest

from app.tools.change_points import Change, change_of, trend_of

STEP = 15.0
TIMES = np.arange(0, 3600, STEP)


def series(values: object) -> list[tuple[float, float]]:
    return [(float(t), float(v)) for t, v in zip(TIMES, np.broadcast_to(np.asarray(values, dtype=float), TIMES.shape), strict=True)]


def noise(seed: int, size: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, len(TIMES))


def found(values: object) -> Change:
    change = change_of(series(values))
    assert change is not None
    return change


@pytest.mark.parametrize("onset", [300, 1234, 1800, 3333])
def test_a_step_is_dated_to_within_one_scrape(onset: int) -> None:
    change = found(50 + noise(onset) + 30 * (onset <= TIMES))
    assert 0 <= change.at - onset <= STEP
    assert change.kind == "step"
    assert (round(change.before, -1), round(change.after, -1)) == (50, 80)
    assert change.resolution == STEP


@pytest.mark.parametrize(("onset", "slope"), [(600, 0.05), (1800, 0.05), (1800, 1.0), (2400, 0.1)])
def test_a_leak_is_dated_to_where_it_bends(onset: int, slope: float) -> None:
    change = found(50 + noise(onset) + np.maximum(0, TIMES - onset) * slope)
    assert change.kind == "ramp"
    assert abs(change.at - onset) <= 3 * STEP


def test_a_leak_that_restarts_again_and_again_is_dated_to_its_first_rise() -> None:
    saw = np.maximum(0, (TIMES - 1500) % 600) * 0.1 * (TIMES >= 1500)
    assert abs(found(50 + noise(1, 0.3) + saw).at - 1500) <= 4 * STEP


def test_of_two_changes_the_first_is_told() -> None:
    assert found(50 + noise(2) + 30 * (TIMES >= 900) + 60 * (TIMES >= 2700)).at == 900


def test_an_excursion_that_came_back_has_an_end() -> None:
    change = found(50 + noise(3) + 100 * ((TIMES >= 1800) & (TIMES < 2100)))
    assert (change.kind, change.at, change.until) == ("spike", 1800, 2085)


@pytest.mark.parametrize("seed", range(40))
def test_noise_is_no_change(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert change_of(series(50 + noise(seed))) is None
    assert change_of(series(rng.lognormal(0, 0.5, len(TIMES)))) is None
    assert change_of(series(rng.poisson(2, len(TIMES)))) is None


def test_flat_short_and_broken_series_have_no_change() -> None:
    assert change_of(series(7)) is None
    assert change_of([]) is None
    assert change_of([(0.0, 1.0), (1.0, 9.0)]) is None
    assert change_of(series(np.nan)) is None


def test_a_line_over_the_whole_window_is_a_trend_and_no_onset() -> None:
    line = series(50 + 0.1 * TIMES)
    assert change_of(line) is None
    assert trend_of(line) == "rising"
    assert trend_of(series(50 + noise(4))) == ""


def test_gaps_and_infinities_are_left_out() -> None:
    values = 50 + 30.0 * (TIMES >= 1800)
    values[5], values[7] = np.nan, np.inf
    assert found(values).at == 1800


def test_the_same_series_gives_the_same_answer() -> None:
    values = 50 + noise(5) + 30 * (TIMES >= 1800)
    assert found(values) == found(values)
