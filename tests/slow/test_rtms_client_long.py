"""The long form of tests/protocol/test_rtms_client.py: more and longer stories."""

from __future__ import annotations

from hypothesis import settings

from tests.protocol.test_rtms_client import Client

TestLong = Client.TestCase
TestLong.settings = settings(max_examples=1_500, stateful_step_count=40, deadline=None)
