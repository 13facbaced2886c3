"""SQLite's locks do not work across machines: a store on a network file system would sooner or later have two writers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from liveorder.domain.errors import StoreRefused

MOUNTS = Path("/proc/mounts")
_NETWORK = re.compile(
    r"(fuse\.)?(nfs\d?|cifs|smb\d?|smbfs|sshfs|afs|ceph|ceph-fuse|glusterfs|lustre|gpfs|beegfs|davfs2?|rclone|s3fs|gcsfuse)"
)


def refuse_network_file_system(path: Path, mounts: Path = MOUNTS) -> None:
    """Raises `StoreRefused` for a network file system. If the system lists no mounts (not Linux), nothing is known and nothing is
    refused.
    """
    if not mounts.exists():
        return
    place = path.resolve()
    inside = [(point, kind) for point, kind in _mounted(mounts.read_text()) if place.is_relative_to(point)]
    point, kind = max(inside, key=lambda mount: len(mount[0].parts), default=(Path("/"), ""))
    if _NETWORK.fullmatch(kind):
        raise StoreRefused(
            f"{path} is on a network file system ({kind} at {point}), where SQLite's locks do not work; "
            "use a local disk, or a postgresql:// store"
        )


def _mounted(listing: str) -> Iterator[tuple[Path, str]]:
    for line in listing.splitlines():
        _device, point, kind, *_rest = line.split(" ")
        yield Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)), kind
