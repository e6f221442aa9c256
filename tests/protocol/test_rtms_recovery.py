"""What is opened, closed and given up, and when: the table of reference section 15."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from pipeline.model.events import Product
from pipeline.rtms.effects import Send
from pipeline.rtms.enums import MediaType
from pipeline.rtms.layout import Layout
from pipeline.rtms.messages import EventSubscription, ReadyAck, StreamCloseRequest
from pipeline.rtms.orders import Close, Open, Order
from pipeline.rtms.outputs import (
    ConnectionBack,
    ConnectionLost,
    ProtocolFault,
    StreamLive,
    StreamOver,
)
from pipeline.rtms.recovery import Recovery
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.timing import Timing
from pipeline.rtms.verdict import Verdict, explained, verdict

WANTED = MediaType.AUDIO | MediaType.TRANSCRIPT
URLS = {"audio": "ws://a", "transcript": "ws://t", "all": "ws://m"}


class Story:
    """A recovery and the clock it is told."""

    def __init__(
        self,
        layout: Layout = "all",
        *,
        media: MediaType = WANTED,
        product: Product = "meeting",
        speed: float = 1.0,
    ) -> None:
        self.now = 1000.0
        self.recovery = Recovery(
            product=product,
            stream="S1",
            urls=["ws://s"],
            media=media,
            layout=layout,
            timing=Timing.of(RtmsSettings(), speed),
            rng=random.Random(1),
        )

    @property
    def over(self) -> StreamOver | None:
        return self.recovery.over

    def start(self) -> list[Order]:
        return self.recovery.start(self.now)

    def live(self) -> Story:
        """Through all handshakes."""
        self.start()
        self.answer()
        return self

    def answer(self) -> list[Order]:
        """Good answers to whatever is being opened, signaling first."""
        orders = self.recovery.signaling_ready(URLS, self.now)
        for order in list(orders):
            if isinstance(order, Open):
                orders += self.recovery.media_ready(order.socket, self.now)
        return orders

    def after(self, seconds: float) -> list[Order]:
        """Let time pass, with all timers."""
        orders: list[Order] = []
        end = self.now + seconds
        while (at := self.recovery.wake_at) is not None and at <= end:
            self.now = max(self.now, at)
            orders += self.recovery.tick(self.now)
        self.now = end
        return orders

    def opens_after(self, fail: Callable[[], list[Order]], tries: int) -> list[float]:
        """Delays between tries while each one fails."""
        delays = []
        for _ in range(tries):
            before = self.now
            fail()
            at = self.recovery.wake_at
            assert at is not None
            self.now = at
            orders = self.recovery.tick(self.now)
            if not opened(orders):
                break
            delays.append(round(self.now - before, 6))
        return delays


def opened(orders: list[Order]) -> list[str]:
    return [order.socket for order in orders if isinstance(order, Open)]


def shut(orders: list[Order]) -> list[str]:
    return [order.socket for order in orders if isinstance(order, Close)]


def acks(orders: list[Order]) -> int:
    return sum(isinstance(o, Send) and isinstance(o.message, ReadyAck) for o in orders)


def subscribed(orders: list[Order]) -> list[int]:
    return [
        choice.event_type
        for order in orders
        if isinstance(order, Send) and isinstance(order.message, EventSubscription)
        for choice in order.message.events
    ]


def told(orders: list[Order]) -> list[object]:
    return [o for o in orders if not isinstance(o, Open | Close | Send)]


# -- getting live ---------------------------------------------------------------------------


def test_signaling_then_media_then_ack_then_events() -> None:
    story = Story()
    assert story.start() == [Open("signaling", ("ws://s",), MediaType.NONE)]
    assert story.recovery.signaling_ready(URLS, 1000) == [Open("all", ("ws://m",), WANTED)]
    orders = story.recovery.media_ready("all", 1000)
    assert isinstance(orders[0], Send)
    assert orders[0].message == ReadyAck(rtms_stream_id="S1")
    assert subscribed(orders) == [2, 3, 4]
    assert told(orders) == [StreamLive(first=True)]


def test_split_acks_once_when_every_media_socket_is_ready() -> None:
    story = Story("split")
    story.start()
    assert opened(story.recovery.signaling_ready(URLS, 1000)) == ["audio", "transcript"]
    assert story.recovery.media_ready("transcript", 1000) == []
    orders = story.recovery.media_ready("audio", 1000)
    assert (acks(orders), subscribed(orders)) == (1, [2, 3, 4])


def test_granted_media_decides_what_is_subscribed() -> None:
    story = Story(media=MediaType.ALL)
    story.start()
    assert sorted(subscribed(story.answer())) == [2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14]
    voice = Story(product="contact_center", media=MediaType.AUDIO)
    voice.start()
    assert subscribed(voice.answer()) == list(range(8, 35))


def test_one_socket_that_cannot_connect_does_not_keep_the_others_waiting() -> None:
    story = Story("split")
    story.start()
    story.recovery.signaling_ready(URLS, story.now)
    assert story.recovery.failed("transcript", "refused", story.now) == []
    orders = story.recovery.media_ready("audio", story.now)
    assert acks(orders) == 1
    assert told(orders) == [
        StreamLive(True),
        ConnectionLost("transcript", "media_lost", "transcript: refused"),
    ]
    assert opened(story.after(3)) == ["transcript"]
    orders = story.recovery.media_ready("transcript", story.now)
    assert (acks(orders), told(orders)) == (1, [ConnectionBack("transcript")])


# -- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [2, 3, 4, *range(14, 44)])
def test_fatal_statuses_end_with_the_reason_named(status: int) -> None:
    story = Story()
    story.start()
    story.recovery.refused("signaling", status, "because", story.now)
    assert story.over is not None
    assert not story.over.retryable
    assert str(status) in story.over.detail
    assert "because" in story.over.detail


def test_wrong_credentials_and_unknown_stream_say_what_to_do() -> None:
    assert "ZOOM_CLIENT_SECRET" in explained("signaling", 3, "")
    assert "stream is over" in explained("signaling", 2, "")


def test_a_duplicate_is_tried_again_after_1_5_3_and_6_seconds_then_as_usual() -> None:
    story = Story()
    story.start()
    delays = story.opens_after(
        lambda: story.recovery.refused("signaling", 8, "busy", story.now), 20
    )
    assert delays == [1.5, 3, 6, 3, 6, 12, 24]
    assert story.over is not None
    assert story.over.retryable
    assert "another connection holds the stream" in story.over.detail


def test_delays_and_windows_are_divided_by_the_speed() -> None:
    story = Story(speed=10)
    story.start()
    delays = story.opens_after(
        lambda: story.recovery.refused("signaling", 8, "busy", story.now), 20
    )
    assert delays == [0.15, 0.3, 0.6, 0.3, 0.6, 1.2, 2.4]


def test_the_verdict_is_one_pure_function() -> None:
    every = range(60)
    first = {s: verdict(s, "media_first") for s in every}
    again = {s: verdict(s, "media_again") for s in every}
    signaling = {s: verdict(s, "signaling_first") for s in every}
    assert {s for s in every if first[s] is Verdict.WITHOUT} == {9, 10, 11, 12, 13, 47}
    assert {s for s in every if first[s] is Verdict.RETRY_SOON} == {8}
    assert {s for s in every if again[s] is Verdict.RETRY_SOON} == {8, 15, 16}
    assert {s for s in every if signaling[s] is Verdict.FATAL} == {2, 3, 4, *range(9, 44), 46}
    assert verdict(45, "signaling_first") is Verdict.RETRY
    assert verdict(4711, "media_again") is Verdict.RETRY


def test_an_old_meaning_is_only_named_beside_the_current_one() -> None:
    """The numbers of 2025 (reference section 13): told to people, never acted on."""
    for status, old, current in (
        (1, "CONNECTION_TIMEOUT", "INVALID_MESSAGE_TYPE"),
        (13, "SESSION_NOT_FOUND", "MEDIA_TYPE_CHAT_NOT_SUPPORT"),
        (15, "INVALID_SIGNATURE", "MEDIA_DATA_ALL_CONNECTION_EXIST"),
        (17, "DUPLICATE_SIGNAL_REQUEST", "INVALID_MEDIA_PARAMS"),
        (31, "DUPLICATE_MEDIA_DATA_CONNECTION", "INVALID_MEDIA_DESKSHARE_PARAMS"),
    ):
        line = explained("signaling", status, "")
        assert line.index(current) < line.index(f"in 2025 this number was {old}")
    assert "2025" not in explained("signaling", 3, "")
    assert verdict(15, "signaling_first") is Verdict.FATAL, "not a wrong signature: no other rule"
    assert verdict(17, "media_first") is Verdict.FATAL, "not a duplicate: not tried again soon"


def test_a_fatal_refusal_of_one_type_leaves_the_others() -> None:
    story = Story("split")
    story.start()
    story.recovery.signaling_ready(URLS, story.now)
    [fault] = told(story.recovery.refused("transcript", 36, "bad language", story.now))
    assert isinstance(fault, ProtocolFault)
    assert "bad language" in fault.detail
    assert acks(story.recovery.media_ready("audio", story.now)) == 1
    assert story.over is None


@pytest.mark.parametrize("status", [2, 3])
def test_a_refused_stream_is_over_even_if_one_socket_is_up(status: int) -> None:
    story = Story("split")
    story.start()
    story.recovery.signaling_ready(URLS, story.now)
    story.recovery.media_ready("audio", story.now)
    story.recovery.refused("transcript", status, "", story.now)
    assert story.over is not None


def test_chat_without_a_key_is_gone_without() -> None:
    story = Story(media=WANTED | MediaType.CHAT)
    story.start()
    story.recovery.signaling_ready(URLS, story.now)
    orders = story.recovery.refused("all", 47, "", story.now)
    assert orders[-1] == Open("all", ("ws://m",), WANTED)


def test_a_missing_scope_costs_that_media_only() -> None:
    story = Story("split")
    story.start()
    story.recovery.signaling_ready(URLS, story.now)
    orders = story.recovery.refused("transcript", 12, "scope", story.now)
    (fault,) = told(orders)
    assert isinstance(fault, ProtocolFault)
    assert "without transcript" in fault.detail
    assert acks(story.recovery.media_ready("audio", story.now)) == 1
    story.recovery.closed("signaling", "reset", story.now)
    story.after(3)
    assert opened(story.recovery.signaling_ready(URLS, story.now)) == ["audio"]


def test_in_one_socket_a_missing_scope_means_asking_for_less() -> None:
    story = Story(media=WANTED | MediaType.CHAT)
    story.start()
    story.recovery.signaling_ready(URLS, story.now)
    orders = story.recovery.refused("all", 13, "no chat", story.now)
    assert orders[-1] == Open("all", ("ws://m",), WANTED)
    orders = story.recovery.refused("all", 12, "no transcript", story.now)
    assert orders[-1] == Open("all", ("ws://m",), MediaType.AUDIO)
    story.recovery.refused("all", 9, "nothing at all", story.now)
    assert story.over is not None
    assert not story.over.retryable


def test_media_without_a_url_is_left_out_and_told() -> None:
    story = Story("split")
    story.start()
    orders = story.recovery.signaling_ready({"audio": "ws://a"}, story.now)
    assert opened(orders) == ["audio"]
    (fault,) = told(orders)
    assert isinstance(fault, ProtocolFault)
    assert fault.socket == "transcript"


def test_url_choice_for_one_socket() -> None:
    def url(urls: dict[str, str], product: Product = "meeting") -> tuple[str, ...]:
        story = Story(product=product)
        story.start()
        (order,) = story.recovery.signaling_ready(urls, story.now)
        assert isinstance(order, Open)
        return order.urls

    assert url({"audio": "ws://a", "all": "ws://m"}) == ("ws://m",)
    assert url({"audio": "ws://a", "all": "ws://m"}, "contact_center") == ("ws://a",)
    assert url({"x": "http://no", "y": "wss://y"}) == ("wss://y",)
    words = Story(product="contact_center", media=MediaType.TRANSCRIPT | MediaType.CHAT)
    words.start()
    (order,) = words.recovery.signaling_ready({"audio": "ws://a", "all": "ws://m"}, words.now)
    assert isinstance(order, Open)
    assert order.urls == ("ws://m",), "the audio URL takes no connection without audio"
    words = Story(product="contact_center", media=MediaType.TRANSCRIPT | MediaType.CHAT)
    words.start()
    apart = {"audio": "ws://a", "transcript": "ws://t", "chat": "ws://c"}
    assert opened(words.recovery.signaling_ready(apart, words.now)) == ["transcript", "chat"]
    story = Story()
    story.start()
    story.recovery.signaling_ready({}, story.now)
    assert story.over is not None


# -- not getting there ----------------------------------------------------------------------


def test_a_first_connection_is_tried_for_60_seconds() -> None:
    story = Story()
    story.start()
    delays = story.opens_after(lambda: story.recovery.failed("signaling", "refused", story.now), 20)
    assert delays == [3, 6, 12, 24]
    assert story.over is not None
    assert story.over.retryable
    assert "not connected" in story.over.detail
    assert "start RTMS again" in story.over.detail
    assert story.now == 1060.0


def test_what_cannot_get_better_ends_at_once() -> None:
    story = Story()
    story.start()
    story.recovery.failed("signaling", "host is not under zoom.us", story.now, retryable=False)
    assert story.over == StreamOver(None, "signaling: host is not under zoom.us", False)


def test_the_next_url_comes_first_after_a_failure() -> None:
    story = Story()
    story.recovery.replaced(["ws://1", "ws://2"], story.now)
    story.recovery.failed("signaling", "no answer to the handshake", story.now)
    (order,) = [o for o in story.after(3) if isinstance(o, Open)]
    assert order.urls == ("ws://2", "ws://1")


# -- media lost -----------------------------------------------------------------------------


def test_lost_media_comes_back_alone_by_the_own_timer() -> None:
    story = Story().live()
    assert told(story.recovery.closed("all", "reset", story.now)) == [
        ConnectionLost("all", "media_lost", "reset")
    ]
    assert story.after(2.9) == []
    assert story.after(0.1) == [Open("all", ("ws://m",), WANTED)]
    orders = story.recovery.media_ready("all", story.now)
    assert (acks(orders), subscribed(orders)) == (1, [])
    assert told(orders) == [ConnectionBack("all")]


def test_each_loss_is_told_and_taken_back() -> None:
    story = Story().live()
    for _ in range(3):
        lost = told(story.recovery.closed("all", "reset", story.now))
        assert lost == [ConnectionLost("all", "media_lost", "reset")]
        story.after(3)
        assert told(story.recovery.media_ready("all", story.now)) == [ConnectionBack("all")]


def test_media_that_zoom_says_is_lost_is_closed_and_rebuilt() -> None:
    story = Story("split").live()
    orders = story.recovery.media_interrupted(MediaType.AUDIO, story.now)
    assert shut(orders) == ["audio"]
    assert told(orders) == [ConnectionLost("audio", "media_lost", "Zoom lost the media connection")]
    assert story.recovery.media_interrupted(MediaType.NONE, story.now) == [], "8 after event 7"
    assert opened(story.after(3)) == ["audio"]
    delays = story.opens_after(lambda: story.recovery.failed("audio", "refused", story.now), 3)
    assert delays == [6, 12, 24]


def test_the_word_after_the_close_does_not_make_it_later() -> None:
    story = Story().live()
    story.recovery.closed("all", "reset", story.now)
    story.after(1)
    assert story.recovery.media_interrupted(MediaType.NONE, story.now) == []
    assert opened(story.after(2)) == ["all"]


def test_media_not_back_in_65_seconds_is_the_end() -> None:
    story = Story().live()
    story.recovery.closed("all", "reset", story.now)
    story.after(3)
    delays = story.opens_after(lambda: story.recovery.failed("all", "refused", story.now), 20)
    assert delays == [3, 6, 12, 24]
    assert story.over is not None
    assert story.over.retryable
    assert "not back" in story.over.detail
    assert story.now == 1065.0


def test_one_media_type_given_up_leaves_the_others() -> None:
    story = Story("split").live()
    story.recovery.closed("transcript", "reset", story.now)
    story.after(3)
    story.opens_after(lambda: story.recovery.failed("transcript", "refused", story.now), 20)
    assert story.over is None
    story.recovery.closed("audio", "reset", story.now)
    story.after(3)
    story.opens_after(lambda: story.recovery.failed("audio", "refused", story.now), 20)
    assert story.over is not None


def test_zoom_still_holding_our_old_media_connection_is_waited_out() -> None:
    story = Story().live()
    story.recovery.closed("all", "reset", story.now)
    story.after(3)
    delays = story.opens_after(lambda: story.recovery.refused("all", 16, "dup", story.now), 3)
    assert delays == [1.5, 3, 6]


# -- signaling lost -------------------------------------------------------------------------


def test_lost_signaling_takes_media_with_it_only_when_rebuilt() -> None:
    story = Story().live()
    assert story.recovery.closed("signaling", "reset", story.now) == []
    orders = story.after(3)
    assert shut(orders) == ["all"]
    assert opened(orders) == ["signaling"]
    assert [type(o) for o in told(orders)] == [ConnectionLost]
    orders = story.answer()
    assert (acks(orders), subscribed(orders)) == (1, [2, 3, 4])
    assert told(orders) == [ConnectionBack("all"), StreamLive(first=False)]


def test_media_lost_first_and_then_signaling_is_one_loss() -> None:
    story = Story().live()
    first = story.recovery.closed("all", "reset", story.now)
    second = story.recovery.closed("signaling", "reset", story.now)
    assert told(first) == [ConnectionLost("all", "media_lost", "reset")]
    assert told(second) == []
    assert opened(story.after(3)) == ["signaling"]
    assert told(story.answer()) == [ConnectionBack("all"), StreamLive(first=False)]


def test_an_interruption_webhook_closes_everything_and_backs_off() -> None:
    story = Story("split").live()
    story.after(20)
    orders = story.recovery.interrupted(story.now)
    assert shut(orders) == ["signaling", "audio", "transcript"]
    assert [o.cause for o in told(orders) if isinstance(o, ConnectionLost)] == [
        "signaling_lost",
        "signaling_lost",
    ]
    assert story.recovery.interrupted(story.now) == []
    assert opened(story.after(3)) == ["signaling"]
    delays = story.opens_after(lambda: story.recovery.failed("signaling", "no", story.now), 20)
    assert delays == [6, 12, 24]
    assert story.over is not None
    assert story.over.retryable


def test_an_interruption_told_after_we_are_back_is_about_the_past() -> None:
    story = Story().live()
    story.after(20)
    story.recovery.closed("signaling", "reset", story.now)
    story.after(3)
    story.answer()
    story.after(2)
    assert story.recovery.interrupted(story.now) == []


def test_an_interruption_of_the_past_costs_no_reconnect() -> None:
    """A webhook delivered minutes late is about a connection that was replaced since."""
    story = Story().live()
    story.after(2)
    assert shut(story.recovery.interrupted(story.now, past=False)) == ["signaling", "all"]
    story = Story().live()
    story.after(300)
    assert story.recovery.interrupted(story.now, past=True) == []
    assert opened(story.after(120)) == []
    story.recovery.closed("signaling", "reset", story.now)
    story.after(1)
    story.recovery.interrupted(story.now, past=True)
    assert opened(story.after(3)) == ["signaling"], "while we are away it is a reason to come back"


def test_signaling_not_back_in_60_seconds_is_the_end() -> None:
    story = Story().live()
    lost_at = story.now
    story.recovery.closed("signaling", "reset", story.now)
    story.after(3)
    story.opens_after(lambda: story.recovery.failed("signaling", "refused", story.now), 20)
    assert story.over is not None
    assert (story.over.retryable, story.now - lost_at) == (True, 60.0)
    assert "start RTMS again" in story.over.detail


def test_a_success_resets_the_delays() -> None:
    story = Story().live()
    for _ in range(3):
        story.recovery.closed("signaling", "reset", story.now)
        story.after(3)
        delays = story.opens_after(lambda: story.recovery.failed("signaling", "no", story.now), 2)
        assert delays == [3, 6]
        story.answer()


def test_silence_is_acted_on_at_once() -> None:
    story = Story().live()
    story.recovery.closed("signaling", "silent", story.now, silent=True)
    assert opened(story.after(0)) == ["signaling"]


# -- failover and end -----------------------------------------------------------------------


def test_failover_drops_everything_and_connects_at_once() -> None:
    story = Story().live()
    orders = story.recovery.replaced(["ws://new"], story.now)
    assert shut(orders) == ["signaling", "all"]
    assert orders[-1] == Open("signaling", ("ws://new",), MediaType.NONE)
    assert told(story.answer()) == [ConnectionBack("all"), StreamLive(first=False)]


def test_the_end_waits_for_media_under_way() -> None:
    story = Story().live()
    assert story.recovery.terminated(6, story.now) == []
    assert story.over is None
    story.recovery.closed("signaling", "1000", story.now)
    assert story.over is None
    story.recovery.closed("all", "1000", story.now)
    assert story.over == StreamOver(6, "Zoom ended the stream: 6 MEETING_ENDED", False)


def test_the_end_does_not_wait_for_long() -> None:
    story = Story().live()
    story.recovery.terminated(6, story.now)
    orders = story.after(1)
    assert story.over is not None
    assert sorted(shut(orders)) == ["all", "signaling"]


@pytest.mark.parametrize("reason", [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 24])
def test_restart_class_reasons_say_what_to_do(reason: int) -> None:
    story = Story().live()
    story.recovery.terminated(reason, story.now)
    story.after(1)
    assert story.over is not None
    assert story.over.retryable
    assert "start RTMS again" in story.over.detail


def test_a_close_after_terminating_is_the_end() -> None:
    story = Story().live()
    story.recovery.terminating(6)
    story.recovery.closed("all", "1000", story.now)
    story.recovery.closed("signaling", "1000", story.now)
    assert story.over == StreamOver(6, "Zoom ended the stream: 6 MEETING_ENDED", False)


# -- leaving by ourselves -------------------------------------------------------------------


def closes(orders: list[Order]) -> list[str]:
    return [
        order.message.rtms_stream_id
        for order in orders
        if isinstance(order, Send) and isinstance(order.message, StreamCloseRequest)
    ]


def test_leaving_asks_zoom_and_waits_for_its_word() -> None:
    story = Story().live()
    assert closes(story.recovery.leave(story.now, 5)) == ["S1"]
    assert story.recovery.leave(story.now, 5) == [], "asked once"
    story.recovery.terminated(20, story.now)
    story.after(1)
    assert story.over is not None
    assert (story.over.reason, story.over.retryable) == (20, False)


def test_leaving_does_not_wait_for_ever() -> None:
    story = Story().live()
    story.recovery.leave(story.now, 5)
    assert story.after(4.9) == []
    story.after(2)
    assert story.over is not None
    assert story.over.reason == 20
    assert "did not answer" in story.over.detail


def test_a_connection_that_closes_after_we_asked_is_the_end() -> None:
    story = Story().live()
    story.recovery.leave(story.now, 5)
    story.recovery.closed("all", "1000", story.now)
    story.recovery.closed("signaling", "1000", story.now)
    story.after(0)
    assert story.over is not None
    assert story.over.reason == 20


def test_a_refusal_to_end_it_is_named_and_we_leave() -> None:
    story = Story().live()
    assert story.recovery.leave_refused(4, "x", story.now) == [], "nobody asked"
    story.recovery.leave(story.now, 5)
    story.recovery.leave_refused(4, "no", story.now)
    story.after(1)
    assert story.over is not None
    assert "4 INVALID_PAYLOAD (no)" in story.over.detail


def test_leaving_while_not_connected_ends_at_once() -> None:
    story = Story()
    story.start()
    story.recovery.leave(story.now, 5)
    assert story.over is not None
    assert "no connection" in story.over.detail


def test_nothing_happens_after_the_end() -> None:
    story = Story().live()
    story.recovery.terminated(6, story.now)
    story.after(1)
    over = story.over
    assert story.recovery.closed("all", "late", story.now) == []
    assert story.recovery.interrupted(story.now) == []
    assert story.recovery.replaced(["ws://x"], story.now) == []
    assert story.recovery.terminated(1, story.now) == []
    assert story.recovery.tick(story.now) == []
    assert (story.over, story.recovery.wake_at) == (over, None)


def test_split_media_that_drops_while_signaling_is_away_is_told_at_once() -> None:
    story = Story("split").live()
    assert story.recovery.closed("signaling", "reset", story.now) == []
    orders = story.recovery.closed("audio", "reset", story.now)
    assert [o.media for o in orders if isinstance(o, ConnectionLost)] == ["audio"]


def test_a_refusal_about_a_type_the_socket_does_not_carry_is_about_the_socket() -> None:
    story = Story("split")
    story.start()
    story.recovery.signaling_ready(URLS, story.now)
    audio_not_supported = 9
    [fault] = story.recovery.refused("transcript", audio_not_supported, "", story.now)
    assert isinstance(fault, ProtocolFault)
    assert "without transcript" in fault.detail
    assert any(isinstance(o, StreamLive) for o in story.recovery.media_ready("audio", story.now))
    story.recovery.replaced(["ws://n"], story.now)
    orders = story.recovery.signaling_ready(URLS, story.now)
    assert [o.socket for o in orders if isinstance(o, Open)] == ["audio"]


def test_a_live_stream_that_zoom_forgot_can_be_started_again() -> None:
    """Back after Zoom's window by Zoom's clock, inside it by ours: the end is that of reason 19."""
    story = Story().live()
    story.recovery.closed("signaling", "dropped", story.now)
    story.after(4)
    story.recovery.refused("signaling", 2, "", story.now)
    assert story.over is not None
    assert (story.over.retryable, story.over.forgotten) == (True, True)
    assert "start RTMS again" in story.over.detail


def test_a_stream_that_was_never_live_and_is_forgotten_is_just_over() -> None:
    """A webhook repeated long after may be about another meeting of the same number."""
    story = Story()
    story.start()
    story.recovery.refused("signaling", 2, "", story.now)
    assert story.over is not None
    assert (story.over.retryable, story.over.forgotten) == (False, True)
