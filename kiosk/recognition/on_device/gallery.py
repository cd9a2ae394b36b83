"""Who is enrolled, and who of them a face is most like: a SQLite file with what is secret encrypted, mirrored in RAM."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from kiosk.recognition.on_device import custody
from kiosk.recognition.on_device.deletions import Deletion
from kiosk.recognition.on_device.enrolment import Enrolment
from kiosk.recognition.on_device.keys import LENGTH, KeyFile, key_id
from kiosk.recognition.on_device.matching import Hit, cosine_of, mean_vector, unit_vector
from kiosk.recognition.on_device.mirror import Mirror, Part
from kiosk.recognition.on_device.refusal import GalleryError
from kiosk.recognition.on_device.sealing import Seal
from kiosk.recognition.on_device.store import Store


class Gallery(Enrolment):
    """One thread at a time. Refuses by GalleryRefusal, saying why; what is wrong with the file is a GalleryError.

    `Gallery(wall)` is one in memory, with a key of its own; `open` is for files. `wall`: Unix seconds.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        store: Store | None = None,
        key: bytes | KeyFile | None = None,
        *,
        keep_photos: bool = False,
    ) -> None:
        store = store or Store()
        self._key = key or secrets.token_bytes(LENGTH)
        super().__init__(store, Seal(self._key, store.meta("gallery") or ""), wall, keep_photos=keep_photos)
        self._mirror = Mirror(store, self._seal)
        if store.meta("key") is None:
            self._lock_up()
        self._seal.follow(store.meta("key"))

    def _lock_up(self) -> None:
        with self.together():
            if self._store.meta("key") is None:  # another process may have been faster
                self._seal.use(self._key if isinstance(self._key, bytes) else self._key.read())
                self._store.set_meta("key", self._seal.key_id)
                self._ledger.create()

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        key: bytes | KeyFile | None = None,
        wall: Callable[[], float] = time.time,
        *,
        keep_photos: bool = False,
    ) -> Self:
        """In memory without a `path`; a file that is not there comes into being.

        A `KeyFile` is better than its bytes: it is read again when another process has changed the key.
        Raises GalleryError `gallery_unreadable`, `gallery_unwritable`, `gallery_locked`, `gallery_key_missing`,
        `gallery_key_wrong`.
        """
        if path is not None and key is None:
            raise GalleryError("gallery_key_missing", f"{path} needs one")
        if path is not None and not path.exists() and isinstance(key, KeyFile):
            key.read()  # without a key no file comes into being
        store = Store(path)
        try:
            return cls(wall, store, key, keep_photos=keep_photos)
        except BaseException:
            store.close()
            raise

    @property
    def file(self) -> Path | None:
        return self._store.file

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        """How many faces there are."""
        return self._register.count_faces()

    @property
    def person_count(self) -> int:
        return self._register.count_persons()

    @property
    def group_count(self) -> int:
        return self._register.count_groups()

    # Likeness

    def search(
        self, embedding: bytes | None, group_ids: Sequence[str], top: int, *, merged: bool = False, upper: bool = False
    ) -> list[Hit]:
        """Persons of these groups, the most alike first: by the best of their faces, or `merged`, by all their faces as one.

        `upper`: by the upper part of faces; who has no such embedding is not found. Raises ContractViolation where
        `embedding` is none.
        """
        return self._search(embedding, group_ids, top, merged=merged, upper=upper)

    def search_all(self, embedding: bytes | None, top: int, *, merged: bool = False, upper: bool = False) -> list[Hit]:
        """As `search`, among everybody."""
        return self._search(embedding, None, top, merged=merged, upper=upper)

    def likeness(self, person_id: str, embedding: bytes | None, *, merged: bool = False, upper: bool = False) -> float:
        """The cosine to one person, as `search` has it; −1 where they have no face of this kind."""
        with self._reading():
            self._person_number(person_id)
            faces = self._register.embeddings(person_id, _part(upper=upper))
        return max((cosine_of(embedding, face) for face in ([mean_vector(faces)] if merged and faces else faces)), default=-1.0)

    def population(self, group_ids: Sequence[str]) -> tuple[int, int]:
        """Persons and faces in the union of these groups."""
        with self._following():
            return self._mirror.population([self._group_number(group_id) for group_id in group_ids])

    def pairs(self, least: float) -> Iterator[tuple[str, str, float]]:
        """Pairs of persons whose best cosine is at least `least`; nothing may be changed or searched meanwhile."""
        self.follow()
        for one, other, cosine in self._mirror.pairs(least):
            names = self._register.person_id(one), self._register.person_id(other)
            if names[0] is not None and names[1] is not None:  # else deleted meanwhile, by another process
                yield names[0], names[1], cosine

    def follow(self, *, upper: bool = False) -> None:
        """Reads what has changed, so that the next search need not: all faces the first time."""
        with self._following():
            self._mirror.load(_part(upper=upper))

    def _search(
        self, embedding: bytes | None, group_ids: Sequence[str] | None, top: int, *, merged: bool, upper: bool
    ) -> list[Hit]:
        vector = unit_vector(embedding)
        with self._following():
            groups = None if group_ids is None else [self._group_number(group_id) for group_id in group_ids]
            found = self._mirror.search(vector, top, groups, _part(upper=upper), merged=merged)
            named = ((self._register.person_id(hit.owner), hit) for hit in found)
            return [Hit(name, hit.cosine, str(hit.face or "")) for name, hit in named if name is not None]

    @contextmanager
    def _following(self) -> Iterator[None]:
        """One state of the file for the mirror and for what is asked besides."""
        with self._reading():
            self._mirror.follow()
            yield

    # Deletions

    def deletions(self) -> list[Deletion]:
        """All records of deletion, the oldest first."""
        with self._reading():
            return self._ledger.records()

    @property
    def public_key(self) -> str:
        """In hex, Ed25519: what the records are signed with; to be noted elsewhere for `Deletion.verify`."""
        with self._reading():
            return self._ledger.public_key

    @property
    def has_traces(self) -> bool:
        """Whether deleted bytes may still be in the file because another process was reading it; the next deletion, `vacuum`
        or `close` tries again.
        """
        return self._store.traces

    # The file

    def check(self) -> None:
        """Reads everything. Raises GalleryError `gallery_unreadable` where the file is damaged, something secret does not open,
        or a record of deletion was changed, made up or taken away.
        """
        with self._reading():
            custody.check(self._store, self._seal)

    def vacuum(self) -> None:
        """Rewrites the file, so that nothing deleted is left in it and it is as small as it can be."""
        self._store.vacuum()

    def backup(self, to: Path) -> None:
        """A whole copy, under the same key, while others may work; takes the place of what is there.

        Raises GalleryError `gallery_unwritable`.
        """
        custody.backup(self._store, to)

    @classmethod
    def restore(
        cls,
        path: Path,
        key: bytes | KeyFile,
        backup: Path,
        wall: Callable[[], float] = time.time,
        *,
        backup_key: bytes | None = None,
    ) -> None:
        """Puts a backup in the place of the gallery at `path`, all at once; whoever has that open follows.

        The backup is checked first, as `check` does. Whom the present gallery has deleted since stays deleted.
        `backup_key`: where the key was changed since; the gallery stays under `key`.
        Raises GalleryError as `open` does; a gallery at `path` that cannot be opened must be moved away first.
        """
        custody.restore(path, key, backup, backup_key or key, round(1000 * wall()))

    def rotate_key(self, to: Path | None = None) -> Path:
        """A new key for everything; says in which file it is.

        That is the key's own file, or a new one `to`, for a key that comes from a read-only credential: the operator puts it
        into its place. Safe against a crash at any moment. Raises GalleryError `gallery_unwritable`, `gallery_locked`.
        """
        home = self._key if to is None else KeyFile(to.absolute(), to.parent)
        if isinstance(home, bytes) or (to and to.exists()):
            raise GalleryError("gallery_unwritable", f"{to} is there already" if to else "name a file for the new key")
        key = secrets.token_bytes(LENGTH)
        with self.together():
            home.put_beside(key, self._seal.key_id)
            custody.go_over(self._store, self._seal, key)
        home.promote(key_id(key))
        self._store.vacuum()
        return home.path

    def export(self, *, embeddings: bool = False) -> Iterator[dict[str, Any]]:
        """Everybody as plain values, for a report; `embeddings` as base64 of 128 float32, little endian."""
        for person in self.everybody():
            plain = msgspec.to_builtins(person, str_keys=True)
            if embeddings:
                with self._reading():
                    found = self._register.embeddings(person.person_id)
                plain["embeddings"] = [base64.b64encode(embedding).decode() for embedding in found]
            yield plain


def _part(*, upper: bool) -> Part:
    return "upper" if upper else "embedding"
