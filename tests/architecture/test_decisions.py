"""Each decision record can be found in the index: a number of its own, a status, a date."""

import re
from collections import Counter
from pathlib import Path

from docs.sphinx.decisions import read_decisions

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "decisions"


def test_every_record_has_title_status_and_date_and_a_number_of_its_own():
    records = read_decisions(FOLDER)

    assert len(records) == len(list(FOLDER.glob("*.md"))) - 1  # the index of the folder
    assert [number for number, n in Counter(r.number for r in records).items() if n > 1] == []


def test_what_supersedes_a_record_is_there():
    for record in read_decisions(FOLDER):
        for successor in re.findall(r"\]\((.+?)\)", record.status):
            assert (FOLDER / successor).exists(), record.file
