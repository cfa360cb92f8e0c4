"""``Live``: the talk as it happens, the handlers of both namespaces and a beat that tells viewers what has changed.

Several processes on one Redis share the slide, whether polls are open, and the count of viewers. Chat and votes belong to
each process: they are sent to its own viewers only.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from ... import AnywireError, ConnectionRefusedError, Server
from .deck import DECK
from .state import MAX_NAME, MAX_TEXT, ChatLog, Poll, RateLimit, clean

__all__ = ["SPEAKER", "VIEWER_COOKIE", "Live"]

log = logging.getLogger("anywire.demo")

SPEAKER: Final = "/speaker"
VIEWER_COOKIE: Final = "viewer"
#: Seconds between two looks at what has changed: counts move at most four times a second, however many vote.
BEAT: Final = 0.25
#: Beats between two looks at what the other processes have.
FOLLOW_EVERY: Final = 4

Answer = dict[str, Any]


class Live:
    """The state of one talk. ``token`` is what the speaker must show."""

    def __init__(self, sio: Server, token: str) -> None:
        self._sio = sio
        self._token = token
        #: Says whose message ids these are: they begin anew with each process.
        self._boot = secrets.token_hex(8)
        self._index = 0
        self._changed_at = 0.0
        self.chat = ChatLog()
        self._polls = {s.id: Poll(s.id, len(s.question.options)) for s in DECK if s.question is not None}
        #: Who is here: sid -> the name that their votes go under.
        self._viewers: dict[str, str] = {}
        self._speakers: set[str] = set()
        self._dirty: set[str] = set()
        self._told: dict[str, int] = {}
        self._beating: asyncio.Task[Any] | None = None
        self._chat_rate = RateLimit(1.0, 5, time.monotonic)
        self._rate = RateLimit(5.0, 20, time.monotonic)
        self._shared = sio.config.store != "memory"
        self._register()

    def _register(self) -> None:
        sio = self._sio
        sio.on("connect", self._on_connect)
        sio.on("disconnect", self._on_disconnect)
        sio.on("join", self._on_join)
        sio.on("chat", self._on_chat)
        sio.on("history", self._on_history)
        sio.on("vote", self._on_vote)
        sio.on("rtt", self._on_rtt)
        sio.on("connect", self._on_speaker, namespace=SPEAKER)
        sio.on("disconnect", self._on_speaker_left, namespace=SPEAKER)
        sio.on("go", self._on_go, namespace=SPEAKER)
        sio.on("poll", self._on_poll, namespace=SPEAKER)
        sio.on("clear", self._on_clear, namespace=SPEAKER)

    # -- viewers ----------------------------------------------------------------------------------------------------

    async def _on_connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        # Without cookies a viewer is its connection, and its votes leave with it.
        self._viewers[sid] = self._sio.signed_cookie(environ, VIEWER_COOKIE) or sid
        if self._beating is None:
            self._beating = self._sio.start_background_task(self._beat)

    async def _on_disconnect(self, sid: str, reason: str = "") -> None:
        if self._viewers.pop(sid, None) == sid:
            for poll in self._polls.values():
                if poll.votes.pop(sid, None) is not None:
                    self._dirty.add(poll.slide)
        if not self._viewers and self._beating is not None:
            self._beating.cancel()
            self._beating = None

    async def _on_join(self, sid: str, *_: Any) -> Answer:
        """All that a newcomer, or one that comes back, has to know."""
        messages, more = self.chat.page()
        viewer = self._viewers.get(sid, sid)
        return {
            "boot": self._boot,
            "slide": self._index,
            "chat": [message.as_json() for message in messages],
            "more": more,
            "polls": [poll.as_json() for poll in self._polls.values()],
            "votes": {poll.slide: poll.votes[viewer] for poll in self._polls.values() if viewer in poll.votes},
            "presence": self._told if self._shared and self._told else self.count(),
        }

    async def _on_chat(self, sid: str, data: Any = None, *_: Any) -> Answer:
        name, text, key = _texts(data, name=MAX_NAME, text=MAX_TEXT, key=40)
        if not text:
            return {"error": "write something first"}
        viewer = self._viewers.get(sid, sid)
        if not self._chat_rate.allows(viewer):
            return {"error": "not so fast, please", "wait": 1}
        message, new = self.chat.add(viewer, name or "Somebody", text, key, time.time())
        if new:
            await self._sio.emit("chat", message.as_json(), ignore_queue=True)
        return {"id": message.id}

    async def _on_history(self, sid: str, data: Any = None, *_: Any) -> Answer:
        before = data.get("before") if isinstance(data, dict) else None
        if type(before) is not int:
            return {"error": 'history needs {"before": id}'}
        if not self._rate.allows(self._viewers.get(sid, sid)):
            return {"error": "not so fast, please", "wait": 1}
        messages, more = self.chat.page(before)
        return {"messages": [message.as_json() for message in messages], "more": more}

    async def _on_vote(self, sid: str, data: Any = None, *_: Any) -> Answer:
        poll = self._poll(data)
        if poll is None:
            return {"error": "there is no such poll"}
        viewer = self._viewers.get(sid, sid)
        if not self._rate.allows(viewer):
            return {"error": "not so fast, please", "wait": 1}
        error = poll.vote(viewer, data.get("option"))
        if error:
            return {"error": error}
        self._dirty.add(poll.slide)
        return {"poll": poll.as_json(), "option": data["option"]}

    async def _on_rtt(self, sid: str, *_: Any) -> bool:
        return True

    # -- the speaker ------------------------------------------------------------------------------------------------

    async def _on_speaker(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or not hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            raise ConnectionRefusedError("That is not the speaker's token.")
        self._speakers.add(sid)

    async def _on_speaker_left(self, sid: str, reason: str = "") -> None:
        self._speakers.discard(sid)

    async def _on_go(self, sid: str, data: Any = None, *_: Any) -> Answer:
        index = data.get("index") if isinstance(data, dict) else None
        if type(index) is not int or not 0 <= index < len(DECK):
            return {"error": f"slides are numbered from 0 to {len(DECK) - 1}"}
        self._index = index
        await self._sio.emit("slide", {"index": index})
        await self._publish()
        return {"index": index}

    async def _on_poll(self, sid: str, data: Any = None, *_: Any) -> Answer:
        poll = self._poll(data)
        if poll is None or not isinstance(data.get("open"), bool):
            return {"error": "there is no such poll"}
        poll.open = data["open"]
        return await self._changed(poll)

    async def _on_clear(self, sid: str, data: Any = None, *_: Any) -> Answer:
        poll = self._poll(data)
        if poll is None:
            return {"error": "there is no such poll"}
        poll.clear()
        return await self._changed(poll)

    async def _changed(self, poll: Poll) -> Answer:
        await self._emit_poll(poll)
        await self._publish()
        return {"poll": poll.as_json()}

    def _poll(self, data: Any) -> Poll | None:
        slide = data.get("slide") if isinstance(data, dict) else None
        return self._polls.get(slide) if isinstance(slide, str) else None

    # -- what has changed -------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        for beat in range(1 << 62):
            try:
                await self._emit_changes()
                if self._shared and beat % FOLLOW_EVERY == 0:
                    await self._follow()
            except AnywireError:
                log.warning("! another process did not answer", exc_info=True)
            await self._sio.sleep(BEAT)

    async def _emit_changes(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for slide in dirty:
            await self._emit_poll(self._polls[slide])
        if not self._shared:
            await self._emit_presence(self.count())

    async def _emit_poll(self, poll: Poll) -> None:
        await self._sio.emit("poll", poll.as_json(), ignore_queue=True)

    async def _emit_presence(self, counts: dict[str, int]) -> None:
        if counts != self._told:
            self._told = counts
            await self._sio.emit("presence", counts, ignore_queue=True)

    def count(self) -> dict[str, int]:
        """Transport -> viewers of this process, counted afresh: an upgrade changes a viewer's transport without a word."""
        counts: Counter[str] = Counter()
        for sid in self._viewers:
            try:
                counts[self._sio.transport(sid)] += 1
            except AnywireError:  # it is just leaving
                continue
        return dict(counts)

    # -- several processes ------------------------------------------------------------------------------------------

    async def _publish(self) -> None:
        self._changed_at = time.time()
        await self._save()

    async def _save(self) -> None:
        """Leave the state of the talk where the other processes find it: at the speaker."""
        polls = {poll.slide: [poll.open, poll.round] for poll in self._polls.values()}
        state = {"at": self._changed_at, "index": self._index, "polls": polls}
        for sid in tuple(self._speakers):
            await self._sio.save_session(sid, state, namespace=SPEAKER)

    async def _follow(self) -> None:
        """Count the viewers of all processes and take over what a speaker on another one did."""
        await self._save()  # again, because a speaker may have come back as another session
        await self._emit_presence(dict(Counter(socket.transport for socket in await self._sio.fetch_sockets(timeout=1.0))))
        for speaker in await self._sio.fetch_sockets(namespace=SPEAKER, timeout=1.0):
            if speaker.data.get("at", 0) > self._changed_at:
                await self._take_over(speaker.data)

    async def _take_over(self, state: Mapping[str, Any]) -> None:
        self._changed_at = state["at"]
        self._index = state["index"]
        await self._sio.emit("slide", {"index": self._index}, ignore_queue=True)
        for slide, (is_open, round_) in state["polls"].items():
            poll = self._polls[slide]
            if round_ != poll.round:
                poll.clear()
                poll.round = round_
            poll.open = is_open
            await self._emit_poll(poll)


def _texts(data: Any, **limits: int) -> list[str]:
    """The named texts of ``data``, cleaned and cut to their limits; empty for what is missing."""
    found = data if isinstance(data, dict) else {}
    return [clean(found.get(name), limit) for name, limit in limits.items()]
