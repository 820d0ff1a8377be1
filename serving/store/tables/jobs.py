"""What went wrong with jobs: procrastinate keeps that they failed, not why."""

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base


class JobProblem(Base):
    """The latest problem of a job; gone with the job."""

    __tablename__ = "job_problem"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Of procrastinate's table; no foreign key, since that table is theirs."""
    problem: Mapped[str]
    """Class of the error; its words may hold values."""
    where: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    """Files, lines and functions it was raised in."""
    at: Mapped[datetime]
