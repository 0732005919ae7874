# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the package's tests."""
import numpy as np
import pytest


@pytest.fixture
def rng():
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240229)
