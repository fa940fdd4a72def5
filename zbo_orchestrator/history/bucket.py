"""A history on object storage: how it is reached, with what the environment says, and whether it is there."""

from __future__ import annotations

import os

import icechunk

from zbo_orchestrator.place import Place

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def storage(place: Place) -> icechunk.Storage:
    """Credentials as in AWS's own tools; an endpoint of one's own is addressed by path, and may speak plain HTTP."""
    endpoint, region = _first(_ENDPOINTS), _first(_REGIONS)
    return icechunk.s3_storage(
        bucket=place.bucket,
        prefix=place.prefix,
        region=region or ("us-east-1" if endpoint else None),
        endpoint_url=endpoint,
        allow_http=endpoint is not None and endpoint.startswith("http://"),
        force_path_style=endpoint is not None,
        from_env=True,
    )


def _first(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def exists(place: Place) -> bool:
    """Whether somebody founded a history there: one whose founder died holds nothing but its first, empty commit."""
    reached = storage(place)
    if not icechunk.Repository.exists(reached):
        return False
    newest = next(iter(icechunk.Repository.open(reached).ancestry(branch="main")))
    return newest.parent_id is not None
