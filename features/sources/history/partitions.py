"""Which partition a lead belongs to: colleagues share one, on every machine and in every run."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from features.errors import ContractError
from features.sources.text_hash import hash_texts

MOST_RECORDS = 800_000
"""Events and stage changes of a partition, about; it is read into memory as a whole."""

FINEST_BITS = 24


def partition_bits(n_records: int) -> int:
    """Choose into how many partitions a history is split: ``2 ** bits``."""
    bits = 0
    while bits < FINEST_BITS and n_records > MOST_RECORDS << bits:
        bits += 1
    return bits


@njit(cache=True)
def _root(parent, account):  # type: ignore[no-untyped-def]
    while parent[account] != account:
        parent[account] = parent[parent[account]]
        account = parent[account]
    return account


@njit(cache=True)
def _link_accounts(lead, account, n_leads, n_accounts):  # type: ignore[no-untyped-def]
    """Give each lead the first of all accounts it is linked with; -1 if it has none."""
    parent = np.arange(n_accounts)
    own = np.full(n_leads, -1, np.int64)
    for row in range(len(lead)):
        if account[row] < 0:
            continue
        here = _root(parent, account[row])
        if own[lead[row]] >= 0:
            there = _root(parent, own[lead[row]])
            # The lesser root stays, so that the order of the rows does not matter.
            parent[max(here, there)] = min(here, there)
        own[lead[row]] = account[row]
    for position in range(n_leads):
        if own[position] >= 0:
            own[position] = _root(parent, own[position])
    return own


def _coded(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int64]]:
    """Give the distinct texts, and the position of each row's; -1 if it has none."""
    column = column.cast(pa.string())
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.unify_dictionaries().combine_chunks()
    return coded.dictionary, np.asarray(coded.indices.fill_null(-1), np.int64)


def _ranked(accounts: pa.Array, code: NDArray[np.int64]) -> tuple[pa.Array, NDArray[np.int64]]:
    """Let accounts be numbered in the order of their ids."""
    order = pc.sort_indices(accounts)
    rank = np.empty(len(accounts) + 1, np.int64)
    rank[np.asarray(order)] = np.arange(len(accounts))
    rank[-1] = -1
    return accounts.take(order), rank[code]


class LeadPlaces:
    """Where each lead of a lead table goes.

    Leads are numbered by first appearance. ``hashes`` decides the partition of each: leads that
    share an account in any of their versions, or are linked by a chain of such leads, have one.
    """

    def __init__(self, leads: pa.Table) -> None:
        self.lead_ids, self.of_row = _coded(leads.column("lead_id"))
        accounts, code = _ranked(*_coded(leads.column("account_id")))
        group = _link_accounts(self.of_row, code, len(self.lead_ids), len(accounts))
        self.hashes = hash_texts(self.lead_ids)
        grouped = group >= 0
        self.hashes[grouped] = hash_texts(accounts)[group[grouped]]

    def partitions(self, bits: int) -> NDArray[np.int64]:
        """Give the partition of each lead, of ``2 ** bits``."""
        if not bits:
            return np.zeros(len(self.hashes), np.int64)
        return (self.hashes >> np.uint64(64 - bits)).astype(np.int64)

    def ranks(self, bits: int) -> NDArray[np.int64]:
        """Give each lead's place: by partition, and within one in the order of the lead table."""
        rank = np.empty(len(self.hashes), np.int64)
        order = np.argsort(self.partitions(bits), kind="stable")
        rank[order] = np.arange(len(rank))
        return rank

    def find(self, record: str, lead_ids: pa.ChunkedArray) -> NDArray[np.int64]:
        """Find each row's lead.

        Raises
        ------
        ContractError
            If a row names a lead that the lead table lacks.
        """
        values, code = _coded(lead_ids)
        found = pc.index_in(values, value_set=self.lead_ids)
        if found.null_count:
            strange = values.filter(found.is_null())[0].as_py()
            raise ContractError(record, f"names lead {strange!r}, which the lead table lacks")
        return np.asarray(found, np.int64)[code]
