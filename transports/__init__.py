"""Transports carry bytes between a peer and its session; they never see a packet."""
