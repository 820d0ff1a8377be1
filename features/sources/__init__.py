"""Where history comes from: CSV by mapping file, Parquet, process logs (XES)."""
