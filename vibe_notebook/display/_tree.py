"""Arrange the parts of a live view: add, delete and move them with the reducer's part builders.

Between ``_view.py`` and ``_parts.py``. The caller holds the registry's lock, so this module reads part builders and
renders nothing. ``add`` appends new parts at the end without comparing the others; ``arrange`` compares all parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._reducer.agent_log import AgentLog, cited_texts
from .._reducer.latest_builders import ArtifactBuilder, CustomBuilder, PlanBuilder
from .._reducer.part_builders import TextBuilder, ToolBuilder
from .._reducer.requests import RequestBuilder
from .._reducer.run import PartBuilder, RunLog
from ..parts import _key as part_key
from ..parts import _steers as steers
from ._blobs import Blobs
from ._bundle import other_agent
from ._cards import RunInput, SentCard, SourceList
from ._parts import SentArtifact, SentPart, SentRun, SentTool
from ._text_diffs import Op
from ._texts import SentText, SentThinking

__all__ = ["Logs", "Tree"]

Logs = Sequence[tuple[AgentLog, int]]
"""Log of each agent, and the arrival number from which on the view shows it."""
_Wanted = dict[str, list[tuple[str, Any]]]
"""Children of each parent: their keys, each with its part builder or run (``None``: an agent)."""


@dataclass(slots=True)
class _RunState:
    """Hold the state of a run at the last ``arrange`` or ``add``.

    ``place`` is the parent key for a new part at the run's end; ``None`` if only ``arrange`` can place it.
    """

    version: int
    shifts: int
    ended: bool
    end: int
    place: str | None
    prefix: str


class Tree:
    """Hold the parts as the browser has them. ``parts`` maps each part builder to its part.

    A part's key is the transcript's. On the wire the key is a number that never changes.
    """

    def __init__(self) -> None:
        self.parts: dict[PartBuilder, SentPart] = {}
        self._keys = [""]
        self._numbers = {"": 0}
        self._shown: dict[str, SentPart] = {}
        self._places: dict[str, list[str]] = {"": []}
        self._run_states: dict[RunLog, _RunState] = {}
        self._claims: set[str | None] = set()
        self._counts: list[int] = []
        self.cards: list[SentPart] = []
        """Parts with news that the last ``arrange`` has read itself: cards without a part builder, cited texts."""
        self.blobs = Blobs()
        self.forms: dict[str, dict[str, Any]] = {}
        """By open request, the form that offers an answer."""
        self._cited: dict[TextBuilder, SourceList] = {}

    def key_of(self, number: int) -> str | None:
        """Return the key of the part that has *number* on the wire."""
        return self._keys[number] if 0 < number < len(self._keys) else None

    def has(self, shown: SentPart) -> bool:
        """Return whether the part is still there."""
        return self._shown.get(self._keys[shown.key]) is shown

    def builder_of(self, number: int) -> PartBuilder | None:
        """Return the part builder of the part that has *number* on the wire."""
        return next((builder for builder, shown in self.parts.items() if shown.key == number), None)

    def newest_plan(self) -> PlanBuilder | None:
        """Return the plan that changed last: a top-level one, if there is any."""
        plans = [builder for builder in self.parts if isinstance(builder, PlanBuilder)]
        tops = [builder for builder in plans if builder.run.parent == (None, None)]
        return max(tops or plans, key=PlanBuilder.changed_at, default=None)

    def add(self, touched: Iterable[PartBuilder], logs: Logs) -> list[Op] | None:
        """Return the ops for the part builders *touched*, if the only changes are new parts at the end.

        ``None``: other changes are possible, so the caller must call ``arrange``. The cost depends on the number of
        runs, and not on the length of their transcripts.
        """
        if [len(found.runs) for found, _ in logs] != self._counts:
            return None
        if any(run.shifts != state.shifts for run, state in self._run_states.items()):
            return None
        new: dict[RunLog, list[tuple[int, PartBuilder]]] = {}
        for builder in touched:
            state = self._run_states.get(builder.run)
            if state is None or _is_blank(builder) or _wrote_plan(builder):
                return None
            if self._is_related(builder, logs):
                return None
            if builder not in self.parts:
                if state.place is None:
                    return None
                new.setdefault(builder.run, []).append((builder.first(), builder))
            elif builder.run not in new:
                new[builder.run] = []
        for run, builders in new.items():
            state = self._run_states[run]
            builders.sort(key=lambda item: item[0])
            if run.version - state.version != len(builders) or (builders and builders[0][0] <= state.end):
                return None
        return [
            op
            for run, builders in new.items()
            for _, builder in builders
            for op in self._append(run, builder)
        ]

    def arrange(self, logs: Logs) -> tuple[list[Op], list[PartBuilder]]:
        """Compare the wanted parts with the sent parts; return the ops, and the part builders to read again.

        Events that arrive out of order also move text within parts that got no new text.
        """
        earlier = self._run_states
        self._counts = [len(found.runs) for found, _ in logs]
        self._run_states, self.cards, self._cited = {}, [], {}
        self._claims = {run.parent[1] for found, _ in logs for run in found.runs.values()}
        wanted: _Wanted = {"": []}
        last: dict[str, RunLog] = {}
        for i, (found, since) in enumerate(logs):
            found.link()
            runs = found.ordered(since=since)
            nested, roots, unclaimed = found.children(runs)
            top, prefix = "", ""
            if i:
                top, prefix = f"agent/{found.agent_id}", other_agent(i)
                wanted[""].append((top, None))
                wanted[top] = []
            for run in runs:
                if run in roots:
                    self._collect(wanted, last, top, run, nested, prefix)
            for run in unclaimed:
                key = f"run/{found.agent_id}/{run.run_id}"
                wanted[top].append((key, run))
                wanted[key] = []
                self._collect(wanted, last, key, run, nested, prefix)
        for parent, run in last.items():
            items = wanted.get(parent, [])
            if not items or isinstance(items[-1][1], PartBuilder):
                self._run_states[run].place = parent
        ops = self._diff(wanted)
        for text, sources in self._cited.items():
            cited = self.parts.get(text)
            if isinstance(cited, SentText) and cited.cite(text, sources):
                self.cards.append(cited)
        return ops, [
            builder for builder, shown in self.parts.items() if self._is_stale(builder, shown, earlier)
        ]

    def finish(self) -> None:
        """Close every text at the stream's end, as in the whole document."""
        for shown in self._shown.values():
            if isinstance(shown, SentText):
                shown.finish()

    def record_full(self) -> None:
        """Record that the browser has the whole snapshot, and needs no earlier ops."""
        for shown in self._shown.values():
            shown.record_full()

    def snapshot(self, is_open: Mapping[str, bool]) -> list[dict[str, Any]]:
        """Return all parts, whole, with the user's choices *is_open* by part key."""
        parts = {key: shown.snapshot() for key, shown in self._shown.items()}
        for parent, keys in self._places.items():
            if parent and parent in parts:
                parts[parent]["parts"] = [parts[key] for key in keys]
        for key, chosen in is_open.items():
            if key in parts:
                parts[key]["props"]["open"] = chosen
        return [parts[key] for key in self._places[""]]

    def _collect(
        self,
        wanted: _Wanted,
        last: dict[str, RunLog],
        parent: str,
        run: RunLog,
        nested: dict[ToolBuilder, list[RunLog]],
        prefix: str,
    ) -> None:
        stack = [(parent, run)]
        while stack:
            parent, run = stack.pop()
            builders = run.ordered()
            last[parent] = run
            end = builders[-1].first() if builders else -1
            self._run_states[run] = _RunState(run.version, run.shifts, run.ended, end, None, prefix)
            if _shows_input(run) and not any(map(_is_said, builders)):
                head = prefix + part_key("text", run.run_id, "vibe-input", "0")
                wanted.setdefault(parent, []).append((head, RunInput(run)))
            texts = {message_id: tuple(found) for message_id, found in cited_texts(run).items()}
            lasts: dict[PartBuilder, SourceList] = {
                found[-1]: SourceList(run, message_id, found) for message_id, found in texts.items() if found
            }
            self._cited |= {text: sources for sources in lasts.values() for text in sources.texts}
            for builder in builders:
                if _is_blank(builder) or (_wrote_plan(builder) and builder not in nested):
                    continue
                key = prefix + _key(run, builder)
                wanted.setdefault(parent, []).append((key, builder))
                if builder in lasts:
                    wanted[parent].append((f"{key}/sources", lasts[builder]))
                if isinstance(builder, ToolBuilder) and builder in nested:
                    wanted[key] = []
                    stack += [(key, child) for child in reversed(nested[builder])]
            for message_id in [message_id for message_id, found in texts.items() if not found]:
                key = prefix + part_key("sources", run.run_id, message_id)
                wanted.setdefault(parent, []).append((key, SourceList(run, message_id, ())))

    def _is_stale(self, builder: PartBuilder, shown: SentPart, earlier: Mapping[RunLog, _RunState]) -> bool:
        """Return whether the part must be read again. The end of a run changes its unfinished calls, without events."""
        before, now = earlier.get(builder.run), self._run_states[builder.run]
        if shown.version != builder.version or before is None:
            return True
        if builder.run.answers and (
            isinstance(builder, RequestBuilder)
            or (isinstance(builder, ToolBuilder) and builder.run.requests_of(builder.tool_call_id))
        ):
            return True  # an answer of a later run: the order of the two runs' events may have changed
        if isinstance(builder, ToolBuilder) and builder.followers:
            return True
        return (before.shifts, before.ended) != (now.shifts, now.ended)

    def _is_related(self, builder: PartBuilder, logs: Logs) -> bool:
        """Return whether a part may concern others: a call other runs, its requests or its plan, a text its sources."""
        if isinstance(builder, TextBuilder):
            if _shows_input(builder.run) and _is_said(builder):
                return True
            return builder.run.citations.version(builder.message_id) > 0
        if isinstance(builder, PlanBuilder):
            return bool(builder.run.plan_calls)
        if not isinstance(builder, ToolBuilder):
            return False
        if builder.run.requests_of(builder.tool_call_id):
            return True
        if builder not in self.parts and builder.tool_call_id in self._claims:
            return True
        return any(found.is_called_elsewhere(builder) for found, _ in logs)

    def _append(self, run: RunLog, builder: PartBuilder) -> list[Op]:
        state = self._run_states[run]
        state.version, state.end = run.version, builder.first()
        parent = state.place or ""
        siblings = self._places.setdefault(parent, [])
        ops: list[Op] = []
        before = self._shown[siblings[-1]] if siblings else None
        if isinstance(before, SentThinking):
            before.set_done(is_done=True)
            ops += before.ops()
        key = state.prefix + _key(run, builder)
        ops.append(self._put(key, builder, parent, len(siblings)))
        shown = self.parts[builder] = self._shown[key]
        if isinstance(shown, SentThinking):
            shown.set_done(is_done=run.ended)
            ops += shown.ops()
        return ops

    def _put(self, key: str, item: Any, parent: str, index: int) -> Op:
        number = self._numbers.setdefault(key, len(self._keys))
        if number == len(self._keys):
            self._keys.append(key)
        shown = self._shown[key] = _shown(number, key, item, self.blobs)
        shown.parent, shown.forms = parent, self.forms
        self._places[parent].insert(index, key)
        return ["add", number, shown.kind, self._numbers[parent], index, dict(shown.props)]

    def _diff(self, wanted: _Wanted) -> list[Op]:
        ops: list[Op] = []
        wanted_items = {key: item for items in wanted.values() for key, item in items}
        for key in [key for key, one in self._shown.items() if not _still_fits(one, key, wanted_items)]:
            gone = self._shown.pop(key)
            siblings = self._places.get(gone.parent)
            if siblings is not None and key in siblings:
                siblings.remove(key)
            self.blobs.remove_part(gone.key)
            ops.append(["del", gone.key])
        self.parts = {}
        order = [""]
        for parent in order:
            have = self._places.setdefault(parent, [])
            items = wanted.get(parent, [])
            for index, (key, item) in enumerate(items):
                shown = self._shown.get(key)
                if shown is None:
                    ops.append(self._put(key, item, parent, index))
                    shown = self._shown[key]
                elif shown.parent != parent or index >= len(have) or have[index] != key:
                    self._places[shown.parent].remove(key)
                    shown.parent = parent
                    have.insert(index, key)
                    ops.append(["move", shown.key, self._numbers[parent], index])
                if isinstance(item, PartBuilder):
                    self.parts[item] = shown
                elif isinstance(item, RunLog):
                    shown.read(item)
                    ops += shown.ops()
                elif isinstance(item, RunInput | SourceList):
                    shown.read(item)
                    self.cards.append(shown)
                if isinstance(shown, SentThinking):
                    shown.set_done(
                        is_done=index < len(items) - 1 or (isinstance(item, PartBuilder) and item.run.ended)
                    )
                    ops += shown.ops()
                if key in wanted:
                    order.append(key)
        self._places = {
            parent: keys for parent, keys in self._places.items() if parent == "" or parent in self._shown
        }
        return ops


