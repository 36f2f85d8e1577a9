"""Whole numbers as users give them."""

import numpy as np
import pytest

from wgan_gp.support.errors import InputError
from wgan_gp.support.whole_numbers import check_whole


@pytest.mark.parametrize("value", [1, 7, np.int64(3), np.uint8(1)])
def test_pythons_and_numpys_are_taken(value):
    check_whole("count", value, most=7)


@pytest.mark.parametrize(
    "value", [0, -1, 8, 2.5, 2.0, np.float32(2), True, "2", None, float("nan")]
)
def test_what_is_none_or_out_of_range_is_named(value):
    with pytest.raises(InputError, match="count must be a whole number from 1 to 7, not "):
        check_whole("count", value, most=7)


def test_there_need_be_no_upper_bound():
    check_whole("seed", 0, least=0)
    check_whole("every", 10**30)
    with pytest.raises(InputError, match="every must be a whole number, at least 1, not 0"):
        check_whole("every", 0)
