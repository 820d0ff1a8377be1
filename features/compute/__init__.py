"""Many leads at many moments (offline), one lead now (online): the same compiled pass."""
