"""One record in sixteen bytes: when, what and by which channel in one word, its value in another.

Records sort by their first word, then by value. Because kind and channel stand in the low bits,
the order of records does not depend on the order of their arrival, even among equal times.
"""

KIND_BITS, CHANNEL_BITS = 6, 5
TIME_SHIFT = KIND_BITS + CHANNEL_BITS
KIND_MASK, CHANNEL_MASK = (1 << KIND_BITS) - 1, (1 << CHANNEL_BITS) - 1

MOST_KINDS = 1 << KIND_BITS
"""One code of the channels' bits says that there is none."""

LARGEST = 1e30
"""A number beyond this is a mistake, and unknown: sums of it would leave single precision."""

LATEST_US = (1 << (63 - TIME_SHIFT)) - 1
EARLIEST_US = -LATEST_US
"""Times beyond the years 1827 and 2112 do not fit a word; they count as the nearest that does."""
