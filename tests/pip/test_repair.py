# SPDX-License-Identifier: Apache-2.0
"""Who got the replacement of `ssl` and is not of pip's stack gets the standard one back."""

from __future__ import annotations

import json

import pytest

REPAIR = """
import json, ssl, sys, types
import _tls_bootstrap as ours
from _tls_bootstrap_pip import audit

holders = {
    "whole": {"ssl": ours}, "names": {"SSLContext": ours.SSLContext, "wrap": ours}, "error": {"SSLError": ours.SSLError, "x": 1},
    "socket": {"SSLSocket": ours.SSLSocket},
    "standard": {"ssl": ssl, "SSLContext": ssl.SSLContext}, "nothing": {"ssl": None}, "untouched": {"wrap": ours},
    "pip._vendor.urllib3.util": {"ssl": ours, "SSLContext": ours.SSLContext}, "pip.download": {"ssl": ours},
    "pip._vendor.distlib.compat": {"match_hostname": ours.match_hostname, "ssl": ours},
    "pip._vendor.distlib.index": {"ssl": ours},
}
for name, variables in holders.items():
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(variables)
sys.modules["no module"] = object()
sys.modules["empty"] = None
names = set(sys.modules)
repaired = sorted(audit.repair(names, ours, ours._ssl))
again = audit.repair(names, ours, ours._ssl)
theirs = {name: sorted(key for key in variables if vars(sys.modules[name])[key] is getattr(ssl, key, ssl))
          for name, variables in holders.items()}
print(json.dumps([repaired, again, theirs]))
"""


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.13"])
def test_a_stranger_gets_the_standard_ssl_back(make, version):
    done = make(version).add_module().add_hook().run("-c", REPAIR)
    assert done.returncode == 0, done.stderr
    repaired, again, theirs = json.loads(done.stdout)
    assert repaired == ["error", "names", "pip._vendor.distlib.index", "socket", "whole"] and again == []
    assert theirs == {
        "whole": ["ssl"], "names": ["SSLContext", "wrap"], "error": ["SSLError"], "socket": ["SSLSocket"], "nothing": [],
        "standard": ["SSLContext", "ssl"],
        "untouched": [], "pip._vendor.urllib3.util": [], "pip.download": [], "pip._vendor.distlib.compat": [],
        "pip._vendor.distlib.index": ["ssl"],
    }  # fmt: skip
