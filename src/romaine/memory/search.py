"""One recall over one state of the file: what is asked for, ranked, read, chosen and explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from romaine.memory.abstention import Calibration, evidence_of
from romaine.memory.candidates import Candidates, Spread
from romaine.memory.hits import (
    Explanation,
    Found,
    Rejected,
    diversified,
    story_time,
    within_budget,
    without_neighbour,
)
from romaine.memory.judging import Judges
from romaine.memory.late import FIRST, Late, TokenSource, late, lines_of
from romaine.memory.learned import LEARNED_RANKER
from romaine.memory.locks import aside
from romaine.memory.notes import normalised
from romaine.memory.options import AUTO, Masks, RecallOptions, masks_of, without_hits
from romaine.memory.query import Query, named_speakers
from romaine.memory.ranking import DEFAULT_RANKER, NO_TURN, Ranking, Signals
from romaine.memory.records import Hit, Kind, Memory
from romaine.memory.scope_view import TURN, ScopeView
from romaine.memory.storage import Snapshot
from romaine.memory.stored import TURNS, Wanted
from romaine.memory.times import TimeScores, time_scores
from romaine.memory.views import View

_SPARE = 24  # ranked candidates beyond k that are read, for what budget, diversity and doubles take out
_FEW_SPARE = 2  # as many as are read at first; most recalls need no more
_REJECTED = 10  # of what masks took out, the best that `explain` tells of


class Search:
    """One recall over one state of the file."""

    def __init__(
        self,
        judges: Judges,
        calibration: Calibration,
        tokens: TokenSource | None,
        view: ScopeView,
        snapshot: Snapshot,
        query: Query,
        options: RecallOptions,
    ) -> None:
        self._calibration = calibration
        self._judges = judges
        self._tokens = tokens
        self._late_spread: Spread | None = None
        self._late_best = 0.0
        self._view = view
        self._snapshot = snapshot
        self._query = query
        self._options = options
        self._rejected: list[Rejected] = []
        self._without = options.without_sources or frozenset()
        self._sure = calibration.hit.judge(None)
        self._time: TimeScores | None = None

    def run(self) -> Explanation:
        """Finds what fits."""
        options = self._options
        masks = self._asked(self._unshown(masks_of(self._view, options)))
        self._time = time_scores(self._query.times, self._view.index.attributes, masks.wanted, options.as_of)
        k = max(options.k, 10, self._judges.first if self._judges.reranker else 0)
        candidates = self._view.index.search(
            self._query, mask=masks.wanted, known=masks.known, k=k, dim=options.dim, time=self._time
        )
        usual, ranking = self._rankings(candidates, masks.wanted, masks.known)
        evidence = evidence_of(self._query, candidates, usual, late=self._late_best)
        self._sure = self._calibration.hit.judge(evidence)
        judged = self._judged(usual, ranking)
        silent = options.min_score == AUTO and not self._calibration.speaks(evidence)
        if options.k and not silent:
            ranking = self._reranked(candidates, ranking)
        hits = self._hits(candidates, ranking, judged, silent=silent)
        if options.explain:
            self._explain(masks)
        if options.order == "chronological":
            hits.sort(key=lambda hit: story_time(hit.memory))
        rejected = sorted(self._rejected, key=lambda r: -r.score) if options.explain else []
        return Explanation(
            hits=tuple(hits),
            rejected=tuple(rejected),
            confidence=self._calibration.confidence(evidence),
            threshold=self._calibration.least(evidence),
            evidence=evidence,
            damaged=len(self._view.damaged),
        )

    def _unshown(self, masks: Masks) -> Masks:
        """What is wanted without what the prompt shows already."""
        if not self._without:
            return masks
        shown = [
            row.row_id
            for source in self._without
            for row in self._seen.rows(self._snapshot, Wanted(source_id=source, kinds=TURNS))
        ]
        wanted = masks.wanted.copy()
        wanted[self._view.index.rows_of(np.array(shown, dtype=np.int64))] = False
        return replace(masks, wanted=wanted)

    def _asked(self, masks: Masks) -> Masks:
        """What `where` leaves of what is wanted. Reads all of it, which is why it is asked last."""
        where = self._options.where
        if where is None:
            return masks
        rows = np.flatnonzero(masks.wanted)
        row_ids = self._view.index.ids[rows].tolist()
        memories = self._memories(row_ids)
        with aside():  # it is the caller's, and may take its time
            kept = [
                row
                for row, row_id in zip(rows, row_ids, strict=True)
                if row_id in memories and where(memories[row_id])
            ]
        wanted = np.zeros_like(masks.wanted)
        wanted[kept] = True
        return replace(masks, wanted=wanted)

    def _rankings(
        self,
        candidates: Candidates,
        may_lend: NDArray[np.bool_],
        known: NDArray[np.bool_] | None = None,
    ) -> tuple[Ranking, Ranking]:
        """The default ranking, which calibrations are fitted to, and the one that decides.

        Args:
            candidates: What is ranked.
            may_lend: Whose tokens may count for a turn next to it, bool (rows,).
            known: As in `signals_of`.
        """
        signals = signals_of(self._view, self._query, candidates, known, time=self._time)
        usual = DEFAULT_RANKER.rank(self._query, candidates, signals)
        compared = self._late(candidates, usual, may_lend)
        if compared is not None:
            self._late_spread = self._late_spread or compared.spread
            both, own, around = compared.standing(len(candidates), self._late_spread)
            signals = replace(signals, late=both, late_own=own, late_around=around)
        elif self._judges.ranker is DEFAULT_RANKER or not len(candidates):
            return usual, usual
        elif self._judges.ranker is LEARNED_RANKER:
            return usual, LEARNED_RANKER.refine(self._query, candidates, signals, usual)
        return usual, self._judges.rank(self._query, candidates, signals)

    def _judged(self, usual: Ranking, ranking: Ranking) -> Ranking:
        """What tells how sure hits are: the default order, with the best where calibrations expect it."""
        if self._judges.ranker is not LEARNED_RANKER or not len(usual.scores):
            return usual
        return replace(ranking, scores=ranking.scores + (usual.scores.max() - ranking.scores.max()))

    def _late(self, candidates: Candidates, usual: Ranking, may_lend: NDArray[np.bool_]) -> Late | None:
        """Late interaction with the first candidates; None where there is nothing to compare."""
        query, index = self._query.tokens, self._view.index
        if self._tokens is None or query is None or not len(query.ids) or not len(candidates):
            return None
        first = usual.best(FIRST)
        lines = lines_of(index, candidates.rows[first], may_lend)
        row_ids = sorted({*lines[lines >= 0].tolist()})
        packed = self._tokens.of_rows(self._snapshot, self._view.tokens, row_ids)
        compared = late(query, first, lines, packed)
        self._late_best = float(compared.own.max())
        return compared

    def _reranked(self, candidates: Candidates, ranking: Ranking) -> Ranking:
        if self._judges.reranker is None:
            return ranking
        best = ranking.best(self._judges.first)
        memories = self._memories(candidates.ids[best].tolist())
        there = [i for i in best.tolist() if int(candidates.ids[i]) in memories]
        shown = [memories[int(candidates.ids[i])] for i in there]
        return self._judges.rerank(self._query, ranking, np.array(there, dtype=np.intp), shown)

    def _hits(self, candidates: Candidates, ranking: Ranking, judged: Ranking, *, silent: bool) -> list[Hit]:
        """Reads as few rows as it takes: making memories of rows costs more than ranking them."""
        k = self._options.k
        spare = _SPARE if self._options.explain else _FEW_SPARE
        while True:
            self._rejected.clear()
            found = self._read(candidates, ranking, judged, k + spare)
            if silent:
                self._reject(found, "threshold")
                return []
            hits = self._choose(found)
            if len(hits) >= k or len(found) < k + spare:
                return hits
            doubles = sum(left.reason == "duplicate" for left in self._rejected)
            if spare >= _SPARE + doubles:
                return hits
            spare = max(_SPARE, 2 * spare)

    def _read(self, candidates: Candidates, ranking: Ranking, judged: Ranking, count: int) -> list[Found]:
        """The best candidates with their memories, as the view sees them."""
        best = ranking.best(count)
        row_ids = candidates.ids[best].tolist()
        memories = self._memories(row_ids)
        return [
            Found(
                memory=memories[row_id],
                score=float(ranking.scores[i]),
                parts=parts,
                row=int(candidates.rows[i]),
                confidence=self._sure(float(judged.scores[i])),
            )
            for row_id, i, parts in zip(row_ids, best.tolist(), ranking.parts_of_each(best), strict=True)
            if row_id in memories
        ]

    @property
    def _seen(self) -> View:
        return self._view.view

    def _choose(self, found: list[Found]) -> list[Hit]:
        options = self._options
        found = self._over_threshold(found)
        found = self._without_doubles(found)
        if options.diversity is not None:
            found = diversified(found, options.diversity)
        budget = options.token_budget
        shown: set[str] = set()
        hits: list[Hit] = []
        chosen_ids = {f.memory.id for f in found[: options.k]}
        for item in found:
            if len(hits) >= options.k:
                self._reject([item], "rank")
                continue
            if item.memory.id in shown:  # stands beside a better hit already
                hits = [without_neighbour(hit, item.memory.id) for hit in hits]
            around = tuple(
                near
                for near in self._neighbours(item.memory)
                if near.id not in shown and near.id not in chosen_ids
            )
            if budget is not None:
                cost = item.memory.token_count
                if cost > budget:
                    self._reject([item], "budget")
                    continue
                around = within_budget(around, budget - cost)
                budget -= cost + sum(memory.token_count for memory in around)
            shown.update(memory.id for memory in (item.memory, *around))
            hits.append(
                Hit(
                    memory=item.memory,
                    score=item.score,
                    parts=item.parts,
                    confidence=item.confidence,
                    neighbours=around,
                )
            )
        return hits

    def _over_threshold(self, found: list[Found]) -> list[Found]:
        limit = self._options.min_score
        if limit is None or isinstance(limit, str):
            return found
        self._reject([item for item in found if item.score < limit], "threshold")
        return [item for item in found if item.score >= limit]

    def _without_doubles(self, found: list[Found]) -> list[Found]:
        """One of what says the same in the same words by the same speaker; the best stays."""
        kept: list[Found] = []
        said: set[tuple[str | None, str]] = set()
        for item in found:
            key = (item.memory.speaker, normalised(item.memory.text))
            if key in said:
                self._reject([item], "duplicate")
            else:
                said.add(key)
                kept.append(item)
        return kept

    def _neighbours(self, memory: Memory) -> list[Memory]:
        count = self._options.neighbours
        if not count or memory.kind is not Kind.TURN or memory.position is None:
            return []
        view, snapshot, in_chat = self._seen, self._snapshot, memory.scope.chat is not None
        before = view.turns_before(snapshot, memory.position, in_chat=in_chat)
        after = view.turns_after(snapshot, memory.position, in_chat=in_chat)
        rows = [
            *reversed(list(islice(filter(view.witnessed, before), count))),
            *islice(filter(view.witnessed, after), count),
        ]
        around = view.memories(snapshot, rows, self._view.superseders).values()
        return [near for near in around if self._may_show(near)]

    def _may_show(self, memory: Memory) -> bool:
        """Whether a neighbour is what `as_character` witnessed, by `as_of`, and not in the prompt."""
        character, as_of = self._options.as_character, self._options.as_of
        if memory.source_id in self._without:
            return False
        if character is not None and memory.known_by and character not in memory.known_by:
            return False
        if isinstance(as_of, datetime):
            return memory.created_at <= as_of
        return as_of is None or memory.position is None or memory.position <= as_of

    def _reject(self, found: Sequence[Found], reason: str) -> None:
        self._rejected += [
            Rejected(memory=item.memory, score=item.score, parts=item.parts, reason=reason) for item in found
        ]

    def _explain(self, masks: Masks) -> None:
        """Ranks what the options took out before the search."""
        left_out = without_hits(masks)
        candidates = self._view.index.search(self._query, mask=left_out, k=_REJECTED)
        usual, ranking = self._rankings(candidates, left_out)
        for item in self._read(candidates, ranking, usual, _REJECTED):
            self._reject([item], masks.reason(item.row))

    def _memories(self, row_ids: Sequence[int]) -> dict[int, Memory]:
        rows = self._seen.rows(self._snapshot, Wanted(row_ids=row_ids))
        return self._seen.memories(self._snapshot, rows, self._view.superseders)


def signals_of(
    view: ScopeView,
    query: Query,
    candidates: Candidates,
    known: NDArray[np.bool_] | None,
    *,
    time: TimeScores | None = None,
) -> Signals:
    """What a view knows of candidates, as if it had only those rows that are `known`, bool (rows,)."""
    rows, attributes = candidates.rows, view.index.attributes
    names = {name for name in view.speakers if name is not None}
    named = named_speakers(query.text, names, query.analyzer)
    is_named = np.array([name in named for name in view.speakers])
    return Signals(
        speaker_named=is_named[attributes["speaker"][rows]],
        importance=attributes["importance"][rows],
        recency=view.recency(rows, known),
        pinned=attributes["pinned"][rows],
        cold=attributes["cold"][rows],
        time=None if time is None else time.of(rows),
        positions=np.where(attributes["kind"][rows] == TURN, attributes["position"][rows], NO_TURN),
    )
