"""Hidden Markov chains with minimum durations: the likeliest path, and what each step is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from ecglens.decisions.words import FloatArray

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Chain:
    """Kinds of a step, each a row of sub-states that must be walked to its end.

    A kind is entered at its first sub-state, passes one by one to its last, and is left, or stays,
    there alone: so it lasts at least as many steps as it has sub-states (the expanded states of
    Rabiner 1989, doi 10.1109/5.18626, section IV.D). A sequence starts in a first sub-state and
    ends in a last one.

    Attributes:
        owner: kind of each sub-state, shape (n_states,).
        first: first sub-state of each kind, shape (n_kinds,).
        last: last sub-state of each kind, shape (n_kinds,).
        step: weight of passing from a sub-state (row) to another, shape (n_states, n_states).
    """

    owner: IntArray
    first: IntArray
    last: IntArray
    step: FloatArray

    @classmethod
    def make(cls, least: npt.ArrayLike, stay: npt.ArrayLike, change: npt.ArrayLike) -> Self:
        """Return the chain.

        Args:
            least: steps that each kind lasts at least, shape (n_kinds,), from 1.
            stay: weight of another step in the kind once they are done, shape (n_kinds,).
            change: weight of passing from a kind (row) to another, shape (n_kinds, n_kinds); its
                diagonal is not looked at.
        """
        steps = np.asarray(least, dtype=np.intp)
        n_kinds, last = len(steps), np.cumsum(steps) - 1
        first = last - steps + 1
        table = np.zeros((int(steps.sum()),) * 2)
        inner = np.setdiff1d(np.arange(len(table)), last)
        table[inner, inner + 1] = 1.0
        passing = np.array(change, dtype=np.float64)
        passing[np.diag_indices(n_kinds)] = 0.0
        table[np.ix_(last, first)] = passing
        table[last, last] += np.asarray(stay, dtype=np.float64)
        return cls(np.repeat(np.arange(n_kinds), steps), first, last, table)

    def likeliest(self, log_evidence: FloatArray) -> IntArray:
        """Return the kind of each step on the likeliest path (Viterbi), shape (n_steps,).

        Args:
            log_evidence: shape (n_steps, n_kinds), one step or more. It must be long enough for
                one kind to last its least number of steps.
        """
        with np.errstate(divide="ignore"):
            log_step = np.log(self.step).T.copy()
        rows = np.arange(len(self.owner))
        score = np.full(len(rows), -np.inf)
        score[self.first] = log_evidence[0]
        came = np.empty((len(log_evidence), len(rows)), dtype=np.int16)
        for t in range(1, len(came)):
            # Rows are where a step leads, so that the maximum runs along memory.
            reached = log_step + score
            best = reached.argmax(axis=1)
            came[t] = best
            score = reached[rows, best] + log_evidence[t, self.owner]
        state = int(self.last[score[self.last].argmax()])
        path = np.empty(len(came), dtype=np.intp)
        for t in range(len(came) - 1, -1, -1):
            path[t] = state
            state = int(came[t, state]) if t else state
        return self.owner[path]

    def posteriors(self, log_evidence: FloatArray) -> FloatArray:
        """Return the probability of each kind at each step given all steps (forward-backward).

        Args:
            log_evidence: see :meth:`likeliest`.

        Returns:
            Shape (n_steps, n_kinds); rows sum to 1.
        """
        top = log_evidence.max(axis=1, keepdims=True)
        evidence = np.exp(log_evidence - top)
        ahead = np.empty((len(evidence), len(self.owner)))
        row = np.zeros(len(self.owner))
        row[self.first] = evidence[0]
        ahead[0] = row = row / row.sum()
        for t in range(1, len(evidence)):
            row = (row @ self.step) * evidence[t, self.owner]
            ahead[t] = row = row / row.sum()
        back = np.zeros(len(self.owner))
        back[self.last] = 1.0
        for t in range(len(evidence) - 1, -1, -1):
            ahead[t] *= back
            back = self.step @ (back * evidence[t, self.owner])
            back /= back.sum()
        kinds = np.zeros((len(evidence), len(self.first)))
        np.add.at(kinds.T, self.owner, ahead.T)
        return np.asarray(kinds / kinds.sum(axis=1, keepdims=True))
