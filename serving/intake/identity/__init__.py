"""Who a record is about: keys, joining, merging."""
