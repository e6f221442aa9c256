"""Every metric of the process, in one place. Zoom's own names where they exist.

No meeting, user or stream label: cardinality and privacy. Base units: seconds and bytes.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ACTIVE_MEETINGS = Gauge("rtms_active_meetings", "Meetings being received now")
MESSAGES = Counter("rtms_messages_total", "Messages received from Zoom", ["socket", "type"])
MEDIA_BYTES = Counter("rtms_media_bytes_total", "Decoded media bytes received", ["media"])
CONNECTION_ERRORS = Counter("rtms_connection_errors", "Failed or lost connections", ["reason"])
PROTOCOL_ERRORS = Counter(
    "rtms_protocol_errors_total", "Messages that could not be used", ["socket", "reason"]
)
RECONNECTS = Counter("rtms_reconnects_total", "Reconnections that succeeded", ["socket"])
WEBHOOKS = Counter("rtms_webhooks_total", "Webhook requests by outcome", ["outcome"])
WEBHOOK_LATENCY = Histogram(
    "rtms_webhook_latency_seconds",
    "Time to answer a webhook",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 3.0),
)
CONCURRENCY = Counter(
    "rtms_concurrency_total",
    "Webhooks about the account's limit of streams (limited: one more was refused; near_limit)",
    ["kind"],
)
CONCURRENT_STREAMS = Gauge(
    "rtms_concurrent_streams", "Streams of the account, as its last such webhook said"
)
RESTARTS = Counter(
    "rtms_restarts_total",
    "Requests to start RTMS again, by outcome (asked, or the error)",
    ["outcome"],
)
HTTP_REFUSED = Counter(
    "http_refused_total",
    "Connections cut off (full, no_request, stalled) and requests that are not HTTP (bad_http)",
    ["listener", "reason"],
)
QUEUE_DEPTH = Gauge("rtms_pipeline_queue_depth", "Items waiting, by queue", ["queue"])
QUEUE_REFUSED = Counter(
    "rtms_pipeline_queue_refused_total", "Items a full queue did not take", ["queue"]
)
GAP_SECONDS = Counter("transcript_gap_seconds_total", "Seconds known to be missing", ["cause"])
UTTERANCES = Counter("transcript_utterances_total", "Final utterances stored", ["source"])
AUDIO_FAULTS = Counter(
    "audio_faults_total", "Audio packets that could not be used as they came", ["reason"]
)
RECORDING_REFUSED = Counter(
    "recording_refused_total", "Pieces of audio that could not be recorded", ["reason"]
)
IMAGES = Counter("images_total", "Video and share images by what became of them", ["outcome"])
STT_LAG = Histogram(
    "stt_lag_seconds",
    "From end of segment to its final text",
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64),
)
STT_SECONDS = Counter("stt_audio_seconds_total", "Audio given to a speech-to-text engine")
STT_FAILURES = Counter("stt_failures_total", "Segments an engine failed on", ["kind"])
PARTIALS_FAILED = Counter(
    "stt_partials_failed_total", "Streams of tentative words that broke off", ["kind"]
)
STT_CPU_SECONDS = Counter("stt_cpu_seconds_total", "CPU time of decodes in processes of their own")
STT_RETRIES = Counter("stt_retries_total", "Requests to a speech-to-text server repeated", ["kind"])
STT_SUSPECT = Counter("stt_suspect_total", "Texts an engine may have made up", ["reason"])
STT_DECODE = Histogram(
    "stt_decode_seconds",
    "Time of one decode, by what it was for (final, partial)",
    ["use"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64),
)
STT_PARTIALS = Counter(
    "stt_partials_total",
    "Looks at open segments by what became of them (shown, shed, stale, suspect, failed)",
    ["outcome"],
)
STT_BEHIND = Gauge(
    "stt_behind_seconds", "Age of the oldest segment without final words, over all meetings"
)
STT_MERGED = Counter(
    "stt_merged_total", "Segments decoded with the one before them because words were late"
)
STT_FALLBACK = Counter(
    "stt_fallback_total",
    "Segments the second engine took, by why (an error's kind, unhealthy)",
    ["why"],
)
COMMIT_SECONDS = Histogram(
    "store_commit_seconds",
    "Time of one group commit",
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0),
)
EVENTS = Counter("store_events_total", "Events committed", ["kind"])
LLM_CALLS = Counter("llm_calls_total", "Language model calls", ["prompt", "outcome"])
LLM_TOKENS = Counter("llm_tokens_total", "Tokens used", ["kind"])
LLM_SECONDS = Histogram(
    "llm_call_seconds", "Time of one call", buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 40, 80)
)
ITEM_LATENCY = Histogram(
    "notes_item_latency_seconds",
    "From the end of the cited words to the item being committed (meeting time)",
    buckets=(0.5, 1, 2, 4, 8, 15, 30, 60, 120),
)
UNVERIFIED = Counter("summary_items_unverified_total", "Items that failed a check", ["reason"])
PAGE_READERS = Gauge("page_readers", "Open live-page streams")
