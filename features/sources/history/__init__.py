"""A history on disk: folder, manifest, partitions."""
