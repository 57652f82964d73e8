# SPDX-License-Identifier: Apache-2.0
"""Debian 11 becomes Debian 12 with our packages installed: pip works before, after, and whenever dpkg comes to rest between.

It needs the archive that this machine installs from.
"""

import pytest
from toolkit import published, releases, repository, roots

#: After each run of dpkg that apt makes: whether pip works with our hook, and whether it would without.
WATCH = r"""#!/bin/sh
on=no; off=no
pip3 --version > /dev/null 2>&1 && on=yes
TLS_BOOTSTRAP_PIP=0 pip3 --version > /dev/null 2>&1 && off=yes
echo "with $on without $off $(python3 -c 'import sys; print(sys.version.split()[0])' 2>&1 | tail -1)" >> /var/tmp/watched
exit 0
"""


@pytest.fixture
def machine(work):
    """A Debian 11 root, and our repositories for 11 and 12."""
    wanted = [published.Wanted(releases.by_name(name), (published.native(),)) for name in ("bullseye", "bookworm")]
    repo = published.publish(published.build_packages(wanted, work, print), work / "upgrade-repo", work, work / "gnupg", print)
    log = work / "distribution-upgrade.log"
    log.unlink(missing_ok=True)
    root = roots.unpack(roots.BULLSEYE, work / "roots" / "distribution-upgrade", log, copy=True)
    with repository.served(repo) as url:
        root.write(repository.apt_key_path(releases.by_name("bullseye")), (repo / "apt" / repository.APT_KEY).read_bytes())
        yield root, url
    root.remove()


def sources(root, url, codename):
    path, text = repository.apt_source(f"{url}/apt", releases.by_name(codename))
    root.write(path, text)
    root.write("/etc/apt/sources.list", f"deb {roots.mirror()} {codename} main\n")


def check(root, *words):
    done = root.run(["tls-bootstrap", "check", *words], user=roots.USER, check=False)
    return done.status, done.output


def test_the_distribution_is_upgraded_under_our_packages(machine):
    root, url = machine
    sources(root, url, "bullseye")
    root.run(["apt-get", "update"])
    root.run(["apt-get", "install", "--yes", "tls-bootstrap-pip"])
    status, output = check(root)
    assert status == 0, output
    assert "~debian.11~bullseye" in root.run(["dpkg-query", "--show", "tls-bootstrap"]).output
    root.write("/usr/local/sbin/watch", WATCH, mode=0o755)
    root.write("/etc/apt/apt.conf.d/99watch", 'DPkg::Post-Invoke { "/usr/local/sbin/watch"; };\n')

    sources(root, url, "bookworm")
    root.run(["apt-get", "update"])
    upgrade = ["apt-get", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "--yes"]
    root.run([*upgrade, "upgrade", "--without-new-pkgs"], timeout=1500)
    root.run([*upgrade, "dist-upgrade"], timeout=1500)

    watched = (root.path / "var" / "tmp" / "watched").read_text().splitlines()
    print("\n".join(watched))
    assert len(watched) >= 2
    # Where the vendor's own pip works, ours must not be what breaks it.
    assert not [line for line in watched if "with no without yes" in line]
    assert root.run(["python3", "--version"]).output.startswith("Python 3.11")
    assert "~debian.12~bookworm" in root.run(["dpkg-query", "--show", "tls-bootstrap"]).output
    status, output = check(root, "--pip", "/usr/bin/pip3")
    assert status == 0, output
    # Debian's old Python 3.9 is still there, and the new pip does not work with it until it is gone.
    root.run(["apt-get", "autoremove", "--yes"])
    status, output = check(root)
    assert status == 0, output
    names = ["python3-tls-bootstrap", "python3-tls-bootstrap-pip", "tls-bootstrap"]
    assert root.run(["dpkg", "--verify", *names]).output == ""
    root.run(["apt-get", "purge", "--yes", "tls-bootstrap-pip", *names])
    assert root.run(["find", "/usr", "/etc", "-name", "*tls_bootstrap*"]).output == ""
