# SPDX-License-Identifier: Apache-2.0
"""What the page of the repositories tells an administrator to type works as it stands there."""

import html
import re

import pytest
from conftest import through_proxy
from toolkit import releases, roots


def told(repositories, release):
    """(commands, fingerprint): a release's block on the page, and the key's fingerprint above."""
    text = (repositories / "index.html").read_text(encoding="utf-8")
    block = re.search(rf'<h2 id="{release.name}">.*?<pre>(.*?)</pre>', text, re.DOTALL)[1]
    return html.unescape(block), re.search(r"<code>([0-9A-F]{40})</code>", text)[1]


@pytest.mark.parametrize("codename", ["bullseye", "noble", "el9"])
def test_the_commands_of_the_page_install_and_show_the_key(codename, server, repositories, make_root):
    release = releases.by_name(codename)
    root = make_root(codename, f"page-{codename}", ("curl", "gnupg"))
    through_proxy(root, release, server)
    if release.family == "deb":
        root.write("/etc/apt/apt.conf.d/99answer", 'APT::Get::Assume-Yes "true";\n')
    else:
        root.write("/etc/dnf/vars/releasever", f"{release.number}\n")
    commands, fingerprint = told(repositories, release)
    environment = {"http_proxy": server.http, "HOME": "/root"}
    # The key first, which a person looks at before going on.
    key, show, rest = commands.split("\n", 2)
    shown = root.run(["sh", "-e", "-c", f"{key}\n{show}"], environment=environment).output
    assert show.startswith("gpg ") and fingerprint in shown
    root.run(["sh", "-e", "-c", rest], environment=environment)
    checked = root.run(["tls-bootstrap", "check"], user=roots.USER, check=False)
    assert checked.status == 0, checked.output
