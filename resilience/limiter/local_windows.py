"""What this worker itself has admitted, per window: its limiter while Redis is away, its report when Redis is back.

Every admission is counted here, also those that Redis granted: so when the worker is on its own it adds up to its
share instead of starting again, and when Redis comes back without its memory the worker tells it what the minute held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from resilience.limiter.base import Quota, Window
from resilience.limiter.window import BUCKETS, Bucket, Limits, SlidingWindow, Verdict, is_refused, reserve


class _Admissions:
    __slots__ = ("every", "unshared")

    def __init__(self, now_s: int) -> None:
        self.every = SlidingWindow(now_s)
        self.unshared: SlidingWindow | None = None
        """The part of `every` that Redis has not been told."""

    def count_unshared(self, now_s: int, tokens: int) -> None:
        if self.unshared is None:
            self.unshared = SlidingWindow(now_s)
        self.unshared.advance(now_s)
        self.unshared.adjust(now_s, 1, tokens)


class LocalWindows:
    def __init__(self, *, clock: Callable[[], float], share_count: int) -> None:
        """`clock` gives seconds and never goes back; `share_count` is the number of workers of all gateways."""
        if share_count < 1:
            raise ValueError(f"share_count must be at least 1, not {share_count}")
        self._clock = clock
        self._share_count = share_count
        # Two generations, so that windows that nobody uses any more go without a scan.
        self._recent: dict[str, _Admissions] = {}
        self._older: dict[str, _Admissions] = {}
        self._rotated_s = int(clock())
        # Requests and tokens that were counted in this second and are not in their windows yet: most answers end in
        # the second in which they were asked for, and each would change its windows twice.
        self._counted: dict[str, list[int]] = {}
        self._counted_s = self._rotated_s

    def __len__(self) -> int:
        self._put_in()
        return len(self._recent) + len(self._older)

    def record(self, windows: Sequence[Window], tokens: int) -> int:
        """Count a request that Redis admitted; returns its second."""
        now_s = int(self._clock())
        if now_s != self._counted_s:
            self._put_in()
            self._counted_s = now_s
        for window in windows:
            counted = self._counted.get(window.key)
            if counted is None:
                self._counted[window.key] = [1, tokens]
            else:
                counted[0] += 1
                counted[1] += tokens
        return now_s

    def reserve(self, windows: Sequence[Window], tokens: int) -> tuple[Sequence[Verdict], int]:
        """Admit within this worker's share of each; returns the verdicts, in terms of the shares, and the second.

        A share is never less than one request, and one request that fits the quota but not the share is admitted into
        an otherwise empty window: a small quota split many ways would else admit nothing at all.
        """
        self._put_in()
        now_ms = int(self._clock() * 1000)
        now_s = now_ms // 1000
        admitting = [self._admissions(window.key, now_s) for window in windows]
        limits = []
        for window, admissions in zip(windows, admitting, strict=True):
            admissions.every.advance(now_s)
            share = self.share(window.quota)
            token_limit = share.tokens_per_min if admissions.every.tokens else max(share.tokens_per_min, tokens)
            limits.append(Limits(share.requests_per_min, token_limit))
        verdicts = reserve(now_ms, [admissions.every for admissions in admitting], limits, tokens)
        if not is_refused(verdicts):
            for admissions in admitting:
                admissions.count_unshared(now_s, tokens)
        return verdicts, now_s

    def share(self, quota: Quota) -> Quota:
        return Quota(
            requests_per_min=max(1, quota.requests_per_min // self._share_count),
            tokens_per_min=max(1, quota.tokens_per_min // self._share_count),
        )

    def adjust(self, windows: Sequence[Window], second: int, tokens: int, *, unshared: bool) -> None:
        """Correct the tokens of an earlier admission; `unshared` says that Redis has not been told of it."""
        if second == self._counted_s and not unshared:
            for window in windows:
                self._counted.setdefault(window.key, [0, 0])[1] += tokens
            return
        self._put_in()
        now_s = int(self._clock())
        if second <= now_s - BUCKETS:
            return
        for window in windows:
            admissions = self._admissions(window.key, now_s)
            admissions.every.advance(now_s)
            admissions.every.adjust(second, 0, tokens)
            if unshared and admissions.unshared is not None:
                admissions.unshared.advance(now_s)
                admissions.unshared.adjust(second, 0, tokens)

    def take_unshared(self) -> Iterator[tuple[str, Bucket]]:
        """What Redis has not been told of the last window, which from now on counts as told."""
        for key, admissions in self._live():
            unshared, admissions.unshared = admissions.unshared, None
            if unshared is not None:
                unshared.advance(int(self._clock()))
                for bucket in unshared.buckets():
                    yield key, bucket

    def take_everything(self) -> Iterator[tuple[str, Bucket]]:
        """All of the last window, for a Redis that has forgotten it; from now on it counts as told."""
        for key, admissions in self._live():
            admissions.unshared = None
            admissions.every.advance(int(self._clock()))
            for bucket in admissions.every.buckets():
                yield key, bucket

    def _put_in(self) -> None:
        """What was counted into the windows."""
        counted, self._counted = self._counted, {}
        for key, (requests, tokens) in counted.items():
            every = self._admissions(key, self._counted_s).every
            every.advance(self._counted_s)
            every.adjust(self._counted_s, requests, tokens)

    def _live(self) -> Iterator[tuple[str, _Admissions]]:
        self._put_in()
        yield from self._recent.items()
        yield from self._older.items()

    def _admissions(self, key: str, now_s: int) -> _Admissions:
        if now_s - self._rotated_s >= BUCKETS:
            # Nothing was used later than a window after the last rotation, or it would have rotated then.
            forgotten = now_s - self._rotated_s >= 2 * BUCKETS
            self._older = {} if forgotten else self._recent
            self._recent = {}
            self._rotated_s = now_s
        admissions = self._recent.get(key)
        if admissions is None:
            admissions = self._older.pop(key, None) or _Admissions(now_s)
            self._recent[key] = admissions
        return admissions
