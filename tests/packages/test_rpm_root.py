# SPDX-License-Identifier: Apache-2.0
"""The root in which dnf and rpm are real: what they leave behind by themselves must not look like ours."""

import json

import pytest
from conftest import fresh_root
from toolkit import repository, roots

KEY = "/run/key-of-the-repository"
#: Imports a key as dnf does and prints what lay in the directory that dnf then removes.
IMPORT = f"""
import dnf.crypto, dnf.util, json, os
remove, seen = dnf.util.rm_rf, []
dnf.util.rm_rf = lambda path: (seen.extend(os.listdir(path)), remove(path))
with open("{KEY}", "rb") as key:
    found = dnf.crypto.rawkey2infos(key)
print(json.dumps([len(found), seen]))
"""


@pytest.fixture
def rpm_root(published_repositories):
    root = fresh_root(roots.RPM, "rpm-root")
    root.write(KEY, (published_repositories / repository.YUM / repository.YUM_KEY).read_bytes())
    yield root
    root.remove()


def test_nobody_removes_files_beside_dnf_when_it_has_imported_a_key(rpm_root):
    def sockets():
        found, seen = json.loads(rpm_root.run(["/usr/bin/python3", "-c", IMPORT]).output.splitlines()[-1])
        assert found == 1
        assert "pubring.kbx" in seen
        return [name for name in seen if name.startswith("S.")]

    assert sockets() == []
    # The control: without its configuration gpg starts an agent, which removes its sockets when one of them goes.
    rpm_root.remove_file("/etc/gnupg/gpg.conf")
    assert "S.gpg-agent" in sockets()
