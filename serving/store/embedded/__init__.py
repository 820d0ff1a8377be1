"""The PostgreSQL that ships in a wheel: started by whoever needs it, open to nobody else."""

from serving.store.embedded.programs import find_program
from serving.store.embedded.shared import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "find_program"]
