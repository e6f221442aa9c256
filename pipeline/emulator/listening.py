"""TCP sockets of this machine to listen on, and one that refuses."""

from __future__ import annotations

import errno
import socket

from pipeline.base.errors import BadInput, InUse


def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """TCP sockets for every address of ``host``, all on the same port. Raises InUse, BadInput."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise BadInput(f"cannot listen on {host}: {error.strerror}") from error
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in found:
        one = socket.socket(family, kind, protocol)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            at = sockets[0].getsockname()[1] if sockets else port
            one.bind((address[0], at, *address[2:]))
            one.listen(1024)
        except OSError as error:
            one.close()
            if sockets:  # the first address is enough; the second is a courtesy
                continue
            if error.errno == errno.EADDRINUSE:
                raise InUse(
                    f"port {port} is in use by another program; --port 0 takes a free one"
                ) from error
            raise BadInput(f"cannot listen on {host} port {port}: {error.strerror}") from error
        one.setblocking(False)
        sockets.append(one)
    return sockets


def refusing_socket() -> socket.socket:
    """A port of 127.0.0.1 that is ours and refuses every connection while it is held."""
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.bind(("127.0.0.1", 0))
    return one
