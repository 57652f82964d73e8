# SPDX-License-Identifier: Apache-2.0
"""The key that signs packages and repositories.

Test repositories get a key made on the spot: RSA-4096 without subkeys, SHA-256,
the one kind that rpm 4.11 (EL 7) and GnuPG 1.4 (Ubuntu 14.04) verify.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolkit.commands import CLEAN_ENVIRONMENT, run

_PARAMETERS = """%no-protection
Key-Type: RSA
Key-Length: 4096
Key-Usage: sign
Name-Real: {name}
Expire-Date: 0
%commit
"""


class Key:
    """A secret key in a private GnuPG home of its own; use it inside ``with Key.open(...)``."""

    def __init__(self, home: Path, log: Path) -> None:
        self.home = home
        self.log = log

    @property
    def environment(self) -> Mapping[str, str]:
        """What gpg and rpmsign run with."""
        return {**CLEAN_ENVIRONMENT, "GNUPGHOME": str(self.home)}

    @classmethod
    @contextlib.contextmanager
    def open(cls, home: Path, name: str, log: Path) -> Iterator[Key]:
        """The key in ``home``, made there when it is new; its agent ends with the block."""
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tb-") as short:
            # The agent's socket lies in the home and its path may not exceed 107 bytes.
            link = Path(short, "gnupg")
            link.symlink_to(home.resolve(), target_is_directory=True)
            key = cls(link, log)
            try:
                if not (home / "made").exists():
                    parameters = Path(short, "parameters")
                    parameters.write_text(_PARAMETERS.format(name=name), encoding="ascii")
                    key.gpg("--generate-key", str(parameters))
                    (home / "made").touch()
                yield key
            finally:
                run(["gpgconf", "--kill", "all"], environment=key.environment, log=log, check=False)

    def gpg(self, *arguments: str) -> str:
        """Run gpg on this key ring; returns what it printed."""
        return run(
            ["gpg", "--batch", "--yes", "--no-tty", "--quiet", "--digest-algo", "SHA256", *arguments],
            environment=self.environment,
            log=self.log,
        ).output

    @property
    def fingerprint(self) -> str:
        """Of the only key in the ring: 40 hex digits."""
        listing = self.gpg("--list-secret-keys", "--with-colons")
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))

    def export(self, path: Path, *, armor: bool) -> None:
        """Write the public key: binary for apt's trusted.gpg.d, armored for rpm."""
        self.gpg(*(["--armor"] if armor else []), "--output", str(path), "--export", self.fingerprint)

    def sign_detached(self, path: Path, signature: Path) -> None:
        """Write an armored detached signature of ``path``."""
        self.gpg("--armor", "--output", str(signature), "--detach-sign", str(path))

    def sign_clear(self, path: Path, signed: Path) -> None:
        """Write ``path`` with its signature around it."""
        self.gpg("--output", str(signed), "--clear-sign", str(path))

    def sign_rpms(self, packages: list[Path]) -> None:
        """Sign packages in place, header and payload, with SHA-256."""
        run(
            ["rpmsign", "--define", "__gpg /usr/bin/gpg", "--define", f"_gpg_name {self.fingerprint}",
             "--define", "_gpg_digest_algo sha256", "--addsign", *packages],
            environment=self.environment,
            log=self.log,
        )

    def unsign_rpm(self, package: Path) -> None:
        """Remove a package's signature in place."""
        run(["rpmsign", "--delsign", package], environment=self.environment, log=self.log)