def _still_fits(shown: SentPart, key: str, wanted: Mapping[str, Any]) -> bool:
    """Return whether a part is still wanted, and as this kind: a text becomes the user's when its role comes late."""
    if key not in wanted:
        return False
    return not isinstance(shown, SentText | SentCard) or isinstance(shown, SentCard) == _is_card(wanted[key])


def _shows_input(run: RunLog) -> bool:
    """Return whether the run's input heads it, unless a message of the run is the user's."""
    return run.parent == (None, None) and run.input not in (None, "")


def _is_said(builder: PartBuilder) -> bool:
    is_user = builder.run.role_of(builder.message_id) == "user" and not steers(builder.message_id)
    return is_user and not _is_blank(builder)


def _is_card(item: Any) -> bool:
    if isinstance(item, TextBuilder):
        return item.kind == "text" and item.run.role_of(item.message_id) in ("user", "system")
    return isinstance(item, PlanBuilder | RequestBuilder | CustomBuilder | RunInput | SourceList)


def _is_blank(builder: PartBuilder) -> bool:
    if isinstance(builder, TextBuilder):
        return builder.is_blank
    if isinstance(builder, RequestBuilder):
        return builder.is_empty or builder.run.call(builder.call_id) is not None
    return isinstance(builder, ToolBuilder) and builder.target is not None


