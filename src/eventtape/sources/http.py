"""A polite HTTP client: waits and asks again, resumes, verifies, and leaves nothing half-written.

Connect errors, time-outs, broken answers, 429 and 5xx are tried again with exponential back-off
and jitter, after ``Retry-After`` where the service names one; any other 4xx is final. A download
grows in ``<target>.part`` and is moved into place only once its length and checksum are right.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import stamina

from eventtape.errors import FetchError
from eventtape.sources.parts import Part, sha256_of

__all__ = ["Client", "NotFoundError", "Progress"]

Progress = Callable[[str, int, int | None], None]
"""Called with a label, what is done and, where known, what there is to do."""

T = TypeVar("T")
Params = Mapping[str, str | int]
USER_AGENT = "eventtape/0.1 (market research; honours Retry-After)"
_TOO_MANY, _SERVER_ERROR = 429, 500
_OK, _PARTIAL, _NOT_FOUND, _RANGE_REFUSED = 200, 206, 404, 416


class NotFoundError(FetchError):
    """The service answered 404: it does not know what was asked for."""


class _AgainError(Exception):
    """A failure that may pass; ``wait`` is what the service asked for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Client:
    """GET with retries. ``patience`` bounds the ``Retry-After`` it will sit out, in seconds."""

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        attempts: int = 6,
        wait_initial: float = 0.5,
        wait_max: float = 30.0,
        wait_jitter: float = 1.0,
        patience: float = 120.0,
    ) -> None:
        self._http = httpx.Client(
            timeout=timeout, follow_redirects=True, headers={"User-Agent": USER_AGENT}
        )
        self._attempts = attempts
        self._waits = {
            "wait_initial": wait_initial,
            "wait_max": wait_max,
            "wait_jitter": wait_jitter,
        }
        self._patience = patience
        self._lock, self._under_way, self._closed = threading.Lock(), 0, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; from any thread, and one that is being used once it is not.

        A request under way in another thread is answered, and is the last one.
        """
        with self._lock:
            self._closed = True
            if self._under_way:
                return
        self._http.close()

    def get_bytes(self, url: str, params: Params | None = None) -> bytes:
        """The body of a whole answer to GET."""
        asked = str(httpx.URL(url, params=params)) if params else url

        def attempt() -> bytes:
            with self._answer(asked, {}) as answer:
                return answer.read()

        return self._persist(asked, attempt)

    def get_json(self, url: str, params: Params | None = None) -> Any:
        """The JSON value a service answers with; anything else is a :class:`FetchError`."""
        body = self.get_bytes(url, params)
        try:
            return json.loads(body)
        except ValueError as error:
            raise FetchError(f"{url}: wanted JSON, got {body[:60]!r} ({error})") from error

    def download(
        self,
        url: str,
        target: Path,
        *,
        checksum: str | None = None,
        progress: Progress | None = None,
    ) -> Path:
        """The path of the whole file, fetched unless it is there already; ``checksum`` is SHA-256.

        A ``.part`` left by an earlier run is resumed if the service still has the same file (by
        ETag or Last-Modified); otherwise it starts again. A file whose checksum is wrong is
        deleted and never reaches ``target``.
        """
        checksum = checksum and checksum.lower()
        if target.exists() and checksum in {None, sha256_of(target)}:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Part(target)
        self._persist(url, lambda: self._extend(url, part, progress))
        if checksum is not None and (got := sha256_of(part.path)) != checksum:
            part.discard()
            raise FetchError(f"{url}: expected sha256 {checksum}, got {got}")
        part.finish()
        return target

    def _extend(self, url: str, part: Part, progress: Progress | None) -> None:
        """Fetch the bytes that ``part`` lacks; ask again if the answer falls short."""
        have, tag = part.state()
        # Lengths and ranges count the bytes as stored, so no compression on the way.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": tag}
        with self._answer(url, headers) as answer:
            if answer.status_code == _RANGE_REFUSED:
                if answer.headers.get("Content-Range") == f"bytes */{have}":
                    return  # an earlier run had it all and stopped before the move
                part.discard()
                raise _AgainError("the part kept is not of this file")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise FetchError(f"{url}: wanted the bytes as stored, got them compressed")
            start, total = _extent(answer)
            if start not in {0, have}:
                part.discard()
                raise _AgainError("another range than the one asked for")
            done = start
            with part.path.open("ab" if start else "wb") as out:
                if not start:
                    # After the open, which has emptied a part of another file: a tag written
                    # sooner could outlive a crash beside the wrong bytes.
                    part.remember(_validator(answer))
                for chunk in answer.iter_raw():
                    out.write(chunk)
                    done += len(chunk)
                    if progress is not None:
                        progress(part.target.name, done, total)
            if total is not None and done < total:  # a service may give less than the range
                raise _AgainError(f"{done} of {total} bytes")

    @contextmanager
    def _answer(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """An open answer with a status that can be used; others raise, to try again or for good."""
        try:
            with self._use(url), self._http.stream("GET", url, headers=headers) as answer:
                status = answer.status_code
                if status == _TOO_MANY or status >= _SERVER_ERROR:
                    raise _AgainError(f"status {status}", _retry_after(answer))
                if status == _NOT_FOUND:
                    raise NotFoundError(f"{url}: status {status}")
                resumable = "Range" in headers and status in {_PARTIAL, _RANGE_REFUSED}
                if status != _OK and not resumable:
                    raise FetchError(f"{url}: status {status}")
                yield answer
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise FetchError(f"{url}: {error}") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise _AgainError(reason) from error

    @contextmanager
    def _use(self, url: str) -> Iterator[None]:
        """The connections, which nobody closes meanwhile: httpx would leave one that opens open."""
        with self._lock:
            if self._closed:
                raise FetchError(f"{url}: not asked, the client is closed")
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                last = self._closed and not self._under_way
            if last:
                self._http.close()

    def _persist(self, url: str, attempt: Callable[[], T]) -> T:
        """What ``attempt`` returns, tried again while its failures may pass."""

        def worth_another(error: Exception) -> bool | float:
            if not isinstance(error, _AgainError):
                return False
            return True if error.wait is None else error.wait <= self._patience and error.wait

        try:
            for trial in stamina.retry_context(
                on=worth_another, attempts=self._attempts, timeout=None, **self._waits
            ):
                with trial:
                    return attempt()
        except _AgainError as error:
            asked = "" if error.wait is None else f", asked to wait {error.wait:g} s"
            raise FetchError(f"{url}: {error}{asked}, after {trial.num} attempt(s)") from error
        raise AssertionError("stamina either returns or raises")


def _extent(answer: httpx.Response) -> tuple[int, int | None]:
    """Where in the file the body begins, and how long the file is where the service says so."""
    if answer.status_code == _PARTIAL:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if span is None:
            return -1, None
        return int(span[1]), None if span[2] == "*" else int(span[2])
    length = answer.headers.get("Content-Length")
    return 0, None if length is None else int(length)


def _validator(answer: httpx.Response) -> str | None:
    """What If-Range may carry: a strong ETag, else the date of the last change."""
    tag: str = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified")


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that ``Retry-After`` asks for, given as a number or as a date."""
    text = answer.headers.get("Retry-After")
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None  # neither form: the usual back-off serves
