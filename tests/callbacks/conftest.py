"""The callbacks' tests are about callbacks: their models come from the stock."""

import pytest


@pytest.fixture(autouse=True)
def from_stock(stock):
    """`stock`, for each of them."""
