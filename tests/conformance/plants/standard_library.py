# SPDX-License-Identifier: Apache-2.0
"""Breaks the module that is examined: it falls back to the standard library's C module, loaded past the import system.

The tests may well pass with it.  The runner must notice what made the handshakes.
"""

import glob
import os
import sys

place = [name for name in sys.path if os.path.basename(name) == "lib-dynload"][0]
extension = glob.glob(os.path.join(place, "_ssl.*so"))[0]
if sys.version_info[0] == 2:
    import imp

    imp.load_dynamic("_ssl", extension)
else:
    from importlib import machinery, util

    specification = util.spec_from_file_location("_ssl", extension, loader=machinery.ExtensionFileLoader("_ssl", extension))
    sys.modules["_ssl"] = util.module_from_spec(specification)
