"""Identifiers that look like the vendors' own and are pure functions of a 64-bit key.

Belongs here: the alphabets, prefixes and the Salesforce checksum. Must not be here: which record
gets which key (the modules that create records decide that, always from the keyed hash of `rng`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sample_company.rng import U64

_BASE62 = np.frombuffer(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8
)
_BASE32 = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)
_BASE36 = np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)

SALESFORCE_PREFIX = {
    "account": "001",
    "contact": "003",
    "user": "005",
    "opportunity": "006",
    "task": "00T",
    "event": "00U",
    "case": "500",
    "campaign": "701",
    "campaign_member": "00v",
    "opportunity_contact_role": "00K",
    "event_relation": "0RE",
    "history": "017",
    "custom": "a01",
}

Strings = NDArray[np.object_]


def _digits(keys: U64, length: int, alphabet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    base = np.uint64(len(alphabet))
    out = np.empty((len(keys), length), dtype=np.uint8)
    state = keys.astype(np.uint64).copy()
    for position in range(length):
        if position and position % 10 == 0:
            # 64 bits hold ten digits of base 62; the next ten come from a permutation of them.
            with np.errstate(over="ignore"):
                state = (keys ^ np.uint64(position)) * np.uint64(0x9E3779B97F4A7C15)
                state ^= state >> np.uint64(29)
        out[:, length - 1 - position] = alphabet[(state % base).astype(np.int64)]
        state = state // base
    return out


def _to_str(chars: NDArray[np.uint8]) -> Strings:
    width = chars.shape[1]
    flat = np.ascontiguousarray(chars).view(f"S{width}").ravel()
    return flat.astype(f"U{width}").astype(object)


def _prefixed(prefix: str, body: NDArray[np.uint8]) -> NDArray[np.uint8]:
    head = np.frombuffer(prefix.encode(), dtype=np.uint8)
    return np.concatenate([np.tile(head, (len(body), 1)), body], axis=1)


def salesforce_ids(prefix: str, keys: U64) -> Strings:
    """Build 18-character Salesforce ids: key prefix, twelve characters, three of checksum.

    The checksum maps, for each five characters, the bits "is upper case" (first one lowest) to
    `A-Z0-5`, as Salesforce documents for its case-insensitive ids.
    """
    body = _prefixed(prefix, _digits(keys, 15 - len(prefix), _BASE62))
    upper = (body >= ord("A")) & (body <= ord("Z"))
    bits = upper.reshape(len(body), 3, 5) @ np.array([1, 2, 4, 8, 16])
    return _to_str(np.concatenate([body, _BASE32[bits]], axis=1))


def stripe_ids(prefix: str, keys: U64, length: int = 24) -> Strings:
    """Build Stripe ids: a prefix such as `sub_`, then letters and digits."""
    return _to_str(_prefixed(prefix, _digits(keys, length, _BASE62)))


def workspace_ids(keys: U64) -> Strings:
    """Build workspace ids: `ws_` and twelve lower-case letters or digits."""
    return _to_str(_prefixed("ws_", _digits(keys, 12, _BASE36)))
