"""Where a history is: a local folder, or a bucket and prefix on object storage; and what stands beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from zbo_orchestrator.model import ConfigurationError

_SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OTHER = re.compile(r"[a-z][a-z0-9+.-]*:/")


@dataclass(frozen=True, slots=True)
class Place:
    """Parsed once, from what a person gave; `str` gives that back.

    folder   of a local history the folder itself; what stands beside it is local in either case
    bucket   empty for a local history
    """

    folder: Path
    bucket: str = ""
    prefix: str = ""

    @classmethod
    def of(cls, given: Address) -> Place:
        """A folder, or `s3://bucket/prefix`; raises `ConfigurationError` for any other address.

        Beside `s3://bucket/prefix` means beside `histories/bucket/prefix` in the working folder, so that no two
        histories share scratch folders, scans or reports.
        """
        if isinstance(given, Place):
            return given
        text = str(given)
        if not text.startswith(_SCHEME):
            return cls(local(given))
        bucket, _, prefix = text.removeprefix(_SCHEME).removesuffix("/").partition("/")
        parts = prefix.split("/")
        if not _BUCKET.fullmatch(bucket) or not all(part.strip(".") for part in parts):
            raise ConfigurationError(f"{text!r} names no history; wanted s3://bucket/prefix")
        return cls(Path("histories", bucket, *parts), bucket, prefix)

    @property
    def remote(self) -> bool:
        return bool(self.bucket)

    @property
    def name(self) -> str:
        return self.folder.name

    def beside(self, ending: str) -> Path:
        """The local file or folder that goes with it: `.html`, `.scratch`, `.final`, `.inbox`, `.lock`, and others."""
        return self.folder.with_name(f"{self.name}{ending}")

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.prefix}" if self.remote else str(self.folder)


Address = str | Path | Place
"""What may name a history."""


def local(given: str | Path) -> Path:
    """A path on this machine; raises `ConfigurationError` for an address on any other, also one that `Path` bent."""
    if _OTHER.match(str(given)):
        raise ConfigurationError(
            f"{str(given)!r} is no local path; only a history may be elsewhere, named as text: s3://bucket/prefix"
        )
    return Path(given)
