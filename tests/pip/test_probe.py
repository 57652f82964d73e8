# SPDX-License-Identifier: Apache-2.0
"""What the hook asks of `_tls_bootstrap` beforehand: a module that lacks one of the names pips need is refused."""

from __future__ import annotations

import json

import pytest

LACKING = """
import json
import _tls_bootstrap
from _tls_bootstrap_pip import replacement as hook

class Lacking(object):
    '''Has what `whole` has, but for the names in `without`; `instead` has others in the place of some.'''

    def __init__(self, whole, without=(), instead=()):
        self._whole, self._without, self._instead = whole, without, dict(instead)

    def __getattr__(self, name):
        if name in self._without:
            raise AttributeError(name)
        return self._instead[name] if name in self._instead else getattr(self._whole, name)

def refusal(module, low_level=_tls_bootstrap._ssl):
    try:
        hook.probe(module, low_level)
    except hook.Unusable as error:
        return str(error)
    return "accepted"

whole = _tls_bootstrap
answers = {"": refusal(whole)}
for name in "ENCODING_DER", "flavour", "is_plain_hostname":
    answers["_ssl." + name] = refusal(whole, Lacking(whole._ssl, [name]))
for owner, names in hook.CORE_NAMES:
    for name in names:
        instead = {owner: Lacking(getattr(whole._ssl, owner), [name])}
        answers[owner + "." + name] = refusal(whole, Lacking(whole._ssl, instead=instead))
for name in hook.NAMES:
    if not name.startswith("SSL") or name.endswith("Error"):  # the classes are asked for their own names too
        known = Lacking(whole._names, instead={"lists": lambda each: each != name and whole._names.lists(each)})
        answers[name] = refusal(Lacking(whole, [name], {"_names": known}))
for owner, names in ("SSLContext", hook.CONTEXT_NAMES), ("SSLSocket", hook.CONNECTION_NAMES), ("SSLObject", hook.CONNECTION_NAMES):
    for name in names:
        answers[owner + "." + name] = refusal(Lacking(whole, instead={owner: Lacking(getattr(whole, owner), [name])}))
for name in hook.CONTEXT_PROPERTIES:
    plain = Lacking(whole.SSLContext, instead={name: 1})
    answers["SSLContext.%s as a property" % name] = refusal(Lacking(whole, instead={"SSLContext": plain}))
answers["SSLError is no OSError"] = refusal(Lacking(whole, instead={"SSLError": ValueError}))
answers["is linked to"] = refusal(Lacking(whole, instead={"OPENSSL_VERSION_INFO": (1, 0, 2, 7, 0)}))
print(json.dumps(answers))
"""


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.13"])
def test_a_module_that_lacks_one_name_is_refused_by_that_name(make, version):
    installation = make(version).add_module().add_hook()
    done = installation.run("-c", LACKING)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers.pop("") == "accepted"
    assert len(answers) > 85
    for name, answer in answers.items():
        assert name in answer, (name, answer)