def _wrote_plan(builder: PartBuilder) -> bool:
    """Return whether a call only wrote a plan: the plan is shown in its place."""
    return (
        isinstance(builder, ToolBuilder)
        and builder.tool_call_id in builder.run.plan_calls
        and builder.state() == "ok"
    )


def _key(run: RunLog, builder: PartBuilder) -> str:
    """Return the part's key, as ``Part.key`` does, without making the part."""
    if isinstance(builder, TextBuilder):
        return part_key(builder.kind, run.run_id, builder.message_id, builder.name)
    return part_key(builder.kind, run.run_id, builder.name)


def _shown(number: int, key: str, item: Any, blobs: Blobs) -> SentPart:
    if isinstance(item, ToolBuilder):
        return SentTool(number, blobs)
    if isinstance(item, ArtifactBuilder):
        return SentArtifact(number, blobs)
    if _is_card(item):
        return SentCard(number)
    if isinstance(item, TextBuilder):
        return SentThinking(number) if item.kind == "thinking" else SentText(number)
    if item is not None and not isinstance(item, RunLog):
        # A new kind of part: drawn as anything else it would be wrong in silence.
        msg = f"The live view has no form for a {type(item).__name__}: add one in display/_parts.py."
        raise TypeError(msg)
    shown = SentRun(number)
    if item is None:
        shown.props = {"name": key.partition("/")[2], "state": "running"}
    return shown
