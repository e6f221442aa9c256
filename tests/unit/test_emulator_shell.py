"""Small parts of the fake Zoom's shell: frames, addresses, groups, figures, ways out."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from pipeline.emulator.addresses import Target, prefix, target
from pipeline.emulator.frames import MAX_WAITING, Framer, frame
from pipeline.emulator.groups import Group, grouped, lag_of
from pipeline.emulator.lateness import Lateness
from pipeline.emulator.listening import listening_sockets, refusing_socket
from pipeline.emulator.peer import Peer
from pipeline.emulator.playback import Due, Ended
from pipeline.emulator.schedule import NEVER
from pipeline.emulator.station import Station
from pipeline.rtms.enums import MediaType

# -- frames ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
@pytest.mark.parametrize(
    ("first", "last"), [(True, True), (True, False), (False, False), (False, True)]
)
@pytest.mark.parametrize("text", [True, False])
def test_a_frame_is_what_websockets_makes(size: int, first: bool, last: bool, text: bool) -> None:
    payload = bytes(size)
    opcode = (Opcode.TEXT if text else Opcode.BINARY) if first else Opcode.CONT
    theirs = Frame(opcode, payload, fin=last).serialize(mask=False)
    assert frame(payload, text=text, first=first, last=last) == theirs


def test_one_payload_is_framed_once() -> None:
    framer = Framer(text=True)
    payload = b"x" * 100
    assert framer(payload) is framer(payload)
    assert framer(bytes(bytearray(payload))) == framer(payload)


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=600))
def test_frames_are_never_mixed_up(payloads: list[bytes]) -> None:
    """Also when objects die and their ids are given to others."""
    framer = Framer(text=False)
    for payload in payloads:
        copy = bytes(bytearray(payload))
        assert framer(copy) == frame(payload, text=False)


def test_images_are_not_remembered() -> None:
    framer = Framer(text=True)
    image = bytes(100_000)
    assert framer(image) is not framer(image)


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/signaling", Target(1, 0, None)),
        ("/signaling?x=1", Target(1, 0, None)),
        ("/media/audio", Target(1, 0, MediaType.AUDIO)),
        ("/media/all", Target(1, 0, MediaType.ALL)),
        ("/2/media/deskshare", Target(2, 0, MediaType.DESKSHARE)),
        ("/17/f3/signaling", Target(17, 3, None)),
        ("/f1/media/chat", Target(1, 1, MediaType.CHAT)),
        ("/", None),
        ("/media/", None),
        ("/media/share", None),
        ("/0/signaling", None),
        ("/01/signaling", None),
        ("/f0/signaling", None),
        ("/9999999/signaling", None),
        ("/f1/2/signaling", None),
        ("//signaling", None),
        ("/signaling/", None),
        ("/SIGNALING", None),
    ],
)
def test_where_a_path_leads(path: str, expected: Target | None) -> None:
    assert target(path) == expected


@given(st.integers(1, 10_000), st.integers(0, 1_000))
def test_prefixes_lead_back(stream: int, turn: int) -> None:
    assert target(f"{prefix(stream, turn)}/signaling") == Target(stream, turn, None)


def test_sockets_that_listen_and_that_refuse() -> None:
    sockets = listening_sockets("127.0.0.1", 0)
    dead = refusing_socket()
    try:
        assert sockets[0].getsockname()[1] != dead.getsockname()[1]
    finally:
        for one in (*sockets, dead):
            one.close()


# -- groups ------------------------------------------------------------------------------------


class Served:
    """Stands for a Station: what it was served, and when it wants to be."""

    def __init__(self, lag: int = 0) -> None:
        self.lag = lag
        self.wants = NEVER
        self.got: list[tuple[int, list[Due]]] = []

    def serve(self, now: int, due: list[Due]) -> None:
        self.got.append((now, due))

    def next_at(self, now: int) -> int:
        return self.wants


def group_of(*stations: Served) -> Group:
    (found,) = grouped(cast("list[Station]", stations))
    found.plan(0)
    return found


@given(st.integers(1, 1_000))
def test_lags_are_spread_evenly_below_20_ms(streams: int) -> None:
    lags = [lag_of(index, streams, spread=True) for index in range(streams)]
    assert lags == sorted(lags)
    assert 0 <= lags[0] <= lags[-1] < 20
    counts = [lags.count(lag) for lag in set(lags)]
    assert max(counts) - min(counts) <= 1
    assert {lag_of(index, streams, spread=False) for index in range(streams)} == {0}


def test_streams_of_one_lag_are_served_together() -> None:
    stations = [Served(lag) for lag in (0, 0, 5, 12, 12)]
    groups = grouped(cast("list[Station]", stations))
    assert [(group.lag, len(group.stations)) for group in groups] == [(0, 2), (5, 1), (12, 2)]


def test_a_group_gets_every_item_once_at_its_lag() -> None:
    station = Served(lag=7)
    group = group_of(station)
    one, two, three = Ended(1), Ended(2), Ended(3)
    group.hand([one], 100)
    group.hand([two, three], 104)
    assert group.next_at() == 107
    assert group.serve(107) == 107
    assert group.next_at() == 111
    assert group.serve(111) == 111
    assert station.got == [(107, [one, two, three]), (111, [])]
    assert group.next_at() == NEVER


def test_a_late_group_tells_when_it_should_have_been_served() -> None:
    group = group_of(Served(lag=7))
    group.hand([], 100)
    group.hand([], 120)
    assert group.serve(500) == 107
    assert group.next_at() == NEVER


def test_a_stream_that_wants_to_be_served_waits_for_the_tape_only() -> None:
    station = Served(lag=7)
    group = group_of(station, Served(lag=7))
    station.wants = 90
    group.touched(cast("Station", station), 80)
    assert group.next_at() == 90
    group.hand([], 88)
    assert group.next_at() == 95  # else what is on the tape would come before its lag is over
    station.wants = NEVER
    assert group.serve(95) == 95
    assert group.next_at() == NEVER
    assert group.serve(200) is None


# -- lateness ----------------------------------------------------------------------------------


def test_lateness() -> None:
    lateness = Lateness()
    assert lateness.describe()["lateness_ms"] == {"worst": 0.0, "p99": 0.0}
    lateness.add(0.2, 90)
    lateness.add(1.0, 5)
    lateness.add(1.5, 4)
    lateness.add(40.0, 1)
    found = lateness.describe()
    assert found["late"] == {
        "1": 95,
        "2": 4,
        "5": 0,
        "10": 0,
        "20": 0,
        "50": 1,
        "100": 0,
        "1000": 0,
        "more": 0,
    }
    assert found["lateness_ms"] == {"worst": 40.0, "p99": 2.0}
    lateness.add(3_000, 100)
    assert lateness.describe()["lateness_ms"] == {"worst": 3_000.0, "p99": 3_000.0}


# -- the way out -------------------------------------------------------------------------------


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.held = 0
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.held

    def abort(self) -> None:
        self.aborted = True


class Connection:
    """What a Peer uses of websockets' connection."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.state = State.OPEN
        self.closed_with: int | None = None

    async def drain(self) -> None:
        pass

    async def close(self, code: int) -> None:
        self.closed_with = code


