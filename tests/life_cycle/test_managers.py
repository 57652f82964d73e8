# SPDX-License-Identifier: Apache-2.0
"""Each release's published packages, on a real manager: what an administrator types, from nothing to nothing.

Ubuntu's suites are installed on the Debian release that stands for them, RHEL's in the RPM root.
"""

import pytest
from conftest import bring_in, same, through_proxy
from toolkit import enterprise_root, releases, repository, roots, tree

DEBS = [release.codename for release in releases.of_family("deb") if release.stand_in]
RPMS = [release.codename for release in releases.of_family("rpm")]


def newest(place, pattern):
    return sorted(place.glob(pattern))[-1]


@pytest.mark.parametrize("codename", DEBS)
def test_apt_installs_proves_and_removes(codename, make_root, server, repositories):
    release = releases.by_name(codename)
    root = make_root(codename, f"apt-{codename}")
    through_proxy(root, release, server)
    before = tree.snapshot(root.path)
    keyring = newest(repositories / repository.APT / repository.pool(release), "tls-bootstrap-archive-keyring_*.deb")
    inside = bring_in(root, keyring)
    root.run(["dpkg", "--install", inside])
    root.remove_file(inside)
    root.run(["apt-get", "-o", "APT::Update::Error-Mode=any", "update"])
    root.run(["apt-get", "install", "--yes", "tls-bootstrap-pip"])
    shown = root.run(["dpkg-query", "--show", "tls-bootstrap"]).output
    assert shown.strip().endswith(release.suffix)
    done = root.run(["tls-bootstrap", "check"], user=roots.USER, check=False)
    assert done.status == 0, done.output
    names = ["python3-tls-bootstrap", "python3-tls-bootstrap-pip", "tls-bootstrap", "tls-bootstrap-pip"]
    assert root.run(["dpkg", "--verify", *names, "tls-bootstrap-archive-keyring"]).output == ""
    root.run(["apt-get", "purge", "--yes", "tls-bootstrap-pip", "tls-bootstrap-archive-keyring"])
    root.run(["apt-get", "autoremove", "--purge", "--yes"])
    assert same(before, root) == []
    assert f"GET http://packages.example.org/tls-bootstrap/apt/dists/{codename}/InRelease" in server.requests


@pytest.mark.parametrize("codename", RPMS)
def test_dnf_installs_proves_and_removes_every_stack(codename, make_root, server, repositories):
    release = releases.by_name(codename)
    root = make_root(codename, f"dnf-{codename}")
    through_proxy(root, release, server)
    before = tree.snapshot(root.path)
    place = repositories / repository.yum_part(release, roots.os.uname().machine)
    inside = bring_in(root, newest(place, "tls-bootstrap-release-*.rpm"))
    options = ["dnf", f"--releasever={release.number}", "--refresh"]
    # As the page of the repositories says, and first without the key.
    verified = [*options, "--setopt=localpkg_gpgcheck=1", "install", inside]
    assert root.run(verified, check=False).status != 0
    key = bring_in(root, repositories / repository.YUM / repository.YUM_KEY)
    root.run(["rpm", "--import", key])
    root.run(verified)
    root.remove_file(inside)
    root.remove_file(key)
    hooks = [f"{stack.id}-tls-bootstrap-pip" for stack in release.stacks]
    root.run([*options, "install", "tls-bootstrap-pip", *hooks])
    owned = root.run(["rpm", "--query", "--all", "--queryformat", "%{NAME}\\n"]).output.split()
    assert set(hooks) | {f"{stack.id}-tls-bootstrap" for stack in release.stacks} < set(owned)
    for stack in release.stacks:
        pip = f"/usr/bin/pip{stack.version}"
        done = root.run(["tls-bootstrap", "check", "--pip", pip], user=roots.USER, check=False)
        assert done.status == 0, f"{stack.id}: {done.output}"
    first_line = (root.path / "usr" / "bin" / "tls-bootstrap").read_text().splitlines()[0]
    assert first_line == f"#!{release.command_python} -Es"
    ours = [name for name in owned if "tls-bootstrap" in name]
    assert root.run(["rpm", "--verify", *ours]).output == ""
    root.run([*options, "remove", *ours])
    assert same(before, root) == []
    assert f"/tls-bootstrap/yum/{codename}/" in server.requests


@pytest.mark.parametrize("codename", ["focal", "el9"])
def test_over_https_with_an_authority_of_ones_own(codename, make_root, server, repositories):
    release = releases.by_name(codename)
    root = make_root(codename, f"https-{codename}")
    root.write("/tmp/authority.pem", server.authority.read_bytes())
    if release.family == "deb":
        path, text = repository.apt_source(f"{server.https}/apt", release)
        key = repositories / repository.APT / repository.APT_KEY
        root.write(repository.apt_key_path(release), key.read_bytes())
        root.write("/etc/apt/apt.conf.d/99authority", 'Acquire::https::CAInfo "/tmp/authority.pem";\n')
        install = [["apt-get", "-o", "APT::Update::Error-Mode=any", "update"], ["apt-get", "install", "--yes", "tls-bootstrap"]]
    else:
        path, text = repository.yum_source(f"{server.https}/{repository.yum_part(release, roots.os.uname().machine)}")
        root.write(repository.YUM_KEY_PATH, (repositories / repository.YUM / repository.YUM_KEY).read_bytes())
        text += "sslcacert=/tmp/authority.pem\n"
        install = [["dnf", "--assumeyes", "--releasever=9", "install", "tls-bootstrap"]]
    root.write(path, text)
    for words in install:
        root.run(words)
    assert "tls-bootstrap" in root.run(["tls-bootstrap", "version"], user=roots.USER).output
    # The control: without the authority nothing is fetched.
    (root.path / "tmp" / "authority.pem").write_text("")
    strict = ["dnf", "--assumeyes", "--releasever=9", "--refresh", "--setopt=tls-bootstrap.skip_if_unavailable=0", "makecache"]
    refused = root.run(install[0] if release.family == "deb" else strict, check=False)
    assert refused.status != 0


def test_an_interpreter_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(enterprise_root.interpreters, "find", lambda: [])
    assert "Python 2.7, 3.6, 3.8, 3.9, 3.11, 3.12: byte code" in enterprise_root.available()
