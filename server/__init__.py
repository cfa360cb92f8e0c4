"""Packets, sessions, rooms and processes; nothing here ever sees a socket."""
