"""Object storage on this machine, and a fault that a network has in store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

KEY = "not-a-key-of-anybody"


class Flaky:
    """The storage as a WSGI application; it obeys the next commit and then loses its answer, where it is told to."""

    def __init__(self) -> None:
        self._storage = DomainDispatcherApplication(create_backend_app)
        self.loses_answer = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        commits = environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith("/ref.json")
        if not (self.loses_answer and commits):
            return self._storage(environ, start_response)
        self.loses_answer = False
        list(self._storage(environ, lambda *_: None))
        start_response("500 Internal Server Error", [])
        return []


@dataclass(frozen=True)
class Bucket:
    """A bucket, empty at first; `client` looks at it past the history."""

    name: str
    server: Flaky
    client: Any

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.objects("")]

    def objects(self, prefix: str) -> list[tuple[str, bytes]]:
        """Keys and what lies there."""
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        return [(each["Key"], self._get(each["Key"])) for each in listed]

    def _get(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def vanish(self) -> None:
        for key in self.keys:
            self.client.delete_object(Bucket=self.name, Key=key)
        self.client.delete_bucket(Bucket=self.name)
