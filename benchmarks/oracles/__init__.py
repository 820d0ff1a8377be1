"""The feature job by other means: judges of the kernel, and what it is measured against.

Each gives the eighty columns of ``benchmarks.job_stack.job_catalog`` in that order, float64, one row
per moment in the order of the moments file.
"""