def peer_of(connection: Connection) -> Peer:
    return Peer(cast("Any", connection), Framer(text=True))


def test_a_client_that_keeps_up_is_written_to_at_once() -> None:
    connection = Connection()
    peer = peer_of(connection)
    peer.send(b"hello")
    peer.piece(b"he", first=True, last=False)
    peer.piece(b"llo", first=False, last=True)
    assert connection.transport.written == [b"\x81\x05hello", b"\x01\x02he", b"\x80\x03llo"]
    assert peer.waiting == 0


@pytest.mark.parametrize("state", [State.CLOSING, State.CLOSED, State.CONNECTING])
def test_nothing_is_sent_in_another_state(state: State) -> None:
    connection = Connection()
    peer = peer_of(connection)
    connection.state = state
    peer.send(b"hello")
    assert connection.transport.written == []


async def test_a_slow_client_is_queued_for_and_the_order_kept() -> None:
    connection = Connection()
    peer = peer_of(connection)
    connection.transport.held = 1 << 20
    peer.send(b"1")
    connection.transport.held = 0
    peer.send(b"2")  # not before what waits
    peer.close(1001)
    peer.send(b"3")
    assert connection.transport.written == []
    assert peer.waiting == 9
    await peer.write()
    assert connection.transport.written == [b"\x81\x011", b"\x81\x012"]
    assert connection.closed_with == 1001
    peer.send(b"4")
    assert len(connection.transport.written) == 2


def test_one_that_is_too_far_behind_is_dropped() -> None:
    connection = Connection()
    peer = peer_of(connection)
    connection.transport.held = 1 << 20
    for _ in range(MAX_WAITING // (8 << 20)):
        peer.send(bytes(8 << 20))
    assert connection.transport.aborted
    connection.transport.held = 0
    peer.send(b"more")
    assert connection.transport.written == []
    assert peer.waiting == 0
