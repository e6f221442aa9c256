"""What every room stands on: time, ids, errors, secrets, queues, logs, metrics, the URL guard."""

from __future__ import annotations
