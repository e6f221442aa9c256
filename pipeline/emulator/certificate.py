"""A certificate authority and a certificate for this machine, made now and thrown away later."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import BadInput


@dataclass(frozen=True)
class Certificate:
    """``ca_file`` is what a client must trust (PEM)."""

    ca_file: Path
    context: ssl.SSLContext


def make_certificate(folder: Path, host: str) -> Certificate:
    """For ``host`` and localhost, with the ``openssl`` command. Raises BadInput without it.

    Zoom's SDK compares DNS names only: use a name, not an address.
    """
    names = {"DNS:localhost", "IP:127.0.0.1", "IP:::1"}
    try:
        names.add(f"IP:{ipaddress.ip_address(host)}")
    except ValueError:
        names.add(f"DNS:{host}")
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    cert, key, request = folder / "cert.pem", folder / "cert.key", folder / "cert.csr"
    extensions = folder / "extensions"
    extensions.write_text(
        f"subjectAltName={','.join(sorted(names))}\n"
        "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
    )
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl(
        *("req", "-x509", *curve, "-keyout", str(ca_key), "-out", str(ca), "-days", "7"),
        *("-subj", "/CN=rtms-notes fake Zoom CA"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    _openssl(
        *("req", "-new", *curve, "-keyout", str(key), "-out", str(request)),
        *("-subj", f"/CN={host}"),
    )
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key)),
        *("-CAcreateserial", "-days", "7", "-sha256", "-extfile", str(extensions)),
        *("-out", str(cert)),
    )
    ca_key.unlink()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return Certificate(ca, context)


def _openssl(*arguments: str) -> None:
    try:
        subprocess.run(  # noqa: S603 - our own words only
            ["openssl", *arguments],  # noqa: S607 - wherever it is installed
            check=True,
            capture_output=True,
            timeout=60,
        )
    except FileNotFoundError:
        raise BadInput(
            "--tls needs the openssl command, which is not installed"
            " (Debian: apt-get install openssl)"
        ) from None
    except subprocess.TimeoutExpired:
        raise BadInput("openssl did not make a certificate within 60 s") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise BadInput(f"openssl made no certificate: {lines[-1]}") from error
