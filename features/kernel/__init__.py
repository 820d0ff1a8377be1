"""Point-in-time aggregates: one compiled pass over a lead's sorted records, and its plain twin."""
