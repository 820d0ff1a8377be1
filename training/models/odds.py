"""Points and log-odds: the one scale that hand-given points and learned ones share."""

import numpy as np

DOUBLING_POINTS = 10.0
"""Points that double the odds (docs/decisions/0001)."""

POINTS_PER_LOGIT = DOUBLING_POINTS / np.log(2.0)
