# SPDX-License-Identifier: Apache-2.0
"""Finds or fetches the pinned tarball of OpenSSL and refuses any other content."""

import functools
import hashlib
import os
import shutil
import tempfile

from openssl import cache, debian_archive
from openssl.errors import BuildError

try:
    from urllib.request import urlopen
except ImportError:
    from urllib2 import urlopen

HERE = os.path.dirname(os.path.abspath(__file__))

# Upstream keeps every release at this address. OPENSSL_URL in the environment names another place.
UPSTREAM = "https://github.com/openssl/openssl/releases/download/openssl-{version}/openssl-{version}.tar.gz"

# Where the Debian archives keep the source package of each version that one of their suites has, or had a short time
# ago; its .orig.tar.gz is upstream's file unchanged.
DEBIAN_POOLS = (("debian", "pool/main/o/openssl"), ("debian-security", "pool/updates/main/o/openssl"))


class WrongChecksum(BuildError):
    """A file is not the pinned tarball. Ends the build: no other place is tried, so that a person looks."""


def version():
    """The pinned version, "3.5.7"."""
    with open(os.path.join(HERE, "version")) as stream:
        return stream.read().strip()


def tarball_name():
    return "openssl-%s.tar.gz" % version()


def expected_sum():
    """SHA-256 of the pinned tarball as hexadecimal text."""
    sums = os.path.join(HERE, "SHA256SUMS")
    with open(sums) as stream:
        for line in stream:
            fields = line.split()
            if len(fields) == 2 and fields[1] == tarball_name():
                return fields[0]
    raise BuildError("%s has no line for %s; add its SHA-256" % (sums, tarball_name()))


def sum_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def verify(path, advice):
    """Raise BuildError unless the file is the pinned tarball."""
    actual = sum_of(path)
    if actual != expected_sum():
        raise WrongChecksum(
            "wrong checksum: %s\n  expected SHA-256 %s (OpenSSL %s, src/openssl/SHA256SUMS)\n  actual   SHA-256 %s\n  %s"
            % (path, expected_sum(), version(), actual, advice)
        )


def tarball():
    """Path of the verified tarball: OPENSSL_TARBALL, else the cache's copy, else downloaded into the cache."""
    given = os.environ.get("OPENSSL_TARBALL")
    if given:
        if not os.path.isfile(given):
            raise BuildError("OPENSSL_TARBALL=%s: no such file" % given)
        verify(given, "Set OPENSSL_TARBALL to the file of that sum, or unset it to have it downloaded.")
        return os.path.abspath(given)
    path = os.path.join(cache.root(), "sources", tarball_name())
    if not os.path.exists(path):
        fetch(path)
    verify(path, "Remove the file and run again to have it downloaded anew.")
    return path


def unpacked_tree():
    """Path of an unpacked source tree given instead of the tarball, or None.

    It is OPENSSL_SOURCE, or openssl/ at the top, where dpkg-source unpacks the component tarball (whose checksum
    the .dsc carries). Raises BuildError when it is another version.
    """
    tree = os.environ.get("OPENSSL_SOURCE") or "openssl"
    if not os.path.exists(os.path.join(tree, "VERSION.dat")):
        if os.environ.get("OPENSSL_SOURCE"):
            raise BuildError("OPENSSL_SOURCE=%s: no OpenSSL source there (VERSION.dat is missing)" % tree)
        return None
    with open(os.path.join(tree, "VERSION.dat")) as stream:
        fields = dict(line.strip().split("=", 1) for line in stream if "=" in line)
    found = "%s.%s.%s" % (fields.get("MAJOR"), fields.get("MINOR"), fields.get("PATCH"))
    if found != version():
        raise BuildError("%s: OpenSSL %s, but src/openssl/version says %s" % (tree, found, version()))
    return os.path.abspath(tree)


def tree_sum(tree):
    """A digest over the names and contents of a source tree, which no checksum of ours pins."""
    digest = hashlib.sha256()
    for directory, subdirectories, names in os.walk(tree):
        subdirectories.sort()
        for name in sorted(names):
            path = os.path.join(directory, name)
            content = os.readlink(path) if os.path.islink(path) else sum_of(path)
            digest.update(("%s\0%s\0" % (os.path.relpath(path, tree), content)).encode("utf-8", "replace"))
    return digest.hexdigest()


def fetch(path):
    """Download the tarball to `path`: from the Debian archive this machine uses, else from upstream.

    Whatever comes must have the pinned sum; `path` appears only then.
    """
    shelf = os.path.dirname(path)
    cache.make_directory(shelf)
    with cache.locked(os.path.join(shelf, cache.LOCK + os.path.basename(path)), os.path.basename(path)):
        if os.path.exists(path):
            return
        failures = []
        for name, download in _places():
            print("openssl %s: downloading the source from %s" % (version(), name))
            directory = tempfile.mkdtemp(prefix=cache.TEMPORARY, dir=shelf)
            try:
                got = download(directory)
                verify(got, "It came from %s: tell the administrator of that mirror, or set OPENSSL_TARBALL." % name)
                os.rename(got, path)
                return
            except WrongChecksum:
                raise
            except (BuildError, EnvironmentError) as error:
                failures.append("%s: %s" % (name, error))
            finally:
                shutil.rmtree(directory, ignore_errors=True)
    raise BuildError(
        "cannot get %s:\n  %s\nDownload it by other means and set OPENSSL_TARBALL=FILE (SHA-256 %s)."
        % (tarball_name(), "\n  ".join(failures), expected_sum())
    )


def _places():
    """The places to try in order, as (name for messages, function of a directory that returns the file's path)."""
    places = []
    if not os.environ.get("OPENSSL_URL"):
        for archive, pool in DEBIAN_POOLS:
            mirror = debian_archive.mirror(archive)
            if mirror:
                uri = "%s/%s/openssl_%s.orig.tar.gz" % (mirror, pool, version())
                places.append(("the %s archive" % archive, functools.partial(debian_archive.download_file, uri)))
    url = (os.environ.get("OPENSSL_URL") or UPSTREAM).format(version=version())
    places.append((url, functools.partial(_from_url, url)))
    return places


def _from_url(url, directory):
    path = os.path.join(directory, tarball_name())
    response = urlopen(url, timeout=60)
    try:
        with open(path, "wb") as stream:
            shutil.copyfileobj(response, stream)
    finally:
        response.close()
    return path
