"""Packets of sound to durable segments of speech: timeline, resampling, VAD, segmenting, spool."""

from __future__ import annotations
