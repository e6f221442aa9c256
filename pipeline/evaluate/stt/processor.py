"""Processor time of this process and of the decodes it lets others do."""

from __future__ import annotations

import time

from pipeline.base import metrics


def processor_s() -> float:
    """Seconds so far; engines in processes of their own are counted as their decodes end."""
    decodes = sum(
        sample.value
        for metric in metrics.STT_CPU_SECONDS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    )
    return time.process_time() + decodes
