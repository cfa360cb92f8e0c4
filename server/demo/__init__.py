"""The talk, alive again: a slide deck that a speaker drives and every viewer follows, with chat, poll and the bytes on the wire.

It is an application like any user's: it takes nothing from anywire but the public API.
"""
