# SPDX-License-Identifier: Apache-2.0
"""The pinned tarball is the only source there is: any other content stops the build."""

from __future__ import annotations

import http.server
import os
import re
import tarfile
import threading

import pytest

from openssl import debian_archive, source
from openssl.errors import BuildError


def forged_tarball(path):
    inner = path.parent / "Configure"
    inner.write_text("print 'not OpenSSL'\n")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(inner, f"openssl-{source.version()}/Configure")
    return path


def assert_told(text, path):
    assert f"wrong checksum: {path}" in text
    assert f"expected SHA-256 {source.expected_sum()}" in text
    assert f"actual   SHA-256 {source.sum_of(path)}" in text


def test_a_forged_tarball_stops_the_build(project, private_cache, tmp_path):
    forged = forged_tarball(tmp_path / "forged.tar.gz")
    done = project.make("build", "PYTHON2=", f"OPENSSL_TARBALL={forged}", CACHE=str(private_cache))
    assert done.returncode != 0
    assert_told(done.stdout, forged)
    assert "Set OPENSSL_TARBALL to the file of that sum" in done.stdout
    assert "Traceback" not in done.stdout
    left = [path.name for path in (private_cache / "openssl").iterdir() if not path.name.startswith(".lock-")]
    assert left == []
    assert not (project.directory / "build" / "py3").exists()


def test_a_damaged_tarball_in_the_cache_stops_the_build(private_cache, tmp_path):
    path = private_cache / "sources" / source.tarball_name()
    path.parent.mkdir(parents=True)
    forged_tarball(path)
    with pytest.raises(BuildError) as caught:
        source.tarball()
    assert_told(str(caught.value), path)
    assert "Remove the file and run again" in str(caught.value)


def test_a_mirror_that_serves_other_content_stops_the_build(private_cache, tmp_path, monkeypatch):
    forged = forged_tarball(tmp_path / "served.tar.gz")
    tried = []

    def serve(name):
        def download(directory):
            tried.append(name)
            return str(forged)

        return download

    monkeypatch.setattr(source, "_places", lambda: [("first", serve("first")), ("second", serve("second"))])
    with pytest.raises(source.WrongChecksum) as caught:
        source.tarball()
    assert_told(str(caught.value), forged)
    assert tried == ["first"]
    assert [path.name for path in (private_cache / "sources").iterdir() if not path.name.startswith(".lock-")] == []


def test_every_place_that_failed_is_told(private_cache, monkeypatch):
    def fail(directory):
        raise BuildError("it has 9.9.9 now")

    monkeypatch.setattr(source, "_places", lambda: [("the archive", fail)])
    with pytest.raises(BuildError) as caught:
        source.tarball()
    assert "the archive: it has 9.9.9 now" in str(caught.value)
    assert f"set OPENSSL_TARBALL=FILE (SHA-256 {source.expected_sum()})" in str(caught.value)


def test_a_missing_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENSSL_TARBALL", str(tmp_path / "absent.tar.gz"))
    with pytest.raises(BuildError, match=r"OPENSSL_TARBALL=.*absent\.tar\.gz: no such file"):
        source.tarball()


def test_an_unpacked_tree_of_another_version_is_refused(monkeypatch, tmp_path):
    (tmp_path / "VERSION.dat").write_text("MAJOR=1\nMINOR=0\nPATCH=2\n")
    monkeypatch.setenv("OPENSSL_SOURCE", str(tmp_path))
    with pytest.raises(BuildError, match=rf"OpenSSL 1\.0\.2, but src/openssl/version says {source.version()}"):
        source.unpacked_tree()


def test_the_version_has_a_checksum():
    assert len(bytes.fromhex(source.expected_sum())) == 32


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """A web server's directory for the two Debian archives, and the list of what it was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "served"))

        def log_message(self, *arguments):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(debian_archive, "mirror", lambda archive="debian": f"{address}/{archive}")
    monkeypatch.setattr(source, "UPSTREAM", f"{address}/upstream-{{version}}")
    yield tmp_path / "served", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not os.path.exists(debian_archive.HELPER), reason="apt-helper is apt's, and this machine has no apt")
def test_the_version_is_asked_for_by_name_whatever_a_suite_has_now(archives, private_cache):
    served, asked = archives
    name = f"openssl_{source.version()}.orig.tar.gz"
    path = served / "debian-security" / "pool" / "updates" / "main" / "o" / "openssl" / name
    path.parent.mkdir(parents=True)
    forged_tarball(path)
    with pytest.raises(source.WrongChecksum, match="It came from the debian-security archive"):
        source.tarball()
    assert [line for line in dict.fromkeys(asked) if line.endswith(".gz")] == [
        f"/debian/pool/main/o/openssl/{name}", f"/debian-security/pool/updates/main/o/openssl/{name}",
    ]  # fmt: skip
    path.unlink()
    with pytest.raises(BuildError, match="cannot get openssl-") as caught:
        source.tarball()
    for place in ("the debian archive: ", "the debian-security archive: ", "/upstream-"):
        assert place in str(caught.value)
    assert len(re.findall(r"\b404\b", str(caught.value))) == 3  # a port, which may be 40404, is no answer
