# SPDX-License-Identifier: Apache-2.0
"""Runs where spdx-tools is installed: reads and validates SPDX documents, and prints what is wrong with each as JSON.

    python validate_bills.py FILE...
"""

import json
import sys

from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

found = {}
for path in sys.argv[1:]:
    try:
        messages = [message.validation_message for message in validate_full_spdx_document(parse_file(path))]
    except SPDXParsingError as error:
        messages = error.get_messages()
    if messages:
        found[path] = messages
print(json.dumps(found))
