"""Keep texts and ids out of rows that leave the machine on which the logs are."""

from __future__ import annotations

import hashlib

import attrs

__all__ = ["Privacy"]

_DIGEST = 16
_LONGEST_KEY = 64


def _key(value: bytes | None) -> bytes | None:
    if value is not None and not isinstance(value, bytes):
        raise TypeError(
            f"expected id_key to be bytes, got {type(value).__name__}: pass secrets.token_bytes()"
        )
    if value is not None and not 0 < len(value) <= _LONGEST_KEY:
        raise ValueError(
            f"expected id_key to have 1 to {_LONGEST_KEY} bytes, got {len(value)}: "
            "pass secrets.token_bytes()"
        )
    return value


@attrs.frozen(kw_only=True)
class Privacy:
    """The content that a row may have.

    Args:
        texts: whether the items of a row have their contents; else they are counts alone.
        id_key: a secret of up to 64 bytes. With it, each id in a row is a keyed hash: the same id
            becomes the same hash, in every run with this key. A row then has neither texts nor the
            name of its file, which may hold ids as well.

    Raises:
        TypeError: the key is not bytes.
        ValueError: the key is empty or too long.
    """

    texts: bool = True
    id_key: bytes | None = attrs.field(default=None, repr=False, converter=_key)

    @property
    def shows_texts(self) -> bool:
        """Whether the contents of items may be in a row."""
        return self.texts and self.id_key is None

    @property
    def shows_sources(self) -> bool:
        """Whether the name of a file may be in a row."""
        return self.id_key is None

    def id_of(self, value: str | None) -> str | None:
        """Return an id as it may stand in a row."""
        if value is None or self.id_key is None:
            return value
        data = value.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=_DIGEST, key=self.id_key).hexdigest()
