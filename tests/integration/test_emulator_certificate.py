"""The certificate made at start, and what is said when it cannot be made."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.emulator.certificate import Certificate, make_certificate


def shake(found: Certificate, name: str, ca_file: Path | None) -> str | None:
    """The protocol version a client that trusts ``ca_file`` settles on with ``name``."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with ours:
            try:
                found.context.wrap_socket(ours, server_side=True).close()
            except (ssl.SSLError, OSError):
                return  # the client says why

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client = ssl.create_default_context(cafile=ca_file)
        with theirs, client.wrap_socket(theirs, server_hostname=name) as secured:
            return secured.version()
    finally:
        thread.join()


def test_localhost_and_addresses_are_named(tmp_path: Path) -> None:
    found = make_certificate(tmp_path, "localhost")
    assert shake(found, "localhost", found.ca_file) == "TLSv1.3"
    assert shake(found, "127.0.0.1", found.ca_file) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(found, "zoom.us", found.ca_file)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(found, "localhost", None)


def test_another_host_is_named_too(tmp_path: Path) -> None:
    found = make_certificate(tmp_path, "fake.test")
    assert shake(found, "fake.test", found.ca_file) == "TLSv1.3"


def test_the_authority_cannot_sign_again(tmp_path: Path) -> None:
    make_certificate(tmp_path, "localhost")
    assert not (tmp_path / "ca.key").exists()


def test_without_openssl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="--tls needs the openssl command"):
        make_certificate(tmp_path, "localhost")


def test_openssl_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "openssl"
    fake.write_text("#!/bin/sh\necho first >&2\necho 'no curve' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="openssl made no certificate: no curve"):
        make_certificate(tmp_path, "localhost")
