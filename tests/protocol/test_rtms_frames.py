"""Messages out of bytes: the same as the websockets library finds, however they are cut."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from pipeline.rtms.frames import Inbound

LIMIT = 70_000


def opened(limit: int = LIMIT) -> tuple[ClientProtocol, Inbound]:
    protocol = ClientProtocol(parse_uri("ws://localhost/"), max_size=limit, state=State.OPEN)
    return protocol, Inbound(protocol, limit)


def frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def by_the_library(stream: bytes) -> tuple[list[bytes], list[bytes], State]:
    """What the library alone finds and answers."""
    protocol = ClientProtocol(parse_uri("ws://localhost/"), max_size=LIMIT, state=State.OPEN)
    protocol.receive_data(stream)
    messages: list[bytes] = []
    parts: list[bytes] = []
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            parts.append(bytes(event.data))
            if event.fin:
                messages.append(b"".join(parts))
                parts = []
    return messages, [frame_of(data) for data in protocol.data_to_send()], protocol.state


def frame_of(data: bytes) -> bytes:
    """A frame of ours without its random mask."""
    head = 2 if data[1] & 0x7F < 126 else 4
    mask, body = data[head : head + 4], data[head + 4 :]
    return data[:head] + bytes(byte ^ mask[n % 4] for n, byte in enumerate(body))


lengths = st.sampled_from([0, 1, 125, 126, 127, 300, 65_535, 65_536, LIMIT, LIMIT + 1])
payloads = st.binary(max_size=200) | lengths.map(lambda n: bytes(n))
whole = st.builds(frame, st.sampled_from([Opcode.TEXT, Opcode.BINARY]), payloads)
part = st.builds(
    frame,
    st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
    st.binary(max_size=50),
    st.booleans(),
)
control = st.builds(frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))
end = st.just(frame(Opcode.CLOSE, Close(1001, "bye").serialize()))
streams = st.lists(whole | part | control | end | st.binary(max_size=6), max_size=12).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(streams, st.lists(st.integers(1, 5_000), min_size=1, max_size=30))
def test_any_bytes_in_any_pieces_give_what_the_library_gives(
    stream: bytes, sizes: list[int]
) -> None:
    protocol, inbound = opened()
    messages: list[bytes] = []
    at, turn = 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        messages += inbound.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    expected, answers, state = by_the_library(stream)
    assert messages == expected
    assert [frame_of(data) for data in protocol.data_to_send()] == answers
    assert protocol.state is state


def test_a_fragmented_message_with_a_ping_inside() -> None:
    protocol, inbound = opened()
    assert inbound.feed(frame(Opcode.TEXT, b"he", fin=False) + frame(Opcode.PING, b"p")) == []
    assert inbound.answered
    assert [data[:1] for data in protocol.data_to_send()] == [b"\x8a"]
    assert inbound.feed(frame(Opcode.CONT, b"llo")) == [b"hello"]


def test_the_usual_frame_does_not_bother_the_protocol() -> None:
    _, inbound = opened()
    assert inbound.feed(frame(Opcode.TEXT, b"a") + frame(Opcode.BINARY, b"b")) == [b"a", b"b"]
    assert not inbound.answered


def test_a_message_over_the_limit_is_refused_by_its_header() -> None:
    protocol, inbound = opened()
    assert inbound.feed(frame(Opcode.BINARY, bytes(LIMIT + 1))[:10]) == []
    assert protocol.state is State.CLOSING
    assert protocol.close_sent is not None
    assert protocol.close_sent.code == 1009


def test_fragments_over_the_limit_together_are_refused() -> None:
    protocol, inbound = opened()
    inbound.feed(frame(Opcode.BINARY, bytes(LIMIT), fin=False))
    assert inbound.feed(frame(Opcode.CONT, bytes(2))) == []
    assert protocol.close_sent is not None
    assert protocol.close_sent.code == 1009


def test_nothing_after_a_close_frame_is_a_message() -> None:
    _, inbound = opened()
    stream = frame(Opcode.TEXT, b"a") + frame(Opcode.CLOSE, b"") + frame(Opcode.TEXT, b"b")
    assert inbound.feed(stream) == [b"a"]
    assert inbound.feed(frame(Opcode.TEXT, b"c")) == []


def test_a_large_message_in_small_pieces_is_held_once() -> None:
    """4 MiB in pieces of 1,400 bytes: joined once, not over and over."""
    size = 4 * 1024 * 1024
    _, inbound = opened(size)
    stream = frame(Opcode.BINARY, bytes(size))
    tracemalloc.start()
    messages: list[bytes] = []
    for at in range(0, len(stream), 1_400):
        messages += inbound.feed(stream[at : at + 1_400])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(message) for message in messages] == [size]
    assert most < 3.5 * size


def test_fragments_cost_no_more_than_what_they_hold() -> None:
    """A message in fragments of nothing, without end, is no way to fill the memory."""
    _, inbound = opened()
    inbound.feed(frame(Opcode.TEXT, b"", fin=False))
    nothing = frame(Opcode.CONT, b"", fin=False) * 5_000
    inbound.feed(nothing)
    tracemalloc.start()
    for _ in range(10):
        assert inbound.feed(nothing) == []
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20_000
    assert inbound.feed(frame(Opcode.CONT, b"end")) == [b"end"]
