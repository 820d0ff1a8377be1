"""Files to rows: CSV, Parquet, process logs."""
