"""Mappings that ship with Baton: three public data sets and an example of a CRM export."""
