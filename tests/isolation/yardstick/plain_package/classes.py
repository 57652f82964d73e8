# SPDX-License-Identifier: Apache-2.0
"""Two classes."""

import sys


class Plain(object):
    def method(self):
        return sys


class Derived(Plain):
    pass
